"""Masks at a picture's own size with its own edges; it knows no network."""

import torch
import torch.nn.functional as F
from torch import Tensor

STEEPER = 3.0  # local means and sigmoids leave an edge soft; this gives it contrast


def sharpen(logits: Tensor, image: Tensor, radius: int = 4, epsilon: float = 0.02) -> Tensor:
    """Mask logits [P, K, h, w] of image [1, 3, H, W] → masks [P, K, H, W] in [0, 1].

    Interpolated where the picture is larger, then steered by its brightness: the guided filter (He
    et al., 2013, sec. 3) of that radius in pixels of the mask, so that an edge of the mask comes to
    lie on an edge of the picture. At the mask's own size they are left where the network drew them.
    Every edge is made `crisp`.
    """
    size = (image.shape[-2], image.shape[-1])
    if size == tuple(logits.shape[-2:]):
        return crisp(logits.sigmoid())
    masks = F.interpolate(logits, size, mode="bilinear", align_corners=False).sigmoid()
    factor = max(size) / max(logits.shape[-2:])
    if factor <= 1:
        return crisp(masks)
    guide = (image.mean(1, keepdim=True) + 1) / 2
    steered = guided_filter(guide, masks, max(1, round(radius * factor / 2)), epsilon**2)
    return crisp(steered)


def crisp(masks: Tensor) -> Tensor:
    """Masks [P, K, H, W] in [0, 1] with steeper edges: 0 is 0 then, and no faint share of the whole
    picture, all of which an editor would take for the region.

    One that nowhere reaches .5 is scaled to its peak first, so that it still says what comes
    nearest.
    """
    peak = masks.amax((2, 3), keepdim=True)
    masks = torch.where(peak < 0.5, masks / peak.clamp_min(1e-12), masks)
    return ((masks - 0.5) * STEEPER + 0.5).clamp(0, 1)


def guided_filter(guide: Tensor, masks: Tensor, radius: int, epsilon: float) -> Tensor:
    """masks [P, K, H, W] as linear functions of guide [1, 1, H, W] nearby (He et al., eq. 4–8)."""
    mean_guide, mean = box_mean(guide, radius), box_mean(masks, radius)
    variance = box_mean(guide * guide, radius) - mean_guide**2
    slope = (box_mean(guide * masks, radius) - mean_guide * mean) / (variance + epsilon)
    offset = mean - slope * mean_guide
    return (box_mean(slope, radius) * guide + box_mean(offset, radius)).clamp(0, 1)


def box_mean(values: Tensor, radius: int) -> Tensor:
    """The mean [P, K, H, W] over a square of that reach; at the border over what is inside."""
    return F.avg_pool2d(values, 2 * radius + 1, 1, radius, count_include_pad=False)
