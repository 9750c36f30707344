"""Files of weights that run code when they are unpickled, and the networks that meet them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import weights
from safetensors.torch import load_file

from lr_edit.backbones.diffusion import UNetDiffusion
from lr_edit.backbones.dino import DinoEncoder
from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.backbones.segformer import SegformerSegmenter

NETWORKS: dict[str, tuple[Callable[[Path], Path], Callable[[str], Any], str, str]] = {
    "segformer": (
        weights.segformer, SegformerSegmenter, "model.safetensors", "pytorch_model.bin",
    ),
    "dino": (weights.dino, DinoEncoder, "model.safetensors", "pytorch_model.bin"),
    "clip": (
        weights.clip, lambda folder: OpenClipEncoder(f"local-dir:{folder}"),
        "open_clip_model.safetensors", "open_clip_pytorch_model.bin",
    ),
    "unet": (
        weights.unconditional, UNetDiffusion, "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.bin",
    ),
}  # fmt: skip
"""By name: what makes a tiny folder, what loads it, its weights, and what they are called when
pickled."""


class Evil:
    """Whoever unpickles it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def write_evil(path: Path, mark: Path) -> None:
    """A file as torch.save writes it; `mark` appears where its code runs."""
    torch.save({"weight": torch.zeros(2), "evil": Evil(mark)}, path)


def write_plain(safe: Path, path: Path) -> None:
    """The tensors of a safetensors file, pickled."""
    torch.save(load_file(safe), path)
