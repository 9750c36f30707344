"""Masks at a picture's own size with its own edges; it knows no network."""

import torch
import torch.nn.functional as F
from torch import Tensor

STEEPER = 3.0  # local means and sigmoids leave an edge soft; this gives it contrast
LEAST_REACH = 4  # in pixels of the size at which a wide filter is computed


def sharpen(logits: Tensor, image: Tensor, radius: int = 4, epsilon: float = 0.02) -> Tensor:
    """Mask logits [P, K, h, w] of image [1, 3, H, W] → masks [P, K, H, W] in [0, 1].

    Interpolated where the picture is larger, then steered by its brightness: the guided filter (He
    et al., 2013, sec. 3) of that radius in pixels of the mask, so that an edge of the mask comes to
    lie on an edge of the picture. At the mask's own size they are left where the network drew them.
    Every edge is made `crisp`.
    """
    size = (image.shape[-2], image.shape[-1])
    factor = max(size) / max(logits.shape[-2:])
    if factor <= 1:
        return crisp(_resized(logits, size).sigmoid())
    guide = (image.mean(1, keepdim=True) + 1) / 2
    return crisp(steered(guide, logits, max(1, round(radius * factor / 2)), epsilon**2))


def steered(guide: Tensor, logits: Tensor, reach: int, epsilon: float) -> Tensor:
    """Mask logits [P, K, h, w] → masks [P, K, H, W], by guide [1, 1, H, W] within `reach` of its
    pixels.

    A wide filter is computed on a smaller guide, and only applied to all of it (He and Sun, "Fast
    guided filter", 2015): the cost grows with the picture, not with the reach as well.
    """
    size = (guide.shape[-2], guide.shape[-1])
    step = max(1, reach // LEAST_REACH)
    coarse = (-(-size[0] // step), -(-size[1] // step))
    small = guide if step == 1 else F.adaptive_avg_pool2d(guide, coarse)
    masks = _resized(logits, coarse).sigmoid()
    slope, offset = guided_filter(small, masks, max(1, round(reach / step)), epsilon)
    if step > 1:
        slope, offset = _resized(slope, size), _resized(offset, size)
    return (slope * guide + offset).clamp(0, 1)


def _resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)


def crisp(masks: Tensor) -> Tensor:
    """Masks [P, K, H, W] in [0, 1] with steeper edges: 0 is 0 then, and no faint share of the whole
    picture, all of which an editor would take for the region.

    One that nowhere reaches .5 is scaled to its peak first, so that it still says what comes
    nearest.
    """
    peak = masks.amax((2, 3), keepdim=True)
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
