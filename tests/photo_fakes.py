"""Tiny checkpoints behind the names of published ones, and infer.py called on sets of them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fetch_fakes
import open_clip
import pytest
import torch
import torchvision
import yaml
from editor_fakes import picture
from fetch_fakes import Web
from infer_calls import quick_edit, white
from safetensors.torch import load_file, save_file

from lr_edit.cli.main import main
from lr_edit.images import to_pil

TRUNKS = {
    "vgg": ("vgg16", "vgg16-397923af.pth"),
    "alex": ("alexnet", "alexnet-owt-7be5be79.pth"),
    "squeeze": ("squeezenet1_1", "squeezenet1_1-b8a52dc0.pth"),
}
"""What torchvision calls the trunks of LPIPS, and their files."""


def caller(folder: Path, parts: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """Calls infer.py on a picture of 64 pixels, results in `folder`; gives its report.

    parts: entries of a model set. Those of a call take the place of some of them, None drops one;
    words are options, and status is how it must end. The region is a mask unless an option finds
    one.
    """
    to_pil(picture(64, 64))[0].save(folder / "photo.png")
    white((64, 64), (20, 16, 44, 40)).save(folder / "mask.png")

    def call(
        output: str, entries: dict[str, Any], status: int = 0, **options: Any
    ) -> dict[str, Any]:
        path = folder / f"{output}.yaml"
        kept = {name: entry for name, entry in (parts | entries).items() if entry}
        path.write_text(yaml.safe_dump(kept))
        region = {} if "proposer" in options else {"mask": folder / "mask.png"}
        given = {"count": 1, "models": path, "output": folder / output, **region, **options}
        assert main(quick_edit(folder, **given)) == status
        report = folder / output / "report.json"
        return json.loads(report.read_text()) if report.exists() else {}

    return call


def tiny_clip(folder: Path, name: str, quick: bool) -> dict[str, torch.Tensor]:
    """Makes OpenCLIP's architecture of that name a tiny one; gives weights that fit it."""
    facts: dict[str, Any] = {
        "embed_dim": 16,
        "vision_cfg": {
            "image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8,
        },
        "text_cfg": {
            "context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1,
        },
    }  # fmt: skip
    folder.mkdir(parents=True)
    (folder / f"{name}.json").write_text(
        json.dumps(facts | ({"quick_gelu": True} if quick else {}))
    )
    open_clip.add_model_config(folder)
    torch.manual_seed(0)
    return open_clip.create_model(name, load_weights=False).state_dict()


def publish_clip(
    web: Web, folder: Path, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Puts tiny weights where the hub has those of an OpenClipEncoder's name and tag, at its
    revision."""
    config = open_clip.get_pretrained_cfg(given["name"], given["pretrained"])
    monkeypatch.setattr(fetch_fakes, "COMMIT", given["revision"])
    for name in ("_MODEL_CONFIG_PATHS", "_MODEL_CONFIGS"):  # which come back afterwards
        monkeypatch.setattr(open_clip.factory, name, getattr(open_clip.factory, name).copy())
    state = tiny_clip(folder / "architecture", given["name"], "quickgelu" in given["name"])
    (folder / "repo").mkdir()
    save_file(state, folder / "repo" / "open_clip_model.safetensors")
    web.folders[config["hf_hub"].rstrip("/")] = folder / "repo"


def publish_trunk(home: Path, net: str) -> None:
    """Puts random weights of a trunk of LPIPS where torch.hub keeps what it has fetched."""
    architecture, file = TRUNKS[net]
    with torch.device("meta"):
        layers = getattr(torchvision.models, architecture)().features.state_dict()
    generator = torch.Generator().manual_seed(0)
    state = {"classifier.bias": torch.zeros(1)}  # whole networks are published
    for name, layer in layers.items():
        spread = (2 / layer[0].numel()) ** 0.5 if layer.ndim > 1 else 0.1
        state[f"features.{name}"] = spread * torch.randn(layer.shape, generator=generator)
    folder = home / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(state, folder / file, _use_new_zipfile_serialization=False)


def only_half(pipeline: Path, folder: Path) -> Path:
    """A copy of a pipeline that has its weights in the variant fp16 alone."""
    shutil.copytree(pipeline, folder)
    for path in list(folder.rglob("*.safetensors")):
        state = {
            name: tensor.half() if tensor.is_floating_point() else tensor
            for name, tensor in load_file(path).items()
        }
        path.unlink()
        save_file(state, path.with_suffix(".fp16.safetensors"), metadata={"format": "pt"})
    return folder
