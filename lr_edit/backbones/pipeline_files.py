"""Folders in diffusers' layout, here or on the hub, and their parts; safetensors only.

It knows which file is which, and nothing of what the networks do.
"""

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lr_edit.backbones.checks import verify
from lr_edit.backbones.folders import local_folder, located
from lr_edit.backbones.hub_files import HubFiles
from lr_edit.backbones.pretrained import from_folder
from lr_edit.errors import UserError

_VARIANTS = ("*.fp16[.-]*", "*.bf16[.-]*", "*.non_ema[.-]*")
_TEXT = ("json", "txt", "model")


def pipeline_folder(
    name: str,
    revision: str | None = None,
    variant: str | None = None,
    parts: Sequence[str] = ("*",),
) -> Path:
    """The folder of a pipeline: a path, or owner/name on the hub at a revision (None: the newest).

    Of the hub's files those of the parts are fetched, once: configurations, and weights as
    safetensors of that variant alone. Without parts it is one network, at the folder's top. Raises
    UserError where there is no such folder.
    """
    folder = local_folder(name)
    if folder is not None:
        verify(folder)
        return folder
    if Path(name).is_absolute() or name.count("/") != 1:
        return located(name)  # which says what is wrong
    return hub_pipeline(name, revision, variant, parts).fetch()


def hub_pipeline(
    name: str,
    revision: str | None = None,
    variant: str | None = None,
    parts: Sequence[str] = ("*",),
) -> HubFiles:
    """The files of a pipeline on the hub, or of the one network that it is without parts."""
    ignore = _VARIANTS if variant is None else ()
    return HubFiles(name, tuple(hub_patterns(variant, parts)), revision or "main", ignore)


def hub_patterns(variant: str | None, parts: Sequence[str]) -> list[str]:
    """Which of a repository's files make up these parts; whole checkpoints at its top do not."""
    weights = "*.safetensors*" if variant is None else f"*.{variant}*.safetensors*"
    if not parts:
        return ["config.json", f"diffusion_pytorch_model{weights}"]
    inside = [f"{part}/*.{ending}" for part in parts for ending in _TEXT]
    return ["model_index.json", *inside, *(f"{part}/{weights}" for part in parts)]


def pipeline_index(folder: Path) -> dict[str, Any]:
    """What model_index.json says; UserError for a folder without one."""
    path = folder / "model_index.json"
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{str(folder)!r} is no pipeline: expected a folder in diffusers' layout, with a "
            "model_index.json"
        ) from error
    return index


def component(
    kind: Any, folder: Path, dtype: torch.dtype = torch.float32, variant: str | None = None
) -> Any:
    """One network of a folder, every parameter taken from its safetensors; see `from_folder`.

    kind: its class. A folder that holds only other variants is a UserError like a damaged one.
    """
    return from_folder(kind, folder, dtype, variant=variant)


def networks(folder: Path, dtype: torch.dtype, variant: str | None = None) -> dict[str, Any]:
    """The networks that a pipeline's index names, by their parts, each as by `component`.

    Pipelines that load them by themselves leave random values where tensors are missing. A part
    that has no files of the variant is taken without.
    """
    found = {}
    for part, said in pipeline_index(folder).items():
        if not (isinstance(said, list) and said[0] in ("diffusers", "transformers")):
            continue
        kind = getattr(import_module(said[0]), str(said[1]), None)
        if isinstance(kind, type) and issubclass(kind, nn.Module):
            place = folder / part
            there = variant if any(place.glob(f"*.{variant}.*")) else None
            found[part] = component(kind, place, dtype, there)
    return found
