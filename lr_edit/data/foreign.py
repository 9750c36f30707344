"""Phrases of other pictures that do not fit a picture; it sees words alone, never a pixel.

That a phrase fits nothing is known of few pictures. What is taken for it: no thing that it speaks
of is named by any phrase of the picture, nor by what else the picture is known to hold.
"""

import random
from collections.abc import Iterable, Sequence

from lr_edit.data.nouns import things
from lr_edit.data.records import NOTHING, Phrase, PhraseSource, Record, Unusable

_TRIES = 30


def named_in(record: Record) -> frozenset[str]:
    """The things that a picture is known to hold."""
    texts = [*record.holds, *(phrase.text for phrase in record.phrases)]
    return frozenset().union(*map(things, texts))


def pool_of(source: PhraseSource, count: int) -> tuple[Phrase, ...]:
    """The phrases of at most `count` records spread over a source, or of a tenth as many of its
    first where it is a stream; broken ones are left out."""
    total = len(source)
    many = min(-(-count // 10) if source.streamed else count, total)
    numbers: Iterable[int] = range(many)
    if not source.streamed:
        numbers = (k * total // many for k in range(many))
    found: list[Phrase] = []
    for number in numbers:
        try:
            found += source.record(number).phrases
        except Unusable:  # counted when it is its turn
            continue
    return tuple(found)


class Foreign:
    """A pool of phrases to draw from; phrases that speak of no thing are not in it."""

    def __init__(self, phrases: Sequence[Phrase]) -> None:
        spoken = ((phrase, things(phrase.text)) for phrase in phrases)
        self.pool = [(phrase, words) for phrase, words in spoken if words]

    def absent(self, rng: random.Random, named: frozenset[str]) -> Phrase | None:
        """A phrase of none of the things named, as one that fits nothing; None where none is
        found soon."""
        for _ in range(_TRIES if self.pool else 0):
            phrase, words = rng.choice(self.pool)
            if not words & named:
                return Phrase(phrase.text, NOTHING, phrase.reading)
        return None

    def any(self, rng: random.Random) -> str:
        """The text of any phrase; "something else" where there are none."""
        return rng.choice(self.pool)[0].text if self.pool else "something else"
