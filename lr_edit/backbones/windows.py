"""Pictures seen through overlapping windows, and the windows' feature maps joined again.

A network trained on small pictures of one thing knows more of a large picture's parts than of the
whole squeezed to its size; segmentation with CLIP looks at pictures so (TCL, Cha et al., 2023, sec.
4). No network here.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lr_edit.errors import UserError


def check_stride(side: int, window: int, stride: int, patch: int) -> None:
    """UserError unless windows of `window` pixels, `stride` apart, end where `side` ends and lie on
    whole patches; 0 is one look at the whole picture."""
    if stride == 0:
        return
    if stride % patch or not 0 < stride <= window or side < window or (side - window) % stride:
        raise UserError(
            f"windows of {window} pixels every {stride} do not fill {side}: give a stride up to "
            f"{window} that is a multiple of {patch} and divides {side} - {window}"
        )


def windows(pictures: Tensor, window: int, stride: int) -> Tensor:
    """[B, C, S, S] → [B * n², C, window, window], picture by picture and row by row, where n is the
    number of windows along a side."""
    cut = pictures.unfold(2, window, stride).unfold(3, window, stride)
    return cut.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)


def joined(maps: Tensor, count: int, stride: int) -> Tensor:
    """Maps [B * n², C, h, h] of the windows of `count` pictures, `stride` cells apart → [B, C, H,
    H]; cells that several windows saw get the mean."""
    number = round((len(maps) / count) ** 0.5)
    side = maps.shape[-1]
    whole = side + stride * (number - 1)
    columns = maps.unflatten(0, (count, -1)).flatten(2).transpose(1, 2)
    total = F.fold(columns, (whole, whole), side, stride=stride)
    seen = F.fold(torch.ones_like(columns[:1, : side * side]), (whole, whole), side, stride=stride)
    return total / seen
