"""What dense encoders share: checked layers and sides, grids of tokens, an identity; no network."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lr_edit.errors import UserError


def chosen_layers(layers: Sequence[int], count: int) -> tuple[int, ...]:
    """Layers by number, 1 = the first of `count`; () is the last.

    Raises UserError unless they rise and exist.
    """
    chosen = tuple(layers) or (count,)
    if list(chosen) != sorted(set(chosen)) or chosen[0] < 1 or chosen[-1] > count:
        raise UserError(
            f"layers {list(layers)} cannot be taken: give numbers that rise, from 1 to {count}"
        )
    return chosen


def whole_side(side: int, native: int, patch: int) -> int:
    """The side in pixels that a picture is squeezed to; 0 is the network's own input, `native`,
    less what no patch covers.

    Raises UserError for a side that is not a positive multiple of `patch`.
    """
    if side == 0:
        return native - native % patch
    if side < patch or side % patch:
        near = max(1, round(side / patch)) * patch
        raise UserError(
            f"side {side} holds no whole number of patches of {patch} pixels: give a multiple of "
            f"it, such as {near}"
        )
    return side


def as_grid(tokens: Tensor, rows: int, columns: int) -> Tensor:
    """Tokens [B, rows * columns, C], row by row => [B, C, rows, columns]."""
    return tokens.transpose(1, 2).unflatten(2, (rows, columns))


@torch.no_grad()
def fingerprint(network: nn.Module) -> str:
    """Eight hexadecimal digits of all parameters' values, whatever their names and order."""
    digests = sorted(
        hashlib.sha256(p.detach().float().cpu().numpy().tobytes()).digest()
        for p in network.parameters()
    )
    return hashlib.sha256(b"".join(digests)).hexdigest()[:8]


def identity_line(
    kind: str, width: int, patch: int, network: nn.Module, layers: Sequence[int], side: int
) -> str:
    """As "dino width 128 patch 8 weights 0a1b2c3d layers 3,5 side 64"."""
    listed = ",".join(map(str, layers))
    weights = fingerprint(network)
    return f"{kind} width {width} patch {patch} weights {weights} layers {listed} side {side}"
