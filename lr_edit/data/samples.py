"""Samples of real pictures, each a function of its number; what is in one, subclasses say.

A picture of any size becomes a square without distortion. For a share of the training it is a
random square that holds the things asked for, so that things come in many sizes and large pictures
are seen in detail. For the rest, and always for validation (cropped: 0), it is the whole picture
with gray at two sides, since that is what an edit begins with, and what phrases that speak of a
place need. Nothing is flipped, for phrases speak of left and right.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from lr_edit.data.foreign import Foreign, pool_of
from lr_edit.data.mixture import Mixture
from lr_edit.data.nouns import speaks_of_colour, speaks_of_place
from lr_edit.data.records import Phrase, Record, Unusable
from lr_edit.errors import UserError
from lr_edit.photometry import as_shown

ATTEMPTS = 20
"""Broken records in a row after which a sample is given up."""


class PictureSamples(Dataset[dict[str, Any]], ABC):
    """Samples of a mixture of sources; what a sample holds, subclasses say.

    Beside it stand "tried", how many records were opened for it, and "skipped", those of them that
    could not be used: (reason, example, fault) each. The next record takes the place of one that is
    skipped. After ATTEMPTS the sample is `blank`, and "tried" equals len("skipped").

    mixture: where the records come from. length: how many samples. side: of the squares, in pixels.
    phrases: P. cropped: the share of pictures of which a part is shown. gray_share, jitter: as of
    ReferringSamples. pool: from how many records of each source phrases for other pictures come.
    """

    def __init__(
        self,
        mixture: Mixture,
        length: int,
        side: int = 256,
        phrases: int = 4,
        cropped: float = 0.5,
        gray_share: float = 0.1,
        jitter: float = 0.12,
        pool: int = 400,
    ) -> None:
        self.mixture, self.length, self.side, self.phrases = mixture, length, side, phrases
        self.cropped, self.gray_share, self.jitter = cropped, gray_share, jitter
        self.pool = pool
        self._foreign: Foreign | None = None

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        skipped: list[tuple[str, str, bool]] = []
        for attempt in range(ATTEMPTS):
            if attempt == 0:
                which, number = self.mixture.place(index)
            else:
                which, number = self.mixture.instead(index, attempt)
            rng = random.Random(f"pictures {index} {attempt}")
            try:
                sample = self.sample(self.mixture.sources[which].record(number), rng)
            except Unusable as broken:
                skipped.append((broken.reason, broken.example, broken.fault))
            else:
                return {**sample, "tried": attempt + 1, "skipped": skipped}
        return {**self.blank(), "tried": ATTEMPTS, "skipped": skipped}

    def pictures(self) -> int:
        """How many different pictures come up however many samples are taken, at most.

        Raises UserError where a picture is another one every time.
        """
        changing = [name for name in ("cropped", "jitter") if getattr(self, name) > 0]
        if changing:
            given = " and ".join(f"{name} is {getattr(self, name):g}" for name in changing)
            remedy = " ".join(f"--data.init_args.dataset.init_args.{n} 0" for n in changing)
            raise UserError(
                f"a picture is shown otherwise every time ({given}), so that keeping its features "
                f"is of no use: give {remedy}, or no feature cache"
            )
        versions = 2 if self.gray_share > 0 else 1
        return versions * sum(len(source) for source in self.mixture.sources)

    @abstractmethod
    def sample(self, record: Record, rng: random.Random) -> dict[str, Any]:
        """A sample of a record; raises Unusable."""

    @abstractmethod
    def blank(self) -> dict[str, Any]:
        """A sample of nothing."""

    @property
    def foreign(self) -> Foreign:
        """Phrases of other pictures; read when first needed."""
        if self._foreign is None:
            pools = (pool_of(source, self.pool) for source in self.mixture.sources)
            self._foreign = Foreign([phrase for pool in pools for phrase in pool])
        return self._foreign

    def shown(self, image: Tensor, rng: random.Random, gray: bool) -> Tensor:
        """float32 [3, S, S] as it is shown: jittered, gray if so wanted."""
        return as_shown(image, rng, self.jitter, gray)

    @staticmethod
    def collate(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """A batch: tensors stacked to [B, …]; lists flat, picture by picture; "tried" summed."""
        batch: dict[str, Any] = {}
        for name, value in items[0].items():
            values = [item[name] for item in items]
            if isinstance(value, Tensor):
                batch[name] = torch.stack(values)
            else:
                flat = not isinstance(value, int)
                batch[name] = list(chain.from_iterable(values)) if flat else sum(values)
        return batch


def fitting(
    phrases: list[Phrase], wanted: bool, fits: Callable[[Phrase], bool]
) -> tuple[bool, list[Phrase]]:
    """True and the phrases that fit, where that is wanted and there are any; else False and all."""
    kept = [phrase for phrase in phrases if fits(phrase)] if wanted else []
    return bool(kept), kept or phrases


def placeless(phrase: Phrase) -> bool:
    """Whether a phrase is true of a part of the picture as well."""
    return not speaks_of_place(phrase.text)


def colourless(phrase: Phrase) -> bool:
    """Whether a phrase is true of a gray picture as well."""
    return phrase.reading == "refer" and not speaks_of_colour(phrase.text)
