"""The way from pixels down to coarse cells, and up to pixels again with each stage's detail."""

from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def depthwise(convolution: nn.Conv2d, x: Tensor) -> Tensor:
    """A depthwise convolution in its weights' own precision whatever autocast says: on a CPU one in
    bfloat16 takes twice the time backwards."""
    with torch.autocast(x.device.type, enabled=False):
        return convolution(x.to(convolution.weight.dtype))


class Fine(nn.Module):
    """A residual block of a wide depthwise and two pointwise convolutions (ConvNeXt, Liu et al.,
    2022), [B, C, h, w] in and out."""

    def __init__(self, channels: int, ratio: int = 2) -> None:
        super().__init__()
        self.around = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.norm = nn.GroupNorm(1, channels)
        self.think = nn.Sequential(
            nn.Conv2d(channels, ratio * channels, 1), nn.GELU(),
            nn.Conv2d(ratio * channels, channels, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.think(self.norm(depthwise(self.around, x)))


class Stem(nn.Module):
    """Convolutions from pixels to cells of 8 pixels a side; every stage's output is kept.

    width: channels of the cells. fine: how many blocks look at cells of 4 pixels, where the shapes
    of small things still show.
    """

    WIDTHS: ClassVar = (16, 32, 64)
    STRIDE: ClassVar = 8

    def __init__(self, width: int, fine: int = 0) -> None:
        super().__init__()
        full, half, quarter = self.WIDTHS
        self.to_full = nn.Conv2d(3, full, 3, padding=1)
        self.to_half = nn.Conv2d(full, half, 3, stride=2, padding=1)
        self.to_quarter = nn.Sequential(
            nn.Conv2d(half, quarter, 3, stride=2, padding=1), nn.GELU(), nn.GroupNorm(8, quarter),
            nn.Conv2d(quarter, quarter, 3, padding=1), nn.GELU(), nn.GroupNorm(8, quarter),
        )  # fmt: skip
        self.fine = nn.Sequential(*(Fine(quarter) for _ in range(fine)))
        self.to_eighth = nn.Conv2d(quarter, width, 3, stride=2, padding=1)

    def forward(self, images: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """[B, 3, S, S] → cells [B, D, S/8, S/8] and the finer maps, the coarsest first."""
        full = F.gelu(self.to_full(images))
        half = F.gelu(self.to_half(full))
        quarter = self.fine(self.to_quarter(half))
        return self.to_eighth(quarter), (quarter, half, full)


class Climb(nn.Module):
    """Cells → an embedding of every pixel: doubled three times by sub-pixel convolution (Shi et
    al., 2016), each time joined with the detail."""

    OUT: ClassVar = 32

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = (width, *reversed(Stem.WIDTHS))
        self.finer = nn.ModuleList(nn.Conv2d(a, 4 * b, 1) for a, b in pairwise(widths))
        self.out = nn.Conv2d(Stem.WIDTHS[0], self.OUT, 3, padding=1)

    def forward(self, cells: Tensor, details: tuple[Tensor, ...]) -> Tensor:
        """[B, C, S, S] from cells [B, G², D] of a square grid and details [B, C_i, …], the coarsest
        first, each twice as fine as the one before."""
        grid = round(cells.shape[1] ** 0.5)
        x = cells.transpose(1, 2).unflatten(2, (grid, grid))
        for finer, detail in zip(self.finer, details, strict=True):
            x = F.relu(F.pixel_shuffle(finer(x), 2) + detail)
        return self.out(x)
