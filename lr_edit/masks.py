"""Growing, softening and cutting masks; it knows nothing about pictures or how a mask was found.

Masks are float32 [B, 1, H, W] in [0, 1], 1 = edit. Nothing here is differentiable.
"""

from collections.abc import Callable
from math import isqrt

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from lr_edit.errors import UserError

_MOST = 100  # things painted one by one; every one takes a window and masks of the picture's size


def grow_mask(mask: Tensor, pixels: int) -> Tensor:
    """Dilation with a disc: every pixel takes the largest value within `pixels` of it.

    mask: [B, 1, H, W], hard or soft. The result is never smaller; 0 pixels leave it as it is.
    """
    if pixels < 0:
        raise ValueError(f"a mask cannot grow by {pixels} pixels: 0 or more is needed")
    return _each(mask, lambda plane: _dilate(plane, pixels))


def feather_mask(mask: Tensor, pixels: int) -> Tensor:
    """A soft edge inside the region: from the rim the values rise to the mask's own over `pixels`.

    mask: [B, 1, H, W]. The result is never larger and 0 exactly where the mask is; the border of
    the picture is no rim. In a region too thin for the ramp it is shortened, so that the middle
    keeps its value.
    """
    if pixels < 0:
        raise ValueError(f"an edge cannot be {pixels} pixels soft: 0 or more is needed")
    return _each(mask, lambda plane: _feather(plane, pixels))


def separated(mask: Tensor, least: float = 0.1) -> list[Tensor]:
    """The connected pieces of a mask [1, 1, H, W], as masks of that size, from left to right.

    least: pieces under this share of the largest one's area (above .5) belong to the nearest larger
    one, as does whatever lies at .5 or below. In one piece, or empty, it is returned as it is.
    Raises UserError for more than a hundred.
    """
    numbers, large = large_pieces(mask[0, 0].detach().cpu().numpy() > 0.5, least)
    if len(large) < 2:
        return [mask]
    if len(large) > _MOST:
        raise UserError(
            f"the region is in {len(large)} pieces, and {_MOST} at most are painted one by one: "
            "name fewer things, or give a mask without specks"
        )
    _, (rows, columns) = ndimage.distance_transform_edt(
        ~np.isin(numbers, large), return_indices=True
    )
    nearest = numbers[rows, columns]
    return [mask * torch.from_numpy(nearest == k).to(mask) for k in large]


def large_pieces(inside: np.ndarray, least: float) -> tuple[np.ndarray, list[int]]:
    """The connected pieces of a bool mask [H, W]: the number of each pixel's, 0 outside, and those
    numbers whose piece has the share `least` of the largest one's area, from left to right."""
    numbers, count = ndimage.label(inside, structure=np.ones((3, 3)))
    rows, columns = np.nonzero(inside)
    owners = numbers[rows, columns]
    sizes = np.bincount(owners, minlength=count + 1)[1:]
    middles = np.bincount(owners, columns, minlength=count + 1)[1:] / sizes
    large = np.flatnonzero(sizes >= least * sizes.max(initial=0))
    return numbers, (large[middles[large].argsort(kind="stable")] + 1).tolist()


def _dilate(plane: np.ndarray, pixels: int) -> np.ndarray:
    # A disc is a pile of rows, and a running maximum along a row costs the same for any width.
    grown = plane.copy()
    for dy in range(min(pixels, len(plane) - 1) + 1):
        width = 2 * isqrt(pixels**2 - dy**2) + 1
        row = ndimage.maximum_filter1d(plane, width, axis=1, mode="constant")
        below, above = grown[dy:], grown[: len(plane) - dy]
        np.maximum(below, row[: len(plane) - dy], out=below)
        np.maximum(above, row[dy:], out=above)
    return grown


def _feather(plane: np.ndarray, pixels: int) -> np.ndarray:
    inside = plane > 0
    if pixels == 0 or inside.all() or not inside.any():
        return plane
    depth = ndimage.distance_transform_edt(inside)  # 1 on the rim
    ramp = depth / min(pixels + 1.0, depth.max())
    return plane * ramp.clip(max=1)


def _each(mask: Tensor, change: Callable[[np.ndarray], np.ndarray]) -> Tensor:
    """`change` applied to every [H, W] plane of a mask."""
    planes = [change(plane) for plane in mask[:, 0].detach().cpu().float().numpy()]
    return torch.from_numpy(np.stack(planes)[:, None]).to(mask)
