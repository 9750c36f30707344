"""What the file of a model set says: its entries, checked, and the options that it suggests.

Here it is known what classes an entry may have; nothing is loaded.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from lr_edit.backbones.base import Diffusion, ImageTextEncoder, PerceptualDistance, Segmenter
from lr_edit.backbones.dino import DinoEncoder
from lr_edit.backbones.folders import ROOT
from lr_edit.backbones.latent import Inpainter
from lr_edit.errors import UserError
from lr_edit.explain import explained
from lr_edit.regions.region import RegionProposer

FOLDER = ROOT / "configs" / "models"
KINDS: dict[str, type] = {
    "clip": ImageTextEncoder,
    "scorer": ImageTextEncoder,
    "segmenter": Segmenter,
    "perceptual": PerceptualDistance,
    "diffusion": Diffusion,
    "inpainter": Inpainter,
    "region": RegionProposer,
    "clipseg": RegionProposer,
    "grounded_sam": RegionProposer,
    "dino": DinoEncoder,
}
_OPTIONS = "options"


def model_sets() -> list[str]:
    """The names of the sets that the project has."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def config_path(name: str | Path) -> Path:
    """The file of a model set: of that name, or, ending in .yaml, at that path."""
    if str(name) in model_sets():
        return FOLDER / f"{name}.yaml"
    path = Path(name)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return path
    raise UserError(
        f"the model set {str(name)!r} is unknown: give one of {', '.join(model_sets())}, or the "
        "path of a .yaml file"
    )


def suggested_options(name: str | Path) -> dict[str, dict[str, Any]]:
    """What a set suggests for an edit: values by group and option, as infer.py names them.

    Raises UserError as `load_models` does, and for what is no such table.
    """
    path = config_path(name)
    options = _read(path).get(_OPTIONS) or {}
    if not isinstance(options, dict) or not all(isinstance(g, dict) for g in options.values()):
        raise UserError(f"{str(path)!r}: options are {options!r}: expected groups of options")
    return options


def has_entry(name: str | Path, part: str) -> bool:
    """Whether a model set has that entry; UserError as `load_models`."""
    return part in entries_of(config_path(name))


def described_entries(name: str | Path) -> dict[str, tuple[type, dict[str, Any]]]:
    """The class of each entry of a model set, and all its init_args; UserError as `load_models`."""
    path = config_path(name)
    return {
        part: class_and_arguments(path, part, entry, "cpu")
        for part, entry in entries_of(path).items()
    }


def entry_arguments(name: str | Path, part: str) -> dict[str, Any]:
    """The init_args of an entry of a model set; UserError where the set has no such entry."""
    path = config_path(name)
    entries = entries_of(path)
    if part not in entries:
        raise UserError(f"{str(path)!r} has no entry {part}: expected one")
    return dict(entries[part].get("init_args", {}))


def entries_of(path: Path) -> dict[str, Any]:
    """The entries of a file; UserError where it cannot be read, or for an unknown name."""
    entries = _read(path)
    unknown = sorted(set(map(str, entries)) - set(KINDS) - {_OPTIONS})
    if unknown:
        raise UserError(
            f"{str(path)!r} has an unknown entry {unknown[0]!r}: expected {', '.join(KINDS)}"
        )
    return {part: entries[part] for part in KINDS if entries.get(part) is not None}


def class_and_arguments(
    path: Path, part: str, entry: Any, device: str
) -> tuple[type, dict[str, Any]]:
    """The class of an entry and all its arguments, `device` among them; UserError where they do not
    fit."""
    from jsonargparse import ArgumentError, ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(KINDS[part], part, required=True)
    try:
        config = parser.parse_object({part: entry})
        config[part].init_args.device = device
    except (ArgumentError, TypeError, AttributeError) as error:
        raise UserError(
            f"{str(path)!r}: the entry {part} is wrong ({explained(str(error))}): expected "
            "class_path and init_args"
        ) from error
    module, _, name = config[part].class_path.rpartition(".")
    kind = getattr(import_module(module), name)
    # Called directly: jsonargparse would bury the constructor's own UserError in its report.
    return kind, config[part].init_args.as_dict()


def _read(path: Path) -> dict[str, Any]:
    """What a file holds."""
    import yaml

    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{str(path)!r} is no model set ({reason}): expected YAML") from error
    if not isinstance(entries, dict):
        raise UserError(f"{str(path)!r} is no model set: expected entries {', '.join(KINDS)}")
    return entries
