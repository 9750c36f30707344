"""What keeps the shape of a thing that only changes its colour: the fine lightness of the source.

It knows pictures alone: neither models nor sampling.
"""

from collections.abc import Callable
from math import ceil

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from lr_edit.images import luma

_LEAST = 1e-3  # of a mask's own blur, so that far outside nothing is divided by 0


def lightness_kept(source: Tensor, mask: Tensor, share: float) -> Callable[[Tensor], Tensor]:
    """A map of pictures [N, 3, S, S] to such with the fine lightness of source [1, 3, S, S] where
    mask [1, 1, S, S] in [0, 1] is: edges, shading and gloss stay, coarse lightness and colour may
    change.

    share: lightness is fine that varies within this share of the side. As ILVR (Choi et al., 2021,
    alg. 1) holds every estimate to the coarse part of a reference, so is it held to the fine part
    of one channel here.
    """
    wanted = fine_lightness(source, mask, share)

    def limit(pictures: Tensor) -> Tensor:
        return pictures + (wanted - fine_lightness(pictures, mask, share)) * mask

    return limit


def fine_lightness(pictures: Tensor, mask: Tensor, share: float) -> Tensor:
    """How much lighter [N, 1, S, S] every pixel is than its surroundings within the mask."""
    light = luma(pictures.float())
    return light - _around(light * mask, share) / _around(mask, share).clamp_min(_LEAST)


def _around(values: Tensor, share: float) -> Tensor:
    """Gaussian means, their deviation a share of the side; float32 even in autocast."""
    side = values.shape[-1]
    reach = min(ceil(3 * share * side), side - 1)
    with torch.autocast(values.device.type, enabled=False):
        return gaussian_blur(values.float(), [2 * reach + 1] * 2, [share * side] * 2)
