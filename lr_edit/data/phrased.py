"""Real pictures with phrases and their masks: the samples of the tabletop's `ReferringSamples`."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from lr_edit.data.foreign import named_in
from lr_edit.data.mixture import Mixture
from lr_edit.data.opened import rgb
from lr_edit.data.records import Nothing, Phrase, Record, Unusable
from lr_edit.data.samples import PictureSamples, colourless, fitting, placeless
from lr_edit.data.windows import around, box_of, cut_mask, cut_picture, whole


class PhraseSamples(PictureSamples):
    """Item k is one picture with P phrases and their masks, keys as of `ReferringSamples`.

    absent_share: how many phrases are other pictures' and fit nothing here, see `foreign`. Where a
    picture has fewer phrases than are wanted, some come twice. No colour is said of a gray picture
    and no place of a part of one: they stay whole and coloured where there is nothing else to say.
    """

    def __init__(
        self,
        mixture: Mixture,
        length: int,
        side: int = 256,
        phrases: int = 4,
        absent_share: float = 0.2,
        cropped: float = 0.5,
        gray_share: float = 0.1,
        jitter: float = 0.12,
        pool: int = 400,
    ) -> None:
        super().__init__(mixture, length, side, phrases, cropped, gray_share, jitter, pool)
        self.absent_share = absent_share

    def sample(self, record: Record, rng: random.Random) -> dict[str, Any]:
        own = [phrase for phrase in record.phrases if phrase.mask is not None]
        if not own:
            raise Unusable("no phrase with a mask", record.name)
        cut, own = fitting(own, rng.random() < self.cropped, placeless)
        gray, own = fitting(own, rng.random() < self.gray_share, colourless)
        asked = self.asked(record, own, rng)
        image = rgb(record.picture.image(), record.name)
        masks = [drawn(phrase, image.size, record.name) for phrase in asked]
        changes = [
            np.zeros_like(masks[0]) if p.change is None else p.change.draw(image.size)
            for p in asked
        ]
        covered = np.logical_or.reduce([*masks, *changes])
        window = around(rng, *image.size, box_of(covered)) if cut else whole(*image.size)
        return {
            "image": self.shown(cut_picture(image, window, self.side), rng, gray),
            "phrases": [phrase.text for phrase in asked],
            "edit": torch.tensor([phrase.reading == "edit" for phrase in asked]),
            "present": torch.tensor([not isinstance(p.mask, Nothing) for p in asked]),
            "object": torch.stack([cut_mask(mask, window, self.side) for mask in masks]),
            "change": torch.stack([cut_mask(mask, window, self.side) for mask in changes]),
            "change_known": torch.tensor([phrase.change is not None for phrase in asked]),
        }

    def asked(self, record: Record, own: Sequence[Phrase], rng: random.Random) -> list[Phrase]:
        """P phrases in random order: `own` of the picture and, for a share, other pictures'."""
        count = sum(rng.random() < self.absent_share for _ in range(self.phrases))
        named = named_in(record) if count else frozenset()
        absent = [self.foreign.absent(rng, named) for _ in range(min(count, self.phrases - 1))]
        chosen = [phrase for phrase in absent if phrase is not None]
        chosen += rng.sample(own, min(self.phrases - len(chosen), len(own)))
        chosen += [rng.choice(own) for _ in range(self.phrases - len(chosen))]
        return rng.sample(chosen, len(chosen))

    def blank(self) -> dict[str, Any]:
        count, side = self.phrases, self.side
        no, empty = torch.zeros(count, dtype=torch.bool), torch.zeros(count, side, side)
        return {
            "image": torch.zeros(3, side, side), "phrases": ["nothing"] * count, "edit": no,
            "present": no, "object": empty.bool(), "change": empty.bool(), "change_known": no,
        }  # fmt: skip


def drawn(phrase: Phrase, size: tuple[int, int], name: str) -> np.ndarray:
    """A phrase's mask bool [H, W]; raises Unusable where it is empty and should not be."""
    assert phrase.mask is not None
    mask = phrase.mask.draw(size)
    if not isinstance(phrase.mask, Nothing) and not mask.any():
        raise Unusable("empty mask", f"{name}, {phrase.text!r}")
    return mask
