"""Learning what every thing is: its cells are to tell before any word is read.

A phrase says little about most things of a picture; where their noun, colour, material and size are
known anyway, as on the tabletop, all of them teach what the words are about at once.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lr_edit.regions.network import Seen
from lr_edit.tabletop.traits import TRAITS
from lr_edit.training.objectives.base import Batch
from lr_edit.training.objectives.mask_terms import mean_where

MIDDLE = 2  # coordinates


class TraitHead(nn.Module):
    """What the cells [B, N, D] of a picture say of the things that they show: for each of TRAITS
    logits [B, N, V], of nouns one more, the first, for none; and the way to its middle."""

    def __init__(self, width: int) -> None:
        super().__init__()
        counts = [len(values) for values in TRAITS.values()]
        self.parts = [counts[0] + 1, *counts[1:], MIDDLE]
        self.read = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, sum(self.parts)))

    def forward(self, cells: Tensor) -> tuple[Tensor, ...]:
        """Each of TRAITS in order, then the middle [B, N, 2]."""
        return self.read(cells).float().split(self.parts, -1)


def shown_errors(head: TraitHead, seen: Seen, batch: Batch) -> tuple[Tensor, Tensor]:
    """What the cells of a picture get wrong of the things that they show, each taken at its own
    middle: the `trait_error`, and the mean error of the way to the thing's middle, in sides.

    A batch has "traits" [B, T, S, S] and "middle" [B, 2, S, S], as `lr_edit.tabletop.traits` has
    them.
    """
    *shown, way = head(seen.cells)
    stride = batch["image"].shape[-1] // round(seen.cells.shape[1] ** 0.5)
    cells = slice(stride // 2, None, stride)
    traits, middle = (batch[k][..., cells, cells].flatten(2) for k in ("traits", "middle"))
    error = (way.transpose(1, 2) - middle.float()).abs().sum(1)
    return trait_error(shown, traits.long()), mean_where(error, traits[:, 0] > 0)


def trait_error(shown: list[Tensor], traits: Tensor) -> Tensor:
    """The mean over traits of their cross-entropies; shown: logits [B, N, V] of each; traits: long
    [B, T, N]. Cells of value 0 are left out, but of nouns, where "none" is a value like the others:
    theirs is the mean over such cells and the mean over all others, since things fill few cells."""
    noun = F.cross_entropy(shown[0].transpose(1, 2), traits[:, 0], reduction="none")
    thing = traits[:, 0] > 0
    rest = [
        mean_where(
            F.cross_entropy(logits.transpose(1, 2), (value - 1).clamp_min(0), reduction="none"),
            value > 0,
        )
        for logits, value in zip(shown[1:], traits[:, 1:].unbind(1), strict=True)
    ]
    return torch.stack((mean_where(noun, thing) + mean_where(noun, ~thing), *rest)).mean()
