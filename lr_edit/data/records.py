"""What every source of pictures hands out: a picture, what is said of it, and where that is.

Nothing is opened before it is asked for. It knows no source and no network.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from PIL import Image

from lr_edit.instruction import Reading


class Unusable(Exception):
    """A record that nothing can be learned from, for a reason that can be counted.

    reason: one of few, as "damaged picture". example: which it was, for a person. fault: False
    where it is in the nature of the set (a dead link), so that many of them are no mistake.
    """

    def __init__(self, reason: str, example: str, fault: bool = True) -> None:
        super().__init__(f"{reason}: {example}")
        self.reason, self.example, self.fault = reason, example, fault


class LazyPicture(ABC):
    """A picture that is opened when asked for."""

    @abstractmethod
    def image(self) -> Image.Image:
        """The picture, upright and fully read, in its own mode; raises Unusable."""


class Mask(ABC):
    """A region of a picture that is drawn when asked for."""

    @abstractmethod
    def draw(self, size: tuple[int, int]) -> np.ndarray:
        """bool [H, W] for a picture of that width and height; raises Unusable."""


class Nothing(Mask):
    """The region of a phrase that fits nothing in the picture."""

    def draw(self, size: tuple[int, int]) -> np.ndarray:
        return np.zeros(size[::-1], dtype=bool)


NOTHING = Nothing()


@dataclass(frozen=True, eq=False)
class Phrase:
    """What is said of a picture.

    Attributes:
        text: in words.
        mask: where it is; NOTHING where it fits nothing; None where that is not known.
        reading: what kind of phrase it is, see `Reading`.
        change: all that an edit of it changes; None where that is not known.
    """

    text: str
    mask: Mask | None = None
    reading: Reading = "refer"
    change: Mask | None = None


@dataclass(frozen=True, eq=False)
class Record:
    """A picture and its phrases.

    Attributes:
        name: which it is, for a person: a path, or a set and a row.
        picture: not opened yet.
        phrases: any number of them.
        holds: further words for what is known to be in the picture, such as names of categories.
    """

    name: str
    picture: LazyPicture
    phrases: tuple[Phrase, ...]
    holds: tuple[str, ...] = ()


class PhraseSource(ABC):
    """Records by number; what is wrong with one of them is said when it is asked for.

    streamed: whether records are quickest in rising order.
    """

    streamed = False

    @abstractmethod
    def __len__(self) -> int:
        """How many records there are; raises UserError where the source cannot be read."""

    @abstractmethod
    def record(self, number: int) -> Record:
        """The record of that number, from 0; raises Unusable where it is broken."""


def tidy(text: object) -> str:
    """A phrase on one line without blanks around it; "" for what is no text."""
    return " ".join(text.split()) if isinstance(text, str) else ""


def phrases_of(
    texts: object, mask: Mask | None, reading: Reading = "refer", change: Mask | None = None
) -> tuple[Phrase, ...]:
    """The phrases for a text or several that mean the same region; empty ones are left out."""
    listed = texts if isinstance(texts, (list, tuple)) else [texts]
    return tuple(Phrase(t, mask, reading, change) for t in map(tidy, listed) if t)
