"""Pieces of a mask that do not belong to it; it knows no network and no phrase."""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

GONE = -20.0
"""The logit of what was taken out of a mask."""

_EVERY_SIDE = np.ones((3, 3))
_RIM = 5  # a piece goes with the pixels around it, which are near a half


def without_specks(mask: Tensor) -> Tensor:
    """A mask [H, W] in [0, 1] without the connected pieces (above 0) that nowhere reach .5; as it
    is where it reaches .5 nowhere at all.

    A faint speck far away is nothing to see, but a window around all that is not 0 would hold it.
    """
    values = mask.detach().cpu().numpy()
    if not (values >= 0.5).any():
        return mask
    numbers, _ = ndimage.label(values > 0, structure=_EVERY_SIDE)
    kept = np.unique(numbers[values >= 0.5])
    return mask * torch.from_numpy(np.isin(numbers, kept)).to(mask)


def without_strays(logits: Tensor, least: float = 0.1, sure: float = 0.8) -> Tensor:
    """Mask logits [S, S] without the connected pieces (above 0) that are small or unsure.

    A piece stays when its area is at least the share `least`, and its mean probability the share
    `sure`, of the largest and surest one's. Where one goes, the logit is GONE.
    """
    share = logits.detach().float().sigmoid().cpu().numpy()
    numbers, count = ndimage.label(share > 0.5, structure=_EVERY_SIDE)
    if count < 2:
        return logits
    area = np.bincount(numbers.ravel(), minlength=count + 1)[1:]
    mean = np.bincount(numbers.ravel(), share.ravel(), minlength=count + 1)[1:] / area
    main = int((area * mean).argmax())
    stays = (area >= least * area[main]) & (mean >= sure * mean[main])
    kept = np.concatenate(([False], stays))[numbers]
    gone = np.concatenate(([False], ~stays))[numbers]
    gone = ndimage.maximum_filter(gone, _RIM) & ~kept
    return logits.masked_fill(torch.from_numpy(gone).to(logits.device), GONE)
