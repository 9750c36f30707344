"""What had one colour has one colour again: colours evened over pixels that were alike before.

It knows pictures alone: neither models nor sampling.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from lr_edit.editors.lightness import bell, nearness
from lr_edit.images import LUMA, luma, to_unit

_FAR = 0.3  # deviation of the distance between two pixels, as a share of the side
_DARK = 0.1  # added to lightness in [0, 1]: the darker, the less its colour tells
_DEPTH = 4  # power of how deep within the thing a voter lies
_VOTERS = 1024


def colours_evened(
    source: Tensor, thing: Tensor, alike: float, share: float
) -> Callable[[Tensor], Tensor]:
    """A map of pictures [N, 3, S, S] to such in which pixels of a thing [1, 1, S, S] in [0, 1] that
    had like colours in source [1, 3, S, S] have like colours again; their lightness stays.

    A colour here is what is left without the light on it: channels over lightness. Each pixel gets
    the mean of those that were as it was, by a Gaussian of the distance of colours, of deviation
    `alike`, and of places: a joint bilateral filter (Petschnigg et al., 2004, sec. 3; Eisemann and
    Durand, 2004). Pixels deep within the thing count most, share (of the side) telling how deep:
    a model that draws the thing a little smaller than it is leaves its ends as they were.
    """
    size, places = source.shape[-1], (thing[0, 0] > 0.5).nonzero()
    voters = torch.arange(0, len(places), max(1, len(places) // _VOTERS), device=places.device)
    before = tinted(source.float(), places)[0][0].T
    spots = places / size
    weights = bell(torch.cdist(before, before[voters]) / alike)
    weights *= bell(torch.cdist(spots, spots[voters]) / _FAR)
    weights *= depth(thing, share)[places[voters, 0], places[voters, 1]] ** _DEPTH
    total = 1 + weights.sum(1)  # each pixel has one vote on itself, decisive where none is alike
    rows, columns = places.T
    amount = thing[0, :, rows, columns]

    def limit(pictures: Tensor) -> Tensor:
        given = pictures.float()
        tints, light = tinted(given, places)
        with torch.autocast(given.device.type, enabled=False):
            even = (tints + tints[..., voters] @ weights.T) / total
        change = 2 * (even - tints) * light
        weight = torch.tensor(LUMA, device=change.device).view(1, 3, 1)
        change = change - (weight * change).sum(1, keepdim=True)
        result = given.clone()
        result[:, :, rows, columns] += amount * change
        return result

    return limit


def tinted(pictures: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Of pictures [N, 3, S, S] in [-1, 1] at n places [n, 2] (row, column): the colours without
    the light [N, 3, n], and the light [N, 1, n], their product being the picture in [0, 1]."""
    shown = to_unit(pictures).clamp_min(0)
    rows, columns = places.T
    light = luma(shown)[:, :, rows, columns] + _DARK
    return shown[:, :, rows, columns] / light, light


def depth(thing: Tensor, share: float) -> Tensor:
    """How much of a thing [1, 1, S, S] lies around every pixel, [S, S]; 1 where it is most."""
    near = nearness(thing.shape[-1], share, thing.device)
    around = near @ thing[0, 0].float() @ near
    return around / around.amax().clamp_min(1e-6)
