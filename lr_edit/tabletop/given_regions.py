"""Regions that an editor may be given to paint a thing into, drawn from the thing's own outline.

Masks are bool [S, S]. It knows no picture.
"""

import random

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d

from lr_edit.crop import Box


def mask_bounds(mask: np.ndarray) -> Box:
    """The tight half-open box (x0, y0, x1, y1) of a non-empty bool mask [H, W]."""
    ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1


def edit_region(footprint: Tensor, other: Tensor, rng: random.Random) -> Tensor:
    """A region bool [S, S] that an editor may be given to paint the thing into; it holds all of it.

    The grown footprint, its box or ellipse, or joined with the shape of `other`, the thing that may
    have stood there before: were the mask always the silhouette, it would tell the answer.
    """
    side = footprint.shape[-1]
    kind = rng.random()
    grown = dilate(footprint, rng.randint(1, 7))
    if kind < 0.3:
        return grown
    if kind < 0.65:
        shape = foreign_shape(other, grown_box(footprint, rng, 0.35, 0.35), side)
        return grown | dilate(shape, rng.randint(1, 6))
    box = grown_box(footprint, rng, 0.45, 0.45)
    return grown | (fill(box, side) if kind < 0.85 else ellipse(box, side))


def roomy_region(footprint: Tensor, rng: random.Random) -> Tensor:
    """A region bool [S, S] with far more room on one axis than the thing fills: a bottle has to fit
    where a book lay."""
    side, room = footprint.shape[-1], (1.5, 0.3)
    box = grown_box(footprint, rng, *(room if rng.random() < 0.5 else room[::-1]))
    shape = fill(box, side) if rng.random() < 0.5 else ellipse(box, side)
    return dilate(footprint, rng.randint(1, 7)) | shape


def held_region(footprint: Tensor, other: Tensor, taken: Tensor, rng: random.Random) -> Tensor:
    """A region bool [S, S] in the outline of another thing, at the least size at which it holds the
    footprint: a box has to fit where a ball lay, and not become one.

    other: the other thing's shape [S, S]. taken: bool [S, S], what else stands there; it is only
    painted over as far as the region is grown.
    """
    margin, scale = rng.randint(3, 6), 1.0
    aside, deeper = rng.uniform(-0.15, 0.15), rng.uniform(0, 0.3)
    x0, y0, x1, y1 = mask_bounds(other.numpy())
    longest = max(x1 - x0, y1 - y0) * as_large(other, footprint)
    while True:
        region = dilate(in_place(other, footprint, scale, aside, deeper) & ~taken, margin)
        if not (footprint & ~region).any() or longest * scale > 1.2 * footprint.shape[-1]:
            return region | dilate(footprint, 1)
        scale *= 1.1


def joined_region(footprint: Tensor, other: Tensor, taken: Tensor, rng: random.Random) -> Tensor:
    """A region bool [S, S] in the outlines of both things, the one before and the one to come, as a
    region network gives it that is told what to make room for. Arguments as of `held_region`."""
    scale, aside, deeper = rng.uniform(0.75, 1.35), rng.uniform(-0.1, 0.1), rng.uniform(0, 0.3)
    before = in_place(other, footprint, scale, aside, deeper) & ~taken
    return dilate(footprint | before, rng.randint(2, 5))


def as_large(other: Tensor, footprint: Tensor) -> float:
    """The scale at which another thing covers as much as a footprint."""
    return float(footprint.sum() / other.sum()) ** 0.5


def in_place(other: Tensor, footprint: Tensor, scale: float, aside: float, deeper: float) -> Tensor:
    """Where another thing of shape `other` [S, S] would stand in the place of a footprint [S, S]:
    bool [S, S], at `scale` times the size at which both cover the same area.

    aside: how far it stands to the right, by the footprint's width. deeper: how much of what it is
    taller by lies below the footprint.
    """
    x0, y0, x1, y1 = mask_bounds(footprint.numpy())
    a0, b0, a1, b1 = mask_bounds(other.numpy())
    shape, scale = other[b0:b1, a0:a1], scale * as_large(other, footprint)
    height, width = (max(1, round(length * scale)) for length in shape.shape)
    left = round((x0 + x1 - width) / 2 + aside * (x1 - x0))
    top = round(y1 - height + max(0, height - (y1 - y0)) * deeper)
    return pasted(shape, (left, top, left + width, top + height), footprint.shape[-1])


def dilate(mask: Tensor, pixels: int) -> Tensor:
    """A bool mask [H, W] grown by a square of the given reach."""
    if pixels <= 0:
        return mask
    grown = max_pool2d(mask[None, None].float(), 2 * pixels + 1, stride=1, padding=pixels)
    return grown[0, 0] > 0


def grown_box(mask: Tensor, rng: random.Random, across: float, along: float) -> Box:
    """The mask's box, its left and right moved outwards by up to `across` of its width, its top and
    bottom by up to `along` of its height."""
    side = mask.shape[-1]
    x0, y0, x1, y1 = mask_bounds(mask.numpy())
    w, h = x1 - x0, y1 - y0
    return (
        max(0, round(x0 - rng.uniform(0, across) * w)),
        max(0, round(y0 - rng.uniform(0, along) * h)),
        min(side, round(x1 + rng.uniform(0, across) * w)),
        min(side, round(y1 + rng.uniform(0, along) * h)),
    )


def fill(box: Box, side: int) -> Tensor:
    """The bool mask [side, side] of a box."""
    mask = torch.zeros(side, side, dtype=torch.bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return mask


def ellipse(box: Box, side: int) -> Tensor:
    """The bool mask [side, side] of the ellipse that fills a box."""
    x0, y0, x1, y1 = box
    line = torch.arange(side) + 0.5
    dx = (line - (x0 + x1) / 2) / max(1, (x1 - x0) / 2)
    dy = (line - (y0 + y1) / 2) / max(1, (y1 - y0) / 2)
    return dx[None] ** 2 + dy[:, None] ** 2 <= 1


def foreign_shape(other: Tensor, box: Box, side: int) -> Tensor:
    """Another thing's footprint [side, side] stretched to fill a box."""
    x0, y0, x1, y1 = mask_bounds(other.numpy())
    left, top, right, bottom = box
    box = (left, top, max(left + 1, right), max(top + 1, bottom))
    return pasted(other[y0:y1, x0:x1], box, side)


def pasted(shape: Tensor, box: Box, side: int) -> Tensor:
    """A bool shape [h, w] stretched to fill a box, which may reach out of the mask [side, side]."""
    left, top, right, bottom = box
    size = (bottom - top, right - left)
    part = interpolate(shape[None, None].float(), size=size, mode="bilinear")[0, 0] > 0.5
    mask = torch.zeros(side, side, dtype=torch.bool)
    x0, y0, x1, y1 = max(0, left), max(0, top), min(side, right), min(side, bottom)
    if x0 < x1 and y0 < y1:
        mask[y0:y1, x0:x1] = part[y0 - top : y1 - top, x0 - left : x1 - left]
    return mask
