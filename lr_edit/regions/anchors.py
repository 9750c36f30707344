"""Anchor points and the boxes around them, as pure functions; shares of the picture, (x, y).

Learnable Regions, Lin et al., CVPR 2024, sec. 3.2.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import roi_align


def anchor_points(attention: Tensor, count: int, margin: float, apart: float = 0.0) -> Tensor:
    """The `count` centres [A, 2] of the cells of an attention map [h, w] that are attended to most.

    margin: no point comes nearer to the border, so that boxes of that half size fit. apart: how far
    two points are from each other at least, along one of the axes; 0 (as published) takes
    neighbours too. Where fewer cells are left, fewer points are.
    """
    rows, columns = attention.shape
    y = (torch.arange(rows, device=attention.device) + 0.5) / rows
    x = (torch.arange(columns, device=attention.device) + 0.5) / columns
    margin = min(margin, 0.5 - 0.5 / min(rows, columns))
    fits_y, fits_x = ((v >= margin) & (v <= 1 - margin) for v in (y, x))
    values = attention.masked_fill(~(fits_y[:, None] & fits_x[None]), -torch.inf)
    points: list[Tensor] = []
    while len(points) < count and bool(values.isfinite().any()):
        best = values.argmax()
        points.append(torch.stack((x[best % columns], y[best // columns])))
        away_x, away_y = ((v - c).abs() for v, c in zip((x, y), points[-1], strict=True))
        near = (away_y[:, None] < apart) & (away_x[None] < apart)
        values = values.masked_fill(near, -torch.inf)
        values.view(-1)[best] = -torch.inf
    return torch.stack(points)


def resampled(attention: Tensor, cells: int) -> Tensor:
    """An attention map [h, w] at [cells, cells]."""
    size = (cells, cells)
    return F.interpolate(attention[None, None], size, mode="bilinear", align_corners=False)[0, 0]


def boxes_around(points: Tensor, halves: Tensor) -> Tensor:
    """Square boxes [A, S, 4] (x0, y0, x1, y1) of every half size [S] around every point [A, 2]."""
    half = halves.to(points)[None, :, None]
    return torch.cat((points[:, None] - half, points[:, None] + half), -1).clamp(0, 1)


def box_masks(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Masks [..., H, W] of boxes [..., 4], 1 where a pixel's centre lies inside."""
    height, width = size
    y = ((torch.arange(height, device=boxes.device) + 0.5) / height)[:, None]
    x = ((torch.arange(width, device=boxes.device) + 0.5) / width)[None]
    x0, y0, x1, y1 = (v[..., None, None] for v in boxes.unbind(-1))
    return ((x >= x0) & (x < x1) & (y >= y0) & (y < y1)).float()


def pooled_boxes(features: Tensor, boxes: Tensor, cells: int) -> Tensor:
    """What features [1, C, h, w] hold in boxes [N, 4]: [N, C, cells, cells] (roi_align)."""
    height, width = features.shape[-2:]
    scale = boxes.new_tensor([width, height, width, height])
    return roi_align(features, [boxes * scale], cells, aligned=True)
