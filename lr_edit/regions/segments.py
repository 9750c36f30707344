"""From a label map to segments: whole classes, or each connected piece of one; it knows no CLIP."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from lr_edit.backbones.base import Segmentation


@dataclass(frozen=True)
class Segment:
    """One m_i: mask bool [H, W] and the name of its class."""

    mask: Tensor
    name: str


def segments_of(
    segmentation: Segmentation, connected: bool = True, minimum: float = 0.001
) -> list[Segment]:
    """The segments of a label map of one picture, in the order of labels, then of reading.

    connected: every connected piece (by edges or corners) is a segment, otherwise every class.
    minimum: segments under this share of the picture's area are dropped.
    """
    labels = segmentation.labels[0].cpu().numpy()
    least = max(1, round(minimum * labels.size))
    segments = []
    for label in np.unique(labels):
        whole = labels == label
        pieces = _pieces(whole) if connected else [whole]
        name = segmentation.names[int(label)]
        segments += [Segment(torch.from_numpy(p), name) for p in pieces if p.sum() >= least]
    return segments


def _pieces(mask: np.ndarray) -> list[np.ndarray]:
    numbered, count = ndimage.label(mask, structure=np.ones((3, 3)))
    return [numbered == k for k in range(1, count + 1)]
