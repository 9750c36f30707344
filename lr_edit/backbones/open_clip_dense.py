"""OpenCLIP seen patch by patch and token by token: one loaded model serves these and embeddings.

A picture of another side than the network was trained at gets interpolated position embeddings, as
DINO's do (Caron et al., 2021).
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lr_edit.backbones.base import DenseEncoder, TokenEncoder
from lr_edit.backbones.dense import as_grid, chosen_layers, identity_line, whole_side
from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.backbones.windows import check_stride, joined, windows
from lr_edit.errors import UserError


class OpenClipDense(DenseEncoder, TokenEncoder):
    """Patch features and token states of the model that `encoder` holds.

    layers: blocks of the vision tower, 1 = the first; () = the last. Features are their plain
    outputs, as OpenCLIP's forward_intermediates gives them. side: pixels a side that pictures are
    squeezed to, a multiple of the patch; 0 = the model's own. stride: where not 0, a picture is
    seen through windows of the model's own side, so many pixels apart; else in one look.

    Raises UserError for models other than OpenCLIP's `CLIP` with a vision transformer, and for
    layers, a side or a stride that do not fit.
    """

    def __init__(
        self,
        encoder: OpenClipEncoder,
        layers: tuple[int, ...] = (),
        side: int = 0,
        stride: int = 0,
    ) -> None:
        visual = _vision_tower(encoder.network)
        (patch, other), native = visual.patch_size, visual.image_size[0]
        if patch != other:
            raise UserError(f"this CLIP has patches of {patch} x {other} pixels: take square ones")
        self._encoder, self._visual, self._patch = encoder, visual, patch
        self._layers = chosen_layers(layers, len(visual.transformer.resblocks))
        self._side, self._stride = whole_side(side, native, patch), stride
        self._window = whole_side(0, native, patch) if stride else self._side
        check_stride(self._side, self._window, stride, patch)
        rows = self._window // patch
        self._positions = resized_positions(visual.positional_embedding, visual.grid_size, rows)

    @property
    def encoder(self) -> OpenClipEncoder:
        """The encoder whose model this is."""
        return self._encoder

    def patch_features(self, images: Tensor) -> tuple[Tensor, ...]:
        """One map [B, C, side / patch, side / patch] a layer; it runs no further than the last."""
        pixels = self._encoder.pixels(images, (self._side, self._side))
        if not self._stride:
            return self._states(pixels)
        maps = self._states(windows(pixels, self._window, self._stride))
        return tuple(joined(m, len(images), self._stride // self._patch) for m in maps)

    def patches_and_whole(self, images: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """`patch_features`, and the encoder's unit embeddings [B, D]: of one run of the tower where
        both see the picture at the same size, of two elsewhere."""
        side = (self._side, self._side)
        if self._stride or side != tuple(self._visual.image_size):
            return self.patch_features(images), self._encoder.encode_image(images)
        pixels, taken = self._encoder.pixels(images, side), self._taken
        found = self._visual.forward_intermediates(pixels, indices=taken)
        maps = tuple(m.float() for m in found["image_intermediates"])
        return maps, F.normalize(found["image_features"], dim=-1).float()

    def _states(self, pixels: Tensor) -> tuple[Tensor, ...]:
        visual, rows = self._visual, self._window // self._patch
        patches = visual.conv1(pixels).flatten(2).transpose(1, 2)
        first = visual.class_embedding.expand(len(patches), 1, -1)
        tokens = visual.ln_pre(torch.cat((first, patches), 1) + self._positions)
        taken = self._taken
        _, states = visual.transformer.forward_intermediates(tokens, indices=taken, stop_early=True)
        return tuple(as_grid(state[:, 1:], rows, rows).float() for state in states)

    @property
    def _taken(self) -> list[int]:
        """The layers as OpenCLIP counts them."""
        return [layer - 1 for layer in self._layers]

    @property
    def channels(self) -> tuple[int, ...]:
        return (self._visual.transformer.width,) * len(self._layers)

    @cached_property
    def identity(self) -> str:
        line = identity_line(
            "open_clip", self.channels[0], self._patch, self._visual, self._layers, self._side
        )
        return f"{line} stride {self._stride}" if self._stride else line

    @torch.no_grad()
    def encode_tokens(self, phrases: Sequence[str]) -> tuple[Tensor, Tensor]:
        network, ids = self._encoder.network, self._encoder.token_ids(phrases)
        # CLIP's end token has the highest id of all, so this is where the first one stands.
        ends = ids.argmax(1)
        longest = int(ends.max()) + 1
        # A causal tower's states do not depend on what follows: the padding need not be run.
        mask = network.attn_mask
        run = ids.shape[1] if mask is None else longest
        states = network.token_embedding(ids[:, :run]) + network.positional_embedding[:run]
        states = network.transformer(states, attn_mask=None if mask is None else mask[:run, :run])
        real = torch.arange(longest, device=ids.device) <= ends[:, None]
        return network.ln_final(states)[:, :longest].float(), real

    def check_length(self, phrase: str) -> None:
        self._encoder.check_length(phrase)

    @property
    def token_channels(self) -> int:
        return self._encoder.network.transformer.width


def resized_positions(positions: Tensor, grid: tuple[int, int], rows: int) -> Tensor:
    """Position embeddings [1 + h * w, C], the class token's first, for a grid of rows x rows.

    Bicubic, as OpenCLIP itself fits a model to another image size; grid: (h, w) before.
    """
    if tuple(grid) == (rows, rows):
        return positions
    patches = as_grid(positions[None, 1:], *grid)
    patches = F.interpolate(
        patches, (rows, rows), mode="bicubic", antialias=True, align_corners=False
    )
    return torch.cat((positions[:1], patches[0].flatten(1).T))


def _vision_tower(network: Any) -> Any:
    """The vision transformer of a CLIP; UserError for other models."""
    from open_clip import CLIP
    from open_clip.transformer import VisionTransformer

    if not isinstance(network, CLIP) or not isinstance(network.visual, VisionTransformer):
        kinds = f"{type(network).__name__} with a {type(network.visual).__name__}"
        raise UserError(
            f"this OpenCLIP model, a {kinds}, gives no patch features: take a CLIP with a vision "
            "transformer of OpenCLIP's own, such as ViT-B-16"
        )
    return network.visual
