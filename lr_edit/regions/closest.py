"""What a picture shows instead, where nothing in it fits a phrase."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lr_edit.backbones.base import ImageTextEncoder, Segmenter

Namer = Callable[[Tensor, str], tuple[str, ...]]
"""What image [1, 3, H, W] shows, the likest to a phrase first."""

SURROUNDINGS = frozenset({"surface", "backdrop", "background"})
"""Classes that stand for all the rest of a picture. ADE's wall, floor or sky are none of them: a
person may well name those."""


def closest_things(
    segmenter: Segmenter, clip: ImageTextEncoder, count: int = 3, minimum: float = 0.003
) -> Namer:
    """Names the segmenter's classes by how near their words are to the phrase, for CLIP.

    count: how many at most. minimum: classes under this share of the picture are left out, as are
    `SURROUNDINGS`; where nothing else is seen, there are none.
    """

    @torch.no_grad()
    def name(image: Tensor, phrase: str) -> tuple[str, ...]:
        segmentation = segmenter.segment(image)
        labels, areas = np.unique(segmentation.labels.cpu().numpy(), return_counts=True)
        seen = [
            segmentation.names[int(label)]
            for label, area in zip(labels, areas, strict=True)
            if area >= minimum * areas.sum() and segmentation.names[int(label)] not in SURROUNDINGS
        ]
        words = clip.encode_text([phrase, *seen]).float().cpu()
        order = (words[1:] @ words[0]).argsort(descending=True, stable=True).tolist()
        return tuple(seen[k] for k in order[:count])

    return name
