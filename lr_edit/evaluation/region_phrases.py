"""What is asked of region proposers, and what stands beside them for comparison.

The proposers of a comparison are a table of names, each with what proposes the region of a phrase:
floor and ceiling know the phrase's truth, all others are the same for every phrase.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lr_edit.errors import UserError
from lr_edit.evaluation.cases import Case
from lr_edit.evaluation.outcomes import ALL
from lr_edit.instruction import Reading
from lr_edit.regions.boxes import CentreBoxProposer, NothingProposer, RandomBoxProposer
from lr_edit.regions.fixed import MaskProposer, WholeProposer
from lr_edit.regions.region import RegionProposer


class RegionCase(Protocol):
    """A phrase about a picture, with the truth.

    part: what it tests. image: float32 [1, 3, H, W] in [-1, 1]. mask: float32 [1, 1, H, W], all
    that the phrase names. present: whether it names anything; where not, the mask is empty.
    """

    @property
    def part(self) -> str: ...
    @property
    def phrase(self) -> str: ...
    @property
    def reading(self) -> Reading: ...
    @property
    def image(self) -> Tensor: ...
    @property
    def mask(self) -> Tensor: ...
    @property
    def present(self) -> bool: ...


@dataclass(frozen=True, eq=False)
class AskedPhrase:
    """A RegionCase; change: what an edit of the thing changes, as far as the picture shows it."""

    part: str
    phrase: str
    image: Tensor
    mask: Tensor
    reading: Reading = "refer"
    present: bool = True
    change: Tensor | None = None


PhraseProposer = Callable[[RegionCase], RegionProposer]
"""What proposes the region of a case: for a comparison's sake it may know the truth."""

Proposers = Mapping[str, PhraseProposer]
Cases = Mapping[str, Sequence[RegionCase]]


def always(proposer: RegionProposer) -> PhraseProposer:
    """The same proposer for every case."""
    return lambda case: proposer


def true_mask(case: RegionCase) -> RegionProposer:
    """The ceiling: the truth, and "nothing there" where that is so; of an edit, the thing and its
    shadow, since the picture does not show what comes in its place."""
    if not (case.mask > 0).any():
        return NothingProposer()
    return MaskProposer(case.mask, case.change if isinstance(case, AskedPhrase) else None)


REFERENCES: dict[str, PhraseProposer] = {
    "true_mask": true_mask,
    "centre_box": always(CentreBoxProposer()),
    "random_box": always(RandomBoxProposer()),
    "whole": always(WholeProposer()),
    "nothing": always(NothingProposer()),
}
"""Ceiling and floor of a comparison."""


def phrase_of(case: Case) -> AskedPhrase:
    """What an edit has to find: the phrase, the picture, and the thing that it names."""
    known = torch.maximum(case.thing, case.cast)
    return AskedPhrase(case.split, case.edit.find, case.source, case.thing, change=known)


def check_comparison(proposers: Proposers, cases: Cases) -> None:
    """Raises UserError unless there are proposers, and phrases in every split."""
    if not proposers:
        raise UserError("no proposers to compare: give at least one")
    if not cases:
        raise UserError("no phrases to ask: give at least one split")
    for split, chosen in cases.items():
        if split == ALL:
            raise UserError(f"a split is called {ALL!r}, as all splits together are: rename it")
        if not chosen:
            raise UserError(f"the split {split!r} has no phrases: leave it out or give some")


def chosen_of(proposers: Proposers, names: Sequence[str] | None) -> Proposers:
    """The proposers of these names, None: all. Raises UserError for unknown ones, or for none."""
    if names is None:
        return proposers
    unknown = [name for name in names if name not in proposers]
    if unknown or not names:
        raise UserError(
            f"shown are {', '.join(names) or 'none'}: give some of {', '.join(proposers)}"
        )
    return {name: proposers[name] for name in names}
