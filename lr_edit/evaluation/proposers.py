"""Where the regions of a benchmark come from, by name: the truth, the networks, the whole picture.

true_mask: the source's own mask of the thing, which the editor grows. true_mask_and_shadow: the
same as `infer.py --mask` takes it, the shadow that the region network sees there going along.
true_box: the box around it.
true_edit_mask: all that differs between source and exact target. centre_box, random_box: boxes that
look at nothing. The others are those of `lr_edit.proposers`.
"""

from collections.abc import Callable, Sequence

from lr_edit.crop import mask_box
from lr_edit.errors import UserError
from lr_edit.evaluation.cases import Case
from lr_edit.models import ModelSet
from lr_edit.proposers import FROM_MODELS, Way
from lr_edit.regions.boxes import CentreBoxProposer, RandomBoxProposer, box_region
from lr_edit.regions.fixed import MaskProposer
from lr_edit.regions.region import RegionProposer
from lr_edit.regions.shadowed import ShadowedMaskProposer

ProposerFor = Callable[[Case], RegionProposer]
"""What proposes the region of a case: for a benchmark's sake it may know the truth."""


def _same(way: Way) -> Callable[[ModelSet], ProposerFor]:
    """One proposer of a model set for all cases."""

    def made(models: ModelSet) -> ProposerFor:
        proposer = way.make(models)
        return lambda case: proposer

    return made


def _with_shadow(models: ModelSet) -> ProposerFor:
    """The source's own mask and its shadow, as the set's region network sees it."""
    return lambda case: ShadowedMaskProposer(case.thing, models.region)


PROPOSERS: dict[str, Callable[[ModelSet], ProposerFor]] = {
    "true_mask": lambda models: lambda case: MaskProposer(case.thing),
    "true_mask_and_shadow": _with_shadow,
    "true_box": lambda models: (
        lambda case: MaskProposer(box_region(case.source, mask_box(case.thing), "box").mask)
    ),
    "true_edit_mask": lambda models: lambda case: MaskProposer(case.place),
    **{name: _same(way) for name, way in FROM_MODELS.items()},
    "centre_box": lambda models: lambda case: CentreBoxProposer(),
    "random_box": lambda models: lambda case: RandomBoxProposer(),
}


def check_proposers(names: Sequence[str]) -> None:
    """Raises UserError unless all are known."""
    for name in names:
        if name not in PROPOSERS:
            raise UserError(f"unknown proposer {name!r}: give some of {', '.join(PROPOSERS)}")
