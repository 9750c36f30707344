"""Several sources as one, endless and in an order fixed by number alone; it opens no picture."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lr_edit.data.records import PhraseSource
from lr_edit.errors import UserError


@dataclass(frozen=True)
class Part:
    """A source of a mixture.

    Attributes:
        source: where the records come from.
        weight: how many of its records are taken in a round.
    """

    source: PhraseSource
    weight: int = 1


class Mixture:
    """Rounds of as many records of each part as its weight says, always in the same pattern.

    Every record of a part comes once before any comes twice: in a random order, another one every
    time; those of a stream in their own. Raises UserError without parts, for weights that are not
    positive, and for a source without records.
    """

    def __init__(self, parts: Sequence[Part], seed: int = 0) -> None:
        if not parts or any(part.weight < 1 for part in parts):
            weights = [part.weight for part in parts]
            raise UserError(f"the data have weights {weights}: give at least one, none under 1")
        for part in parts:
            if len(part.source) == 0:
                name = type(part.source).__name__
                raise UserError(f"a {name} among the data has no records: check its paths")
        self.sources, self.seed = [part.source for part in parts], seed
        self.pattern = pattern([part.weight for part in parts])
        self.weights = [part.weight for part in parts]
        counts = [0] * len(parts)
        self.ranks = []
        for which in self.pattern:
            self.ranks.append(counts[which])
            counts[which] += 1

    def place(self, k: int) -> tuple[int, int]:
        """Which source has sample k, and the number of its record."""
        turn, position = divmod(k, len(self.pattern))
        which = self.pattern[position]
        n = turn * self.weights[which] + self.ranks[position]
        epoch, number = divmod(n, len(self.sources[which]))
        if self.sources[which].streamed:
            return which, number
        return which, int(order(len(self.sources[which]), self.seed + which, epoch)[number])

    def instead(self, k: int, attempt: int) -> tuple[int, int]:
        """What is taken for sample k after `attempt` broken ones: the following record of a stream,
        a random one of any other source."""
        which, number = self.place(k)
        count = len(self.sources[which])
        if self.sources[which].streamed:
            return which, (number + attempt) % count
        return which, random.Random(f"instead {self.seed} {k} {attempt}").randrange(count)


def pattern(weights: Sequence[int]) -> list[int]:
    """Each number k as often as weights[k] says, spread evenly: 2, 1 => 0, 1, 0."""
    places = [((j + 0.5) / w, k) for k, w in enumerate(weights) for j in range(w)]
    return [k for _, k in sorted(places)]


@lru_cache(maxsize=16)
def order(count: int, seed: int, epoch: int) -> np.ndarray:
    """A random order of `count` numbers, a function of seed and epoch."""
    return np.random.default_rng((seed, epoch)).permutation(count)
