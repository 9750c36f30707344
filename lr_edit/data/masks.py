"""Masks in every form that sets of pictures hold them, drawn when asked for; see `outlines`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from lr_edit.data.outlines import counts_mask, polygons_mask, spans_mask, string_counts
from lr_edit.data.records import LazyPicture, Mask, Unusable

Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True, eq=False)
class Polygons(Mask):
    """What one of the polygons [x0, y0, x1, y1, …] covers; size: of the picture they are for, where
    that is known; name: what a person is told."""

    parts: Sequence[Sequence[float]]
    name: str
    size: Size | None = None

    def draw(self, size: Size) -> np.ndarray:
        check_size(self.size, size, self.name)
        try:
            return polygons_mask(self.parts, size)
        except (ValueError, TypeError) as error:
            raise Unusable("damaged mask", self.name) from error


@dataclass(frozen=True, eq=False)
class Runs(Mask):
    """COCO's run lengths, as numbers or compressed; size and name as of Polygons."""

    counts: Sequence[int] | str | bytes
    name: str
    size: Size

    def draw(self, size: Size) -> np.ndarray:
        check_size(self.size, size, self.name)
        try:
            packed = isinstance(self.counts, (str, bytes))
            counts = string_counts(self.counts) if packed else self.counts  # type: ignore[arg-type]
            return counts_mask(counts, size)  # type: ignore[arg-type]
        except (ValueError, TypeError, OverflowError) as error:
            raise Unusable("damaged mask", self.name) from error


@dataclass(frozen=True, eq=False)
class Spans(Mask):
    """[start, length, …] along the rows; size and name as of Polygons."""

    spans: Sequence[int]
    name: str
    size: Size

    def draw(self, size: Size) -> np.ndarray:
        check_size(self.size, size, self.name)
        try:
            return spans_mask(self.spans, size)
        except (ValueError, TypeError, OverflowError) as error:
            raise Unusable("damaged mask", self.name) from error


@dataclass(frozen=True, eq=False)
class Drawn(Mask):
    """A mask in a picture: white (of any mode, half or more) is inside.

    stretched: whether it may have fewer or more pixels than the picture it is for, of the same
    shape but for rounding. holes: whether it is what is transparent that is inside.
    """

    picture: LazyPicture
    name: str
    stretched: bool = False
    holes: bool = False

    def draw(self, size: Size) -> np.ndarray:
        image = self.picture.image()
        if image.size != size:
            if not (self.stretched and alike(image.size, size)):
                check_size(image.size, size, self.name)
            image = image.resize(size, Image.Resampling.NEAREST)
        if self.holes:
            return np.asarray(image.convert("RGBA"))[..., 3] < 128
        if image.mode.startswith("I;16"):
            return np.asarray(image) >= 2**15
        levels = np.asarray(image.convert("LA"))
        levels = np.where(levels[..., 1] >= 128, levels[..., 0], 0)
        if 0 < levels.max() < 26:  # as 0 and 1 of 255: nobody sees that in a picture
            raise Unusable("nearly black mask", self.name)
        return levels >= 128


@dataclass(frozen=True, eq=False)
class Union(Mask):
    """What at least one of several masks covers."""

    masks: Sequence[Mask]

    def draw(self, size: Size) -> np.ndarray:
        return np.logical_or.reduce([mask.draw(size) for mask in self.masks])


def check_size(expected: Size | None, size: Size, name: str) -> None:
    """Raises Unusable unless a mask for pictures of the first size is asked for one of it."""
    if expected is not None and tuple(expected) != tuple(size):
        shown = f"{expected[0]}x{expected[1]} for {size[0]}x{size[1]} pixels"
        raise Unusable("mask of another size", f"{name} ({shown})")


def alike(first: Size, second: Size) -> bool:
    """Whether two sizes have the same shape, but for what rounding does."""
    return abs(first[0] * second[1] - second[0] * first[1]) <= max(*first, *second)


def coco_mask(segmentation: Any, name: str, size: Size | None = None) -> Mask:
    """The mask of a COCO "segmentation": polygons, or {"counts", "size"} of either kind.

    size: of its picture, where that is known. Raises Unusable for anything else.
    """
    if isinstance(segmentation, Mapping):
        height_width = segmentation.get("size")
        counts = segmentation.get("counts")
        if isinstance(height_width, Sequence) and len(height_width) == 2 and counts is not None:
            height, width = height_width
            return Runs(counts, name, (int(width), int(height)))
    elif isinstance(segmentation, Sequence) and not isinstance(segmentation, (str, bytes)):
        if len(segmentation) and all(isinstance(v, (int, float)) for v in segmentation):
            segmentation = [segmentation]
        return Polygons(segmentation, name, size)
    raise Unusable("damaged mask", name)
