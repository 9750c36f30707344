"""Coarse heat drawn to a picture's own borders, without any mask to learn from; no words here."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

REACHES = (1, 2, 4, 6, 12)
ROUNDS = 10
KEENNESS = 0.1


@torch.no_grad()
def refined(heat: Tensor, images: Tensor) -> Tensor:
    """Heat [B, P, h, w] of pictures [B, 3, h, w], of which each pixel takes on the mean of those
    around it that look like it, again and again.

    Pixel-adaptive mask refinement (Araslanov and Roth, 2020, sec. 4.1), as TCL (Cha et al., 2023)
    has it: of the eight neighbours at each of REACHES, weighed by a softmax of how little their
    colours differ, in units of KEENNESS times the spread of colours around.
    """
    around = neighbours(images, REACHES)
    spread = torch.cat((around, images[:, :, None]), 2).std(2, keepdim=True) + 1e-6
    unlike = (around - images[:, :, None]).abs() / (KEENNESS * spread)
    weight = (-unlike.mean(1)).softmax(1)[:, None]
    for _ in range(ROUNDS):
        heat = (weight * neighbours(heat, REACHES)).sum(2)
    return heat


def neighbours(maps: Tensor, reaches: Sequence[int]) -> Tensor:
    """The eight neighbours [B, C, 8·R, h, w] of every pixel of maps [B, C, h, w] at R reaches; the
    border goes on outside."""
    height, width = maps.shape[-2:]
    found = []
    for reach in reaches:
        wide = F.pad(maps, (reach,) * 4, mode="replicate")
        found += [
            wide[..., y : y + height, x : x + width]
            for y in (0, reach, 2 * reach)
            for x in (0, reach, 2 * reach)
            if (y, x) != (reach, reach)
        ]
    return torch.stack(found, 2)
