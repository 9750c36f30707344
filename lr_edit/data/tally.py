"""How many records were tried and which were skipped, and when that is too much; it only counts."""

from collections import Counter
from collections.abc import Iterable, Sequence

from lr_edit.errors import UserError

Skip = tuple[str, str, bool]
"""Reason, example, and whether it is a fault of the data."""


class Tally:
    """Counts by reason, with the first example of each.

    most: the largest share of faults that is borne, of `least` records tried or more.
    """

    def __init__(self, most: float = 0.1, least: int = 100) -> None:
        self.most, self.least = most, least
        self.tried = 0
        self.reasons: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.faults = 0

    def add(self, tried: int, skipped: Iterable[Skip]) -> None:
        """So many records were tried, of which these were skipped."""
        self.tried += tried
        for reason, example, fault in skipped:
            self.reasons[reason] += 1
            self.examples.setdefault(reason, example)
            self.faults += fault

    def merge(self, other: "Tally") -> None:
        """Another process's counts are added."""
        self.tried, self.faults = self.tried + other.tried, self.faults + other.faults
        self.reasons.update(other.reasons)
        self.examples = {**other.examples, **self.examples}

    def check(self, over: bool = False) -> None:
        """Raises UserError where too many records are broken.

        over: no more will be tried, so that it counts even if they were few.
        """
        if (over or self.tried >= self.least) and self.faults > self.most * self.tried:
            raise UserError(
                f"{self.faults} of {self.tried} pictures cannot be used, more than "
                f"{self.most:.0%}: {self.told()}; mend the data or check their paths"
            )

    def give_up(self, skipped: Sequence[Skip]) -> None:
        """Raises UserError: these were skipped, and nothing was found in their place."""
        reason, example, _ = skipped[-1]
        raise UserError(
            f"no picture that can be used was found among many in a row, such as a {reason}: "
            f"{example}; mend the data or check their paths"
        )

    @property
    def used(self) -> int:
        """How many records were not skipped."""
        return self.tried - self.reasons.total()

    def told(self) -> str:
        """The reasons, most frequent first: "2 damaged picture (first: a.png)"."""
        return ", ".join(
            f"{count} {reason} (first: {self.examples[reason]})"
            for reason, count in self.reasons.most_common()
        )

    def line(self, name: str) -> str:
        """One line for a person: "training: 40 pictures tried, 1 skipped: …"."""
        skipped = self.reasons.total()
        rest = f"{skipped} skipped: {self.told()}" if skipped else "none skipped"
        return f"{name}: {self.tried} pictures tried, {rest}"
