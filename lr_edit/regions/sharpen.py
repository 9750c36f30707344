"""Masks at a picture's own size with its own edges; it knows no network."""

from collections.abc import Callable
from math import ceil

import torch
import torch.nn.functional as F
from torch import Tensor

STEEPER = 3.0  # local means and sigmoids leave an edge soft; this gives it contrast
LEAST_REACH = 4  # in pixels of the size at which a wide filter is computed
_GRAY = 0.5  # brightness of what is padded

Resize = Callable[[Tensor, tuple[int, int]], Tensor]


def sharpen(logits: Tensor, image: Tensor, radius: int = 4, epsilon: float = 0.02) -> Tensor:
    """Mask logits [P, K, s, s] of the `padded` square of image [1, 3, H, W] → masks [P, K, H, W] in
    [0, 1] of the image itself.

    Interpolated where the picture is larger, then steered by its brightness: the guided filter (He
    et al., 2013, sec. 3) of that radius in pixels of the mask, so that an edge of the mask comes to
    lie on an edge of the picture. At the mask's own size they are left where the network drew them.
    Every edge is made `crisp`.
    """
    size = (image.shape[-2], image.shape[-1])
    factor = max(size) / logits.shape[-1]
    if factor <= 1:
        return unpadded(crisp(_resized(logits, (max(size), max(size))).sigmoid()), size)
    guide = (image.mean(1, keepdim=True) + 1) / 2
    return steered(guide, logits, max(1, round(radius * factor / 2)), epsilon**2)


def steered(guide: Tensor, logits: Tensor, reach: int, epsilon: float) -> Tensor:
    """Mask logits [P, K, s, s] of a square → `crisp` masks [P, K, H, W] of the picture in its
    middle, by guide [1, 1, H, W] within `reach` of its pixels.

    A wide filter is computed on a smaller guide, and only applied to all of it (He and Sun, "Fast
    guided filter", 2015): the cost grows with the picture, not with the reach as well. It is
    applied to one mask after the other, and to what is padded not at all.
    """
    size = (guide.shape[-2], guide.shape[-1])
    step = max(1, reach // LEAST_REACH)
    coarse = -(-max(size) // step)
    small = squared(guide, coarse, F.adaptive_avg_pool2d, _GRAY)
    masks = _resized(logits, (coarse, coarse)).sigmoid()
    slope, offset = guided_filter(small, masks, max(1, round(reach / step)), epsilon)
    beside = _peak_beside(slope * small + offset, size)
    drawn = masks.new_empty(*masks.shape[:2], *size)
    for k in range(masks.shape[1]):
        own = slice(k, k + 1)
        applied = enlarged(slope[:, own], size) * guide + enlarged(offset[:, own], size)
        drawn[:, own] = crisp(applied.clamp(0, 1), beside[:, own])
    return drawn


def crisp(masks: Tensor, beside: Tensor | None = None) -> Tensor:
    """Masks [P, K, H, W] in [0, 1] with steeper edges: 0 is 0 then, and no faint share of the whole
    picture, all of which an editor would take for the region.

    One that nowhere reaches .5, nor beside the picture (its peak there, [P, K, 1, 1]), is scaled to
    its peak first, so that it still says what comes nearest.
    """
    peak = masks.amax((2, 3), keepdim=True)
    if beside is not None:
        peak = torch.maximum(peak, beside)
    masks = torch.where(peak < 0.5, masks / peak.clamp_min(1e-12), masks)
    return ((masks - 0.5) * STEEPER + 0.5).clamp(0, 1)


def guided_filter(
    guide: Tensor, masks: Tensor, radius: int, epsilon: float
) -> tuple[Tensor, Tensor]:
    """Slope and offset [P, K, h, w] by which masks [P, K, h, w] are linear functions of guide [1,
    1, h, w] nearby (He et al., 2013, eq. 4–8)."""
    mean_guide, mean = box_mean(guide, radius), box_mean(masks, radius)
    variance = box_mean(guide * guide, radius) - mean_guide**2
    slope = (box_mean(guide * masks, radius) - mean_guide * mean) / (variance + epsilon)
    offset = mean - slope * mean_guide
    return box_mean(slope, radius), box_mean(offset, radius)


def box_mean(values: Tensor, radius: int) -> Tensor:
    """The mean [P, K, H, W] over a square of that reach; at the border over what is inside."""
    return F.avg_pool2d(values, 2 * radius + 1, 1, radius, count_include_pad=False)


# A picture in the middle of its square


def padded(images: Tensor, value: float = 0.0) -> Tensor:
    """[B, C, H, W] in the middle of squares [B, C, S, S], S the longer side; `value` around, which
    is mid-gray."""
    side = max(images.shape[-2:])
    return _amid(images, (side, side), value)


def unpadded(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps [..., S, S] of a square => [..., H, W] of the picture that `padded` put into it."""
    side, (height, width) = maps.shape[-1], size
    top, left = _margin(side, height), _margin(side, width)
    return maps[..., top : top + height, left : left + width]


def squared(images: Tensor, side: int, resize: Resize, value: float = 0.0) -> Tensor:
    """The `padded` squares of images [B, C, H, W] at another side, [B, C, side, side], but a long
    picture's square itself is never made: rows go first, some at a time, then what they have become
    is padded. resize: goes by rows, then by columns."""
    height, width = images.shape[-2:]
    longest = max(height, width)
    if longest == side:
        return padded(images, value)
    if height != width:
        bands = (_amid(b, (b.shape[2], longest), value) for b in images.split(max(width, side), 2))
        rows = torch.cat([resize(band, (band.shape[2], side)) for band in bands], 2)
        images = _amid(rows, (longest, side), value)
    return resize(images, (side, side))


def enlarged(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps [P, K, c, c] of a square → [P, K, H, W] of the picture in its middle, interpolated: what
    `unpadded` leaves of the whole square at the picture's size, which is never made."""
    side, cells = max(size), maps.shape[-1]
    if side == cells:
        return unpadded(maps, size)
    for axis, length in zip((2, 3), size, strict=True):
        if length < side:
            first = _margin(side, length)
            lines = torch.arange(first, first + length, device=maps.device)
            places = ((lines + 0.5) * (cells / side) - 0.5).clamp(0, cells - 1)
            low = places.long()
            high = (low + 1).clamp_max(cells - 1)
            share = (places - low).view(-1, 1) if axis == 2 else places - low
            maps = torch.lerp(maps.index_select(axis, low), maps.index_select(axis, high), share)
    return _resized(maps, size)


def _peak_beside(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """The peaks [P, K, 1, 1] of maps [P, K, c, c] of a square, but for the picture of that size in
    its middle; 0 where that fills it."""
    side, cells = max(size), maps.shape[-1]
    starts = [_margin(side, length) for length in size]
    rows, columns = (
        slice(first * cells // side, ceil((first + length) * cells / side))
        for first, length in zip(starts, size, strict=True)
    )
    bars = maps.clone()
    bars[..., rows, columns] = 0
    return bars.amax((2, 3), keepdim=True)


def _amid(images: Tensor, size: tuple[int, int], value: float) -> Tensor:
    """[B, C, h, w] in the middle of [B, C, *size]."""
    height, width = images.shape[-2:]
    top, left = _margin(size[0], height), _margin(size[1], width)
    around = (left, size[1] - width - left, top, size[0] - height - top)
    return F.pad(images, around, value=value)


def _margin(side: int, length: int) -> int:
    """What stands before a line of `length` in the middle of `side`; the odd pixel comes first."""
    return (side - length + 1) // 2


def _resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)
