"""What keeps the shape of a thing that only changes its colour: the fine lightness of the source.

It knows pictures alone: neither models nor sampling.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from lr_edit.images import luma

_LEAST = 1e-6  # of what a thing covers nearby, so that far from it nothing is divided by 0


def lightness_kept(source: Tensor, thing: Tensor, share: float) -> Callable[[Tensor], Tensor]:
    """A map of pictures [N, 3, S, S] to such with the lightness of source [1, 3, S, S], all but the
    coarse one of a thing [1, 1, S, S] in [0, 1]: that may change, as any colour may, while edges,
    shading and gloss stay, and so does the light around it.

    share: lightness is coarse that varies over more than this share of the side. As ILVR (Choi et
    al., 2021, alg. 1) holds every estimate to the coarse part of a reference, so is it held to the
    fine part of one channel here.
    """
    nearby = coarse_within(thing, share)
    light = luma(source.float())
    fine = light - nearby(light)

    def limit(pictures: Tensor) -> Tensor:
        found = luma(pictures.float())
        wanted = thing * (nearby(found) + fine) + (1 - thing) * light
        return pictures + (wanted - found)

    return limit


def bell(deviations: Tensor) -> Tensor:
    """The Gaussian of a distance in deviations, 1 at 0; any shape."""
    return (-0.5 * deviations**2).exp()


def nearness(size: int, share: float, device: torch.device) -> Tensor:
    """How near each two of `size` pixels in a line are, [size, size]: the Gaussian of a deviation
    that is a share of the line; N @ map @ N sums a map over what is near."""
    line = torch.arange(size, device=device, dtype=torch.float32)
    return bell((line[:, None] - line) / (share * size))


def coarse_within(thing: Tensor, share: float) -> Callable[[Tensor], Tensor]:
    """Means of maps [N, 1, S, S] around every pixel, over a thing [1, 1, S, S] alone: Gaussian, the
    deviation a share of the side. In float32 even where autocast is on."""
    weights = nearness(thing.shape[-1], share, thing.device)

    def total(maps: Tensor) -> Tensor:
        with torch.autocast(maps.device.type, enabled=False):
            return weights @ maps.float() @ weights

    covered = total(thing).clamp_min(_LEAST)
    return lambda maps: total(maps * thing) / covered
