"""A region of a picture, and the one interface of everything that proposes one."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor

from lr_edit.errors import UserError
from lr_edit.instruction import Reading


@dataclass(frozen=True)
class Alternative:
    """One proposal: mask float32 [1, 1, H, W] in [0, 1], score in [0, 1], and what it is called."""

    mask: Tensor
    score: float
    label: str


@dataclass(frozen=True)
class Region:
    """Where a phrase lies in a picture.

    mask: float32 [1, 1, H, W] in [0, 1], 1 = edit. alternatives: ranked, best first, the chosen one
    included. confidence: in [0, 1]. present: whether the phrase fits anything in the picture.
    change: what changes along with it (its cast shadow, and the room that it needs to become what
    it was told), float32 [1, 1, H, W], mask included; None from proposers that only know the thing
    itself.
    """

    mask: Tensor
    alternatives: tuple[Alternative, ...]
    confidence: float
    present: bool = True
    change: Tensor | None = None

    @property
    def to_edit(self) -> Tensor:
        """What an editor should repaint: `change` where it is known, else `mask`."""
        return self.mask if self.change is None else self.change


class RegionProposer(ABC):
    """Finds the region of a picture that a phrase speaks of."""

    @abstractmethod
    def propose(
        self, image: Tensor, phrase: str, reading: Reading = "refer", paint: str = ""
    ) -> Region:
        """The region of `phrase` in image [1, 3, H, W] in [-1, 1].

        reading: proposers that know no edit prompts take them as naming what is there. paint: what
        the thing becomes; "" for nothing, or where that is not known. Many do not read it. Raises
        UserError when the phrase is empty or unusable, where it matters.
        """


def checked_phrase(phrase: str) -> str:
    """The phrase without blanks around it; UserError when nothing is left."""
    if not phrase.strip():
        raise UserError("the phrase is empty: say what to find, such as 'the red apple'")
    return phrase.strip()
