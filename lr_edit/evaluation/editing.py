"""One case edited by one proposer and one editor, as a person would have it edited."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lr_edit.edit import edit_image
from lr_edit.editors.editor import Editor
from lr_edit.evaluation.cases import Case
from lr_edit.ranked import Critics
from lr_edit.regions.fixed import MaskProposer
from lr_edit.regions.region import Region, RegionProposer


@dataclass(frozen=True, eq=False)
class Edited:
    """What became of a case; all tensors on the CPU.

    best, first: [1, 3, H, W] in [-1, 1], the best-ranked candidate and that of the first seed.
    others: all candidates [N, 3, H, W]. region: mask [1, 1, H, W] that was proposed, all 0 where
    nothing was found (the picture then stays as it was). weight: [1, 1, H, W] in [0, 1], how much
    of each pixel was repainted. seam: of the best. seconds: from picture and phrases to the ranked
    result. The last four are None for a picture that nobody edited.
    """

    best: Tensor
    first: Tensor
    others: Tensor
    region: Tensor | None
    weight: Tensor | None
    seam: float | None
    seconds: float | None

    @property
    def refused(self) -> bool:
        """Whether nothing was edited for want of a region."""
        return self.region is not None and self.weight is None


def edit_case(
    case: Case,
    proposer: RegionProposer,
    editor: Editor,
    critics: Critics,
    seeds: Sequence[int],
    device: torch.device,
) -> Edited:
    """The case edited with one candidate for every seed."""
    began = time.perf_counter()
    image = case.source.to(device)
    region = proposer.propose(image, case.edit.find, paint=case.edit.paint)
    if not region.present or not (region.mask > 0).any():
        return _not_found(case)
    result = edit_image(
        image,
        case.edit.find,
        case.edit.paint,
        proposer=_found(region),
        editor=editor,
        critics=critics,
        seeds=seeds,
    )
    by_seed = {candidate.seed: candidate.image.cpu() for candidate in result.candidates}
    return Edited(
        best=result.best.image.cpu(),
        first=by_seed[seeds[0]],
        others=torch.cat(list(by_seed.values())),
        region=region.mask.cpu(),
        weight=result.weight.cpu(),
        seam=result.best.scores["seam"],
        seconds=time.perf_counter() - began,
    )


def untouched(case: Case) -> Edited:
    """The source as its own edit, for comparison."""
    return _compared(case.source)


def perfect(case: Case) -> Edited:
    """The exact target as an edit: the best that judge and distances can say of any."""
    return _compared(case.target)


def _compared(image: Tensor) -> Edited:
    """A picture that nobody edited."""
    return Edited(image, image, image, region=None, weight=None, seam=None, seconds=None)


def _not_found(case: Case) -> Edited:
    """The source unchanged, since there is no region: a failed edit, whose region holds nothing."""
    return replace(untouched(case), region=torch.zeros_like(case.thing))


def _found(region: Region) -> RegionProposer:
    """What proposes a region that is known already."""
    return MaskProposer(region.mask, region.change)
