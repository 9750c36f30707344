"""What the judge sees of an edit, and its verdict in words; it knows nothing of editing."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lr_edit.backbones.judge import Judge
from lr_edit.crop import crop, mask_box, square_crop
from lr_edit.masks import grow_mask
from lr_edit.tabletop.scene import Thing

CONTEXT = 0.15
"""Surroundings on each side, as a share of the region's longer side: as the judge was trained."""

LEAST_SIDE = 44
"""Of the square shown, in pixels of the picture: as the judge was trained."""

ROOM = 3
"""By how many pixels of the picture a place is widened before it is judged: as in training."""

_BATCH = 64


@dataclass(frozen=True)
class Verdict:
    """What stands in a region: noun (perhaps "nothing recognisable") and colour.

    Beside them the probabilities in [0, 1] of those two, and of every noun, in the judge's order.
    """

    noun: str
    colour: str
    noun_probability: float
    colour_probability: float
    nouns: tuple[float, ...] = ()

    def names(self, thing: Thing) -> bool:
        """Whether the noun is the thing's."""
        return self.noun == thing.noun

    def describes(self, thing: Thing) -> bool:
        """Whether noun and colour are the thing's."""
        return self.names(thing) and self.colour == thing.colour


def judged_crop(image: Tensor, mask: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """The square around the region as the judge sees it.

    image [1, 3, H, W] in [-1, 1] and mask [1, 1, H, W] => [1, 3, side, side] and a hard mask
    [1, 1, side, side]. Raises UserError when the region is empty.
    """
    size = (image.shape[3], image.shape[2])
    box = square_crop(mask_box(mask), size, CONTEXT, min(LEAST_SIDE, *size))
    return crop(image, box, side), (crop(mask, box, side) > 0.4).float()


def judge_edits(judge: Judge, images: Sequence[Tensor], masks: Sequence[Tensor]) -> list[Verdict]:
    """A verdict for every pair of image [1, 3, H, W] and mask [1, 1, H, W], judged in batches."""
    shown = [judged_crop(*pair, judge.size) for pair in zip(images, masks, strict=True)]
    verdicts: list[Verdict] = []
    for first in range(0, len(shown), _BATCH):
        crops, regions = zip(*shown[first : first + _BATCH], strict=True)
        nouns, colours = judge.judge(torch.cat(crops), torch.cat(regions))
        pairs = zip(nouns.softmax(1).cpu(), colours.softmax(1).cpu(), strict=True)
        verdicts += [_verdict(judge, *pair) for pair in pairs]
    return verdicts


def judge_places(judge: Judge, images: Sequence[Tensor], places: Sequence[Tensor]) -> list[Verdict]:
    """As `judge_edits`, of places [1, 1, H, W] that are exact: they are widened by ROOM first."""
    return judge_edits(judge, images, [grow_mask(place, ROOM) for place in places])


def judge_edit(judge: Judge, image: Tensor, mask: Tensor) -> Verdict:
    """The verdict on the region [1, 1, H, W] of one image [1, 3, H, W]."""
    return judge_edits(judge, [image], [mask])[0]


def _verdict(judge: Judge, nouns: Tensor, colours: Tensor) -> Verdict:
    noun, colour = int(nouns.argmax()), int(colours.argmax())
    return Verdict(
        judge.nouns[noun],
        judge.colours[colour],
        float(nouns[noun]),
        float(colours[colour]),
        tuple(nouns.tolist()),
    )
