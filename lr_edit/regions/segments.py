"""From a label map to segments: whole classes, or each connected piece of one; it knows no CLIP."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from lr_edit.backbones.base import Segmentation


@dataclass(frozen=True)
class Segment:
    """One m_i: its number in a map int32 [H, W] that all segments share, and the name of its class.

    With a mask for each, a photograph's segments would fill the memory.
    """

    numbers: Tensor
    number: int
    name: str

    @property
    def mask(self) -> Tensor:
        """bool [H, W], made whenever it is asked for."""
        return self.numbers == self.number


def segments_of(
    segmentation: Segmentation, connected: bool = True, minimum: float = 0.001
) -> list[Segment]:
    """The segments of a label map of one picture, in the order of labels, then of reading.

    connected: every connected piece (by edges or corners) is a segment, otherwise every class.
    minimum: segments under this share of the picture's area are dropped.
    """
    labels = segmentation.labels[0].cpu().numpy()
    least = max(1, round(minimum * labels.size))
    numbers, names = np.zeros(labels.shape, np.int32), list[str]()
    for label in np.unique(labels):
        pieces = _pieces(labels == label, connected)
        sizes = np.bincount(pieces.ravel())
        large = 1 + np.flatnonzero(sizes[1:] >= least)
        own = np.zeros(len(sizes), np.int32)  # the numbers of its pieces among all segments
        own[large] = len(names) + 1 + np.arange(len(large))
        numbers += own[pieces]
        names += [segmentation.names[int(label)]] * len(large)
    shared = torch.from_numpy(numbers)
    return [Segment(shared, number, name) for number, name in enumerate(names, 1)]


def _pieces(mask: np.ndarray, connected: bool) -> np.ndarray:
    """A mask bool [H, W] as int32 [H, W]: the number of each pixel's piece, 0 outside."""
    if not connected:
        return mask.astype(np.int32)
    return ndimage.label(mask, structure=np.ones((3, 3)))[0]
