"""Boxes, and the way from a picture of any size to a model's square and back.

A box is (x0, y0, x1, y1) in whole pixels, half open. Nothing here knows of models.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import ceil

import torch
import torch.nn.functional as F
from torch import Tensor

from lr_edit.errors import UserError

Box = tuple[int, int, int, int]

_RIDGE = 0.03  # of the least squares: noise near the finest detail is not blown up


def mask_box(mask: Tensor) -> Box:
    """The smallest box around everything that a mask [1, 1, H, W] selects, however weakly.

    Raises UserError when it selects nothing.
    """
    selected = mask[0, 0] > 0
    rows, columns = selected.any(1).nonzero(), selected.any(0).nonzero()
    if len(rows) == 0:
        raise UserError(
            "the region is empty: name something that is in the picture, or give a mask"
        )
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def square_crop(box: Box, size: tuple[int, int], context: float, minimum: int) -> Box:
    """A square that holds `box`, to be cut from a picture of `size` (width, height).

    context: how much to keep on each side, as a fraction of the box's longer side; it stops where
    the square would outgrow the picture, for there is nothing to see. minimum: the least side in
    pixels. The square is centred on the box, then moved into the picture; where it is larger than
    the picture, it covers the picture's whole width or height and goes beyond (`crop` repeats the
    border there).
    """
    x0, y0, x1, y1 = box
    longest = max(x1 - x0, y1 - y0)
    wanted = min(ceil(longest * (1 + 2 * context)), min(size))
    side = max(wanted, longest, minimum)
    left = _start(x0, x1, side, size[0])
    top = _start(y0, y1, side, size[1])
    return left, top, left + side, top + side


def crop(image: Tensor, box: Box, side: int) -> Tensor:
    """What a square box shows of [B, C, H, W], as [B, C, side, side]; differentiable.

    Outside the picture its border is repeated. Resized with an antialiased bicubic filter that
    never leaves the range of the input; exact when the box has that side already.
    """
    x0, y0, x1, y1 = _square(box)
    rows = torch.arange(y0, y1, device=image.device).clamp(0, image.shape[2] - 1)
    columns = torch.arange(x0, x1, device=image.device).clamp(0, image.shape[3] - 1)
    return _resize(image[:, :, rows][:, :, :, columns], side)


def paste(image: Tensor, patch: Tensor, box: Box) -> Tensor:
    """A copy of image [B or 1, C, H, W] in which `box` shows patch [B, C, S, S]; undoes `crop`.

    The patch is resized to the box; what lies outside the picture is dropped, and outside the box
    nothing changes. One image takes B patches. What `crop` had enlarged comes back as sharp as it
    was: reduced by least squares (Unser, Aldroubi and Eden, 1995), within the patch's range.
    """
    side = _square(box)[2] - box[0]
    smaller = patch.shape[-1] > side
    return _placed(image, _reduced(patch, side) if smaller else _resize(patch, side), box)


def paste_mask(mask: Tensor, size: Sequence[int], box: Box) -> Tensor:
    """A mask [1, 1, S, S] in [0, 1] at its box in a picture of size (H, W): [1, 1, H, W], else 0.

    Resized smoothly: least squares would let it ring.
    """
    x0, _, x1, _ = _square(box)
    return _placed(mask.new_zeros(1, 1, *size), _resize(mask, x1 - x0), box).clamp(0, 1)


def _placed(image: Tensor, patch: Tensor, box: Box) -> Tensor:
    """A copy of the image with a patch of the box's own side in it."""
    x0, y0, x1, y1 = box
    height, width = image.shape[2:]
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    result = image.expand(len(patch), -1, -1, -1).clone()
    if left < right and top < bottom:
        shown = patch[:, :, top - y0 : bottom - y0, left - x0 : right - x0]
        result[:, :, top:bottom, left:right] = shown.to(result)
    return result


def _start(low: int, high: int, side: int, length: int) -> int:
    """Where a window of `side` around [low, high) begins, to lie in, or to cover, [0, length)."""
    first, last = sorted((0, length - side))
    return min(max((low + high - side) // 2, first), last)


def _square(box: Box) -> Box:
    x0, y0, x1, y1 = box
    if not x1 - x0 == y1 - y0 > 0:
        raise ValueError(f"box {box} is not square, and resizing it would change shapes")
    return box


def _resize(image: Tensor, side: int) -> Tensor:
    """A square image [B, C, S, S] at another side, within the range of each sample's values."""
    return image if image.shape[-1] == side else _within(bicubic(image, side), image)


def _reduced(image: Tensor, side: int) -> Tensor:
    """The picture of a smaller side whose enlargement is nearest to the image [B, C, S, S]."""
    line = _reduction(image.shape[-1], side).to(image)
    return _within(line @ image @ line.T, image)


@lru_cache(maxsize=64)
def _reduction(large: int, small: int) -> Tensor:
    """The matrix [small, large] that undoes the enlargement of a line from small to large."""
    line = torch.eye(small, dtype=torch.float64)[None, None]
    enlarged = F.interpolate(
        line, (large, small), mode="bicubic", antialias=True, align_corners=False
    )[0, 0]
    ridge = _RIDGE * torch.eye(small, dtype=torch.float64)
    return torch.linalg.solve(enlarged.T @ enlarged + ridge, enlarged.T).float()


def bicubic(image: Tensor, side: int) -> Tensor:
    """Images [B, C, H, W] at [B, C, side, side], antialiased; they may leave their range."""
    if image.shape[-2:] == (side, side):
        return image
    return F.interpolate(image, (side, side), mode="bicubic", antialias=True, align_corners=False)


def _within(resized: Tensor, image: Tensor) -> Tensor:
    """The resized picture, kept in the range of each sample's values in the image."""
    low, high = image.detach().amin((1, 2, 3), True), image.detach().amax((1, 2, 3), True)
    return resized.clamp(low, high)
