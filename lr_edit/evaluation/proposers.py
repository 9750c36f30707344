"""Where the regions of a benchmark come from, by name: the truth, the networks, the whole picture.

true_mask: the source's own mask of the thing, which the editor grows. true_edit_mask: all that
differs between source and exact target. segformer_clip: segments by SegFormer, one chosen by CLIP.
whole: the whole picture. centre_box, random_box: boxes that look at nothing.
"""

from collections.abc import Callable, Sequence

from lr_edit.errors import UserError
from lr_edit.evaluation.cases import Case
from lr_edit.models import ModelSet
from lr_edit.regions.boxes import CentreBoxProposer, RandomBoxProposer
from lr_edit.regions.fixed import MaskProposer, WholeProposer
from lr_edit.regions.per_image import PerImageOptions, ShapeName, per_image_proposer
from lr_edit.regions.region import RegionProposer
from lr_edit.regions.segformer_clip import SegformerClipProposer

ProposerFor = Callable[[Case], RegionProposer]
"""What proposes the region of a case: for a benchmark's sake it may know the truth."""


def _segformer_clip(models: ModelSet) -> ProposerFor:
    proposer = SegformerClipProposer(models.segmenter, models.clip)
    return lambda case: proposer


def _learned(models: ModelSet) -> ProposerFor:
    proposer = models.region
    return lambda case: proposer


def _per_image(models: ModelSet, shape: ShapeName) -> ProposerFor:
    options = PerImageOptions(shape)
    proposer = per_image_proposer(models.clip, models.dino, models.diffusion, options)
    return lambda case: proposer


PROPOSERS: dict[str, Callable[[ModelSet], ProposerFor]] = {
    "true_mask": lambda models: lambda case: MaskProposer(case.thing),
    "true_edit_mask": lambda models: lambda case: MaskProposer(case.place),
    "learned": _learned,
    "per_image": lambda models: _per_image(models, "boxes"),
    "per_image_masks": lambda models: _per_image(models, "masks"),
    "learnable_regions_as_released": lambda models: _per_image(models, "random"),
    "segformer_clip": _segformer_clip,
    "whole": lambda models: lambda case: WholeProposer(),
    "centre_box": lambda models: lambda case: CentreBoxProposer(),
    "random_box": lambda models: lambda case: RandomBoxProposer(),
}


def check_proposers(names: Sequence[str]) -> None:
    """Raises UserError unless all are known."""
    for name in names:
        if name not in PROPOSERS:
            raise UserError(f"unknown proposer {name!r}: give some of {', '.join(PROPOSERS)}")
