"""What a model card says of a network and of what it learned from, read off its files.

It loads no network and measures nothing.
"""

import json
from collections.abc import Iterator, Mapping
from inspect import signature
from pathlib import Path
from typing import Any

import yaml

from lr_edit.backbones.checks import CARD
from lr_edit.training.data import TabletopData

# Sizes as configurations call them => as a card does, in the card's order.
SIZES = {
    "embed_dim": "embeddings of {}", "mixers": "{} mixers", "rounds": "{} rounds",
    "layers": "{} layers", "num_hidden_layers": "{} layers", "depths": "{} blocks",
    "layers_per_block": "{} blocks", "width": "width {}", "hidden_size": "width {}",
    "widths": "widths {}", "hidden_sizes": "widths {}", "block_out_channels": "widths {}",
    "heads": "{} heads", "num_attention_heads": "{} heads", "patch_size": "patches of {}",
    "fine": "{} fine blocks", "image_size": "{} pixels", "size": "{} pixels", "side": "{} pixels",
    "unshuffle": "unshuffled by {}", "backbones": "reads {}",
}  # fmt: skip
# What recipes train whose folders name no class.
NETWORKS = {
    "ClipRecipe": "OpenCLIP", "JudgeRecipe": "JudgeNetwork", "RegionRecipe": "RegionNetwork",
    "PerceptualRecipe": "LPIPS on a PerceptualTrunk",
}  # fmt: skip


def read_recipe(path: Path) -> dict[str, Any]:
    """The configuration that trains a network, as nested dictionaries."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def architecture(folder: Path, recipe: Mapping[str, Any]) -> str:
    """Class and sizes of every network that a folder of weights configures, as one line.

    "OpenCLIP: embeddings of 192; vision: 6 layers, width 192, …" for one. A configuration that
    names no class is taken for what the recipe trains.
    """
    trained = class_name(recipe["model"])
    name = NETWORKS.get(trained, trained.removesuffix("Recipe"))
    paths = [path for path in sorted(folder.rglob("*.json")) if path.name != CARD]
    configs = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    parts = [part for config in configs for part in sized(config, name)]
    return "; ".join(f"{name}: {', '.join(sizes)}" for name, sizes in parts)


def sized(config: Mapping[str, Any], name: str) -> Iterator[tuple[str, list[str]]]:
    """Each part of a network that a configuration gives sizes for, with these in words."""
    config = config.get("model_cfg", config)
    name = config.get("_class_name") or (config.get("architectures") or [name])[0]
    found = {key: config[key] for key in SIZES if isinstance(config.get(key), (int, list))}
    if found:
        yield name, [SIZES[key].format(joined(value)) for key, value in found.items()]
    for key, inner in config.items():
        if key.endswith("_cfg"):
            yield from sized(inner, key.removesuffix("_cfg"))


def joined(value: int | list[Any]) -> str:
    """A size, or the sizes of all stages: "64/128/192"."""
    return "/".join(map(str, value)) if isinstance(value, list) else str(value)


def training_data(recipe: Mapping[str, Any]) -> str:
    """The data set of a recipe on `TabletopData`, and how many scenes of which split it shows.

    What the recipe leaves out has TabletopData's default.
    """
    defaults = {name: p.default for name, p in signature(TabletopData).parameters.items()}
    values = defaults | recipe["data"]["init_args"]
    crowded = f" and {values['crowded']} crowded ones" if values["crowded"] else ""
    pairs = f" and {values['pairs']} edit pairs" if values["pairs"] else ""
    return (
        f"{class_name(values['dataset'])}: {values['train_scenes']} rendered scenes{crowded}{pairs}"
        f" of the split {values['train_split']!r}, at {values['size']} pixels"
    )


def tutor(recipe: Mapping[str, Any]) -> str:
    """The frozen network that a recipe has its own imitate, "" where there is none."""
    entry = recipe["model"].get("init_args", {}).get("tutor")
    if not entry:
        return ""
    return f"{class_name(entry)} of {entry['init_args']['encoder']['init_args']['name']}"


def class_name(entry: Mapping[str, Any]) -> str:
    """The bare name of the class that an entry of a recipe builds."""
    return str(entry["class_path"]).rpartition(".")[2]
