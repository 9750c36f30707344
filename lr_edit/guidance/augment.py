"""Random views of pictures as 3 x 3 matrices, and the one differentiable warp that applies them.

A matrix maps a view's normalised coordinates (x to the right, y down, [-1, 1] between outer
edges) to those of the picture, so crop, rotation and perspective compose into one resampling.
Nothing here knows what the views are for.
"""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.nn import functional

from lr_edit.guidance.options import AugmentOptions

_DRAWS = 7  # random numbers a copy: angle, shift x, shift y, tilt x, tilt y, and two coins


def homographies(options: AugmentOptions, generators: Sequence[Generator]) -> Tensor:
    """Random matrices [N, copies, 3, 3], candidate k's from generator k; the first is the identity.

    The matrices are on the generators' device, float32.
    """
    draws = torch.stack(
        [torch.rand(options.copies, _DRAWS, generator=g, device=g.device) for g in generators]
    )
    signed = 2 * draws[..., :5] - 1
    affine, tilt = (draws[..., 5:] < options.probability).float().unbind(-1)
    affine[:, 0] = 0
    tilt[:, 0] = 0
    angle = signed[..., 0] * math.radians(options.degrees) * affine
    shift = 2 * options.translate * signed[..., 1:3] * affine[..., None]
    bend = options.perspective * signed[..., 3:5] * tilt[..., None]

    turn = torch.zeros(*angle.shape, 3, 3, device=draws.device)
    turn[..., 0, 0] = turn[..., 1, 1] = angle.cos()
    turn[..., 0, 1] = -angle.sin()
    turn[..., 1, 0] = angle.sin()
    turn[..., :2, 2] = shift
    turn[..., 2, 2] = 1
    project = torch.eye(3, device=draws.device).repeat(*angle.shape, 1, 1)
    project[..., 2, :2] = bend
    return compose(turn, project)


def plain(count: int) -> Tensor:
    """Matrices [N, 1, 3, 3] of the plain view alone, as `homographies` gives them."""
    return torch.eye(3).expand(count, 1, 3, 3)


def compose(first: Tensor, second: Tensor) -> Tensor:
    """Matrix products [..., 3, 3], elementwise so that autocast cannot round them to bfloat16."""
    return (first[..., :, :, None] * second[..., None, :, :]).sum(dim=-2)


def square_window(mask: Tensor, context: float) -> Tensor:
    """Matrices [B, 3, 3] of the square views around masks [B, 1, H, W].

    The side is `context` times the longer side of the mask's bounding box (in pixels, so the view
    has no distortion); an empty mask gives the whole picture. A pixel counts from half the mask's
    own maximum, so soft masks work at any strength. It stays on the device: no synchronisation.
    """
    height, width = mask.shape[-2:]
    inside = mask[:, 0] > mask[:, 0].amax(dim=(1, 2), keepdim=True) / 2
    left, right = _extent(inside.any(dim=1))
    top, bottom = _extent(inside.any(dim=2))
    side = torch.maximum(right - left, bottom - top) * context
    window = torch.zeros(len(mask), 3, 3, device=mask.device)
    window[:, 0, 0] = side / width
    window[:, 1, 1] = side / height
    window[:, 0, 2] = (left + right) / width - 1
    window[:, 1, 2] = (top + bottom) / height - 1
    window[:, 2, 2] = 1
    whole = torch.eye(3, device=mask.device)
    return torch.where(inside.any(dim=2).any(dim=1)[:, None, None], window, whole)


def _extent(occupied: Tensor) -> tuple[Tensor, Tensor]:
    """First and one past the last true position, float [B] each, of a profile [B, L]."""
    length = occupied.shape[1]
    position = torch.arange(length, device=occupied.device, dtype=torch.float32)
    first = torch.where(occupied, position, float(length)).amin(dim=1)
    last = torch.where(occupied, position + 1, 0.0).amax(dim=1)
    return first, last


def warp(images: Tensor, matrices: Tensor, side: int) -> Tensor:
    """K views [B, K, C, side, side] of every image [B, C, H, W]; matrices [B, K, 3, 3].

    Bilinear, the border repeated outside; differentiable in the images. One call to grid_sample
    serves all views of all images, without copying an image for its views.
    """
    batch, copies = matrices.shape[:2]
    centre = (2 * torch.arange(side, device=images.device) + 1) / side - 1
    y, x = centre[:, None], centre[None, :]
    m = matrices.to(images.device)[..., None, None]
    px = m[:, :, 0, 0] * x + m[:, :, 0, 1] * y + m[:, :, 0, 2]
    py = m[:, :, 1, 0] * x + m[:, :, 1, 1] * y + m[:, :, 1, 2]
    pw = m[:, :, 2, 0] * x + m[:, :, 2, 1] * y + m[:, :, 2, 2]
    grid = torch.stack((px / pw, py / pw), dim=-1).reshape(batch, copies * side, side, 2)
    views = functional.grid_sample(
        images.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return views.reshape(batch, -1, copies, side, side).transpose(1, 2)
