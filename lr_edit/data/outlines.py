"""Polygons and run lengths => masks, as pure functions on arrays; they know no files.

COCO's formats (Lin et al., 2014; the mask format of its API): a thing is a list of polygons
[x0, y0, x1, y1, …] in pixels, pixel (0, 0) spanning from 0 to 1; or run lengths down the columns,
alternately of 0s and 1s, as numbers or as a string of six-bit characters.
"""

from collections.abc import Sequence

import numpy as np


def polygon_mask(points: Sequence[float] | np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """bool [H, W]: the pixels whose centre a polygon [x0, y0, x1, y1, …] encloses, by even and odd.

    size: width and height. A point on an edge is inside where the edge is a left one. Raises
    ValueError for fewer than three points, or numbers that are not finite.
    """
    width, height = size
    corners = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    if len(corners) < 3 or not np.isfinite(corners).all():
        raise ValueError("a polygon has three points or more, all finite")
    x0, y0 = corners.T[:, :, None]
    x1, y1 = np.roll(corners, -1, 0).T[:, :, None]
    middles = np.arange(height)[None] + 0.5
    edge, row = np.nonzero((y0 <= middles) != (y1 <= middles))
    slope = (x1 - x0)[edge, 0] / (y1 - y0)[edge, 0]
    crossing = x0[edge, 0] + (middles[0, row] - y0[edge, 0]) * slope
    column = np.ceil(crossing - 0.5).clip(0, width).astype(np.int64)
    flips = np.zeros((height, width + 1), dtype=np.int32)
    np.add.at(flips, (row, column), 1)
    return flips[:, :width].cumsum(1) % 2 == 1


def polygons_mask(
    parts: Sequence[Sequence[float] | np.ndarray], size: tuple[int, int]
) -> np.ndarray:
    """bool [H, W]: what at least one of the polygons covers; ValueError as `polygon_mask`."""
    covered = np.zeros(size[::-1], dtype=bool)
    for part in parts:
        covered |= polygon_mask(part, size)
    return covered


def string_counts(text: str | bytes) -> np.ndarray:
    """COCO's compressed run lengths => int64 counts.

    Every character holds five bits, low ones first, and a sixth that says whether more follow; the
    last one's fifth bit is the sign. From the fourth count on, the differences to the count two
    before are stored. Raises ValueError for other characters or a number cut short.
    """
    packed = text.encode() if isinstance(text, str) else text
    codes = np.frombuffer(packed, dtype=np.uint8).astype(np.int64) - 48
    if len(codes) == 0 or codes.min() < 0 or codes.max() > 63 or codes[-1] & 32:
        raise ValueError("no compressed run lengths")
    last = codes & 32 == 0
    number = np.concatenate(([0], last.cumsum()[:-1]))
    starts = np.concatenate(([0], np.nonzero(last)[0][:-1] + 1))
    place = np.arange(len(codes)) - starts[number]
    if place.max() > 9:
        raise ValueError("a run length is out of range")
    values = np.zeros(number[-1] + 1, dtype=np.int64)
    np.add.at(values, number, (codes & 31) << (5 * place))
    negative = codes[last] & 16 != 0
    values[negative] -= np.int64(1) << (5 * (place[last][negative] + 1))
    for first in (1, 2):
        values[first::2] = values[first::2].cumsum()
    return values


def counts_mask(counts: Sequence[int] | np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """bool [H, W] of run lengths down the columns, the first of 0s; size: width and height.

    Raises ValueError unless they are whole, not negative, and fill the picture exactly.
    """
    width, height = size
    runs = np.asarray(counts)
    whole = runs.ndim == 1 and (len(runs) == 0 or np.issubdtype(runs.dtype, np.integer))
    if not whole or (runs < 0).any() or runs.sum() != width * height:
        raise ValueError(f"the run lengths do not fill {width}x{height} pixels")
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T


def spans_mask(spans: Sequence[int] | np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """bool [H, W] of [start, length, start, length, …] along the rows; size: width and height.

    What reaches beyond the last pixel is cut. Raises ValueError for starts outside the picture,
    negative numbers, or an odd number of them.
    """
    width, height = size
    pairs = np.asarray(spans, dtype=np.int64)
    wrong = pairs.ndim != 1 or len(pairs) % 2 == 1 or (pairs < 0).any()
    if wrong or (pairs[::2] >= width * height).any():
        raise ValueError(f"the spans do not lie in {width}x{height} pixels")
    steps = np.zeros(width * height + 1, dtype=np.int64)
    np.add.at(steps, pairs[::2], 1)
    np.add.at(steps, np.minimum(pairs[::2] + pairs[1::2], width * height), -1)
    return (steps[:-1].cumsum() > 0).reshape(height, width)
