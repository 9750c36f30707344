"""DINO, DINOv2 and DINOv3 through transformers, from a folder or the hub; it knows no regions."""

import inspect
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lr_edit.backbones.base import DenseEncoder, freeze
from lr_edit.backbones.dense import as_grid, chosen_layers, identity_line, whole_side
from lr_edit.backbones.devices import device_named
from lr_edit.backbones.folders import loading, located
from lr_edit.backbones.pretrained import from_folder
from lr_edit.errors import UserError

TYPES = ("vit", "dinov2", "dinov2_with_registers", "dinov3_vit")
FILES = ("config.json", "*.json", "*.safetensors")
"""What is fetched from the hub."""
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}


class DinoEncoder(DenseEncoder):
    """A self-distilled vision transformer (Caron et al., 2021; Oquab et al., 2023).

    name: a folder, or owner/name on the hub such as facebook/dino-vits16 or facebook/dinov2-base.
    layers: blocks by number, 1 = the first; () = the last. The last one's features are after the
    final norm, the others plain outputs. side: pixels a side that pictures are squeezed to, a
    multiple of the patch; 0 = the network's own. revision: on the hub, None for the newest.

    Raises UserError for missing or damaged weights, for networks of another kind, and for layers or
    a side that do not fit.
    """

    def __init__(
        self,
        name: str,
        layers: tuple[int, ...] = (),
        side: int = 0,
        device: str = "cpu",
        revision: str | None = None,
    ) -> None:
        self._device = device_named(device)
        folder = located(name, FILES, revision)
        with loading(folder):
            self._model = load_dino(folder).to(self._device)
            facts = preprocessing(folder)
            self._mean, self._std = (
                torch.tensor(facts[key], device=self._device).view(1, 3, 1, 1) for key in IMAGENET
            )
        freeze(self._model)
        config = self._model.config
        self._patch = _one(config.patch_size)
        self._layers = chosen_layers(layers, config.num_hidden_layers)
        self._side = whole_side(side, _one(config.image_size), self._patch)
        self._prefix = 1 + getattr(config, "num_register_tokens", 0)
        # Only the first DINO's class asks to be told that pictures may have another side.
        asks = "interpolate_pos_encoding" in inspect.signature(self._model.forward).parameters
        self._sized: dict[str, bool] = {"interpolate_pos_encoding": True} if asks else {}

    def patch_features(self, images: Tensor) -> tuple[Tensor, ...]:
        """One map [B, C, side / patch, side / patch] a layer."""
        count = self._model.config.num_hidden_layers
        out = self._run(images, output_hidden_states=self._layers != (count,))
        states = (
            out.last_hidden_state if layer == count else out.hidden_states[layer]
            for layer in self._layers
        )
        rows = self._side // self._patch
        return tuple(as_grid(state[:, self._prefix :], rows, rows).float() for state in states)

    @torch.no_grad()
    def attention(self, images: Tensor) -> Tensor:
        """How much the class token attends to every patch in the last block: [B, heads, h, w].

        Each head's weights are >= 0 and sum to at most one; class and register tokens have the
        rest. A head often marks one thing (Caron et al., 2021, fig. 1).
        """
        with eager_attention(self._model):
            weights = self._run(images, output_attentions=True).attentions[-1]
        rows = self._side // self._patch
        return weights[:, :, 0, self._prefix :].unflatten(2, (rows, rows))

    @property
    def channels(self) -> tuple[int, ...]:
        return (self._model.config.hidden_size,) * len(self._layers)

    @cached_property
    def identity(self) -> str:
        return identity_line(
            "dino", self.channels[0], self._patch, self._model, self._layers, self._side
        )

    def _run(self, images: Tensor, **options: bool) -> Any:
        """The model's output on images [B, 3, H, W] in [-1, 1] of any size."""
        images, size = images.to(self._device), (self._side, self._side)
        if tuple(images.shape[-2:]) != size:
            images = F.interpolate(
                images, size, mode="bicubic", antialias=True, align_corners=False
            )
        return self._model(((images + 1) / 2 - self._mean) / self._std, **self._sized, **options)


def load_dino(folder: str | Path) -> Any:
    """The transformers model of a folder, float32 and without a pooler.

    Raises UserError for other kinds than TYPES.
    """
    from transformers import AutoConfig, AutoModel, ViTModel

    # A folder may bring code of its own: it is not run, nor is anybody asked whether to.
    options = {"local_files_only": True, "trust_remote_code": False}
    kind = AutoConfig.from_pretrained(str(folder), **options).model_type
    if kind not in TYPES:
        raise UserError(f"{str(folder)!r} is a {kind}: expected a DINO, one of {', '.join(TYPES)}")
    if kind == "vit":  # Its pooler is no part of DINO's checkpoints.
        return from_folder(ViTModel, folder, add_pooling_layer=False)
    return from_folder(AutoModel, folder)


def preprocessing(folder: str | Path) -> dict[str, list[float]]:
    """image_mean and image_std of a folder's preprocessor_config.json, else ImageNet's."""
    path = Path(folder) / "preprocessor_config.json"
    said = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {key: list(said.get(key) or default) for key, default in IMAGENET.items()}


@contextmanager
def eager_attention(model: Any) -> Iterator[None]:
    """The model gives its attention weights inside; fused kernels, which are faster, do not."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _one(size: Any) -> int:
    """A side that configurations give once or for height and width."""
    return int(size if isinstance(size, int) else size[0])
