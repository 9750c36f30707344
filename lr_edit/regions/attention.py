"""Attention between a few tokens and a picture's cells; it knows neither words nor masks."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lr_edit.regions.detail import depthwise


class Attention(nn.Module):
    """Multi-head attention of queries [B, N, D] over keys [B, M, D] (Vaswani et al., 2017)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)

    def forward(self, queries: Tensor, keys: Tensor, known: Tensor | None = None) -> Tensor:
        """[B, N, D]; known: bool [B, M], False for keys that are not there."""
        q = self._split(self.query(queries))
        k, v = (self._split(part) for part in self.key_value(keys).chunk(2, -1))
        weights = attention_weights(q * q.shape[-1] ** -0.5, k, known).to(v.dtype)
        return self.out((weights @ v).transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def attention_weights(queries: Tensor, keys: Tensor, known: Tensor | None) -> Tensor:
    """The softmax [B, h, N, M] of the products of queries [B, h, N, D] with keys [B, h, M, D];
    known: bool [B, M].

    Written out: on a CPU a fifth of a training step faster than the fused call. A softmax along a
    short last axis takes ten times as long there as along one before it, so few keys come first.
    """
    few = keys.shape[-2] < queries.shape[-2]
    alike = keys @ queries.mT if few else queries @ keys.mT
    if known is not None:
        there = known[:, None, :, None] if few else known[:, None, None]
        alike = alike.masked_fill(~there, -1e4)
    return alike.softmax(-2).mT if few else alike.softmax(-1)


def feed_forward(width: int, ratio: int) -> nn.Sequential:
    """The two-layer perceptron of a transformer block."""
    return nn.Sequential(
        nn.Linear(width, ratio * width), nn.GELU(), nn.Linear(ratio * width, width)
    )


class Block(nn.Module):
    """A pre-norm transformer block over tokens [B, N, D]."""

    def __init__(self, width: int, heads: int, ratio: int = 2) -> None:
        super().__init__()
        self.norm_mix, self.norm_think = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix, self.think = Attention(width, heads), feed_forward(width, ratio)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm_mix(x)
        x = x + self.mix(y, y)
        return x + self.think(self.norm_think(x))


class Round(nn.Module):
    """One exchange between tokens and the cells of a picture, as SAM's two-way block (Kirillov et
    al., 2023, app. A): tokens read each other and the picture, the picture reads the tokens, and
    then its cells their neighbours, so that text is there before the spatial mixing is over.
    """

    def __init__(self, width: int, heads: int, ratio: int = 3) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(5))
        self.among, self.look, self.tell = (Attention(width, heads) for _ in range(3))
        self.think = feed_forward(width, ratio)
        self.neighbours = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.combine = nn.Linear(width, width)

    def forward(self, tokens: Tensor, cells: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """tokens [B, N, D], known bool [B, N]; cells [B, h·w, D] of a square grid."""
        among, look, think, tell, mix = self.norms
        x = among(tokens)
        tokens = tokens + self.among(x, x, known)
        tokens = tokens + self.look(look(tokens), cells)
        tokens = tokens + self.think(think(tokens))
        cells = cells + self.tell(tell(cells), tokens, known)
        grid = round(cells.shape[1] ** 0.5)
        spread = mix(cells).transpose(1, 2).unflatten(2, (grid, grid))
        spread = F.gelu(depthwise(self.neighbours, spread))
        return tokens, cells + self.combine(spread.flatten(2).transpose(1, 2))


def positions(grid: int, width: int) -> Tensor:
    """Sines and cosines [grid², width] of both coordinates of every cell, in reading order."""
    line = (torch.arange(grid) + 0.5) / grid * 2 - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    rates = torch.pi * 2.0 ** torch.linspace(-1, 3, width // 4)
    angles = [axis.flatten()[:, None] * rates for axis in (x, y)]
    return torch.cat([wave(a) for a in angles for wave in (torch.sin, torch.cos)], 1)
