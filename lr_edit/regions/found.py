"""Whether a proposer finds a phrase where it was painted; it knows nothing of editing."""

import torch
from torch import Tensor

from lr_edit.crop import mask_box, square_crop
from lr_edit.errors import UserError
from lr_edit.regions.region import Region, RegionProposer

CONTEXT, LEAST = 1.0, 256
"""How much around a place is looked at: as a share of its longer side, and pixels a side."""


@torch.no_grad()
def found_score(finder: RegionProposer, images: Tensor, place: Tensor, phrase: str) -> Tensor:
    """How surely `phrase` is found [N] in [0, 1] within place [1, 1, H, W], 0 or 1, of each image
    [N, 3, H, W]; see `overlap`.

    A network that did not guide is hard to fool: it has to see the thing as one. A phrase that the
    finder cannot read says nothing: 0 for all. Raises UserError for an empty place.
    """
    size = (images.shape[-1], images.shape[-2])
    square = square_crop(mask_box(place), size, CONTEXT, LEAST)
    x0, y0, x1, y1 = (max(0, edge) for edge in square)  # what lies beyond is no part of the picture
    near = place[..., y0:y1, x0:x1]
    try:
        # One region at a time: its masks are as large as what is looked at.
        scores = [
            overlap(finder.propose(image[None, :, y0:y1, x0:x1], phrase), near) for image in images
        ]
    except UserError:
        return near.new_zeros(len(images))
    return torch.stack(scores)


def overlap(region: Region, place: Tensor) -> Tensor:
    """The largest score of an alternative times the share of it that lies within place [1, 1, H,
    W]: 0-dimensional, 0 where there is none."""
    best = place.new_zeros(())
    for one in region.alternatives:
        share = (one.mask * place).sum() / one.mask.sum().clamp_min(1e-6)
        best = torch.maximum(best, one.score * share)
    return best
