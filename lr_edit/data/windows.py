"""Squares of pictures, without distortion: where they lie, and pictures and masks cut to them.

A square may reach beyond the picture: there a picture is mid-gray and a mask is empty. It knows no
records.
"""

import math
import random
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lr_edit.images import from_uint8

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, half open."""


@dataclass(frozen=True)
class Window:
    """A square of `side` pixels whose left upper corner is (x, y); parts may lie outside."""

    x: int
    y: int
    side: int


def whole(width: int, height: int) -> Window:
    """The smallest square around a whole picture, which stands in its middle."""
    side = max(width, height)
    return Window((width - side) // 2, (height - side) // 2, side)


def around(
    rng: random.Random, width: int, height: int, box: Box | None, least: float = 0.5
) -> Window:
    """A random square that holds `box`, where there is one.

    Its side is between `least` of the picture's shorter side (or the box's longer, if that is more)
    and the longer side, small and large ones equally often on a scale of ratios. It reaches beyond
    the picture only where it has to.
    """
    longest = max(width, height)
    shortest = max(1, round(least * min(width, height)))
    if box is not None:
        shortest = max(shortest, box[2] - box[0], box[3] - box[1])
    side = round(shortest * math.exp(rng.random() * math.log(longest / shortest)))
    x0, y0, x1, y1 = box or (0, 0, 0, 0)
    across = _start(rng, side, width, (x0, x1) if box else None)
    return Window(across, _start(rng, side, height, (y0, y1) if box else None), side)


def _start(rng: random.Random, side: int, length: int, held: tuple[int, int] | None) -> int:
    """Where a stretch of `side` begins on a line of `length`, so that it covers `held`."""
    low, high = sorted((0, length - side))
    if held is not None and side <= length:
        low, high = max(low, held[1] - side), min(high, held[0])
    return rng.randint(low, high)


def box_of(mask: np.ndarray) -> Box | None:
    """The smallest box around a mask bool [H, W]; None where it is empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(rows) == 0:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def cut_picture(image: Image.Image, window: Window, side: int) -> Tensor:
    """The window of an RGB picture: float32 [3, side, side] in [-1, 1], 0 outside the picture."""
    source, target = _shares(image.size, window, side)
    canvas = torch.zeros(3, side, side)
    if source is None or target is None:
        return canvas
    size = (target[2] - target[0], target[3] - target[1])
    part = image.crop(source).resize(size, Image.Resampling.BICUBIC)
    seen = from_uint8(torch.from_numpy(np.array(part))[None])[0]
    canvas[:, target[1] : target[3], target[0] : target[2]] = seen
    return canvas


def cut_mask(mask: np.ndarray, window: Window, side: int) -> Tensor:
    """The window of a mask bool [H, W] => bool [side, side], by the same geometry as the picture.

    A pixel is inside where half of it or more is. A thing too thin for that keeps the pixels that
    it covers most, so that what is not empty never becomes so.
    """
    source, target = _shares((mask.shape[1], mask.shape[0]), window, side)
    canvas = torch.zeros(side, side, dtype=torch.bool)
    if source is None or target is None:
        return canvas
    size = (target[2] - target[0], target[3] - target[1])
    part = mask[source[1] : source[3], source[0] : source[2]].astype(np.float32)
    covered = np.asarray(Image.fromarray(part).resize(size, Image.Resampling.BOX))
    most = float(covered.max())
    inside = covered >= min(0.5, 0.999 * most) if most > 0 else np.zeros_like(covered, dtype=bool)
    canvas[target[1] : target[3], target[0] : target[2]] = torch.from_numpy(inside)
    return canvas


def _shares(
    size: tuple[int, int], window: Window, side: int
) -> tuple[Box, Box] | tuple[None, None]:
    """Which box of a picture a window shows, and which box of the square it fills."""
    x0, x1 = max(0, window.x), min(size[0], window.x + window.side)
    y0, y1 = max(0, window.y), min(size[1], window.y + window.side)
    if x0 >= x1 or y0 >= y1:
        return None, None
    scale = side / window.side
    a0, b0 = round((x0 - window.x) * scale), round((y0 - window.y) * scale)
    a1 = max(a0 + 1, round((x1 - window.x) * scale))
    b1 = max(b0 + 1, round((y1 - window.y) * scale))
    a0, b0 = min(a0, side - 1), min(b0, side - 1)
    return (x0, y0, x1, y1), (a0, b0, min(a1, side), min(b1, side))
