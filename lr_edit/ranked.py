"""Finished candidates, measured by what did not guide them and put in order."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from lr_edit.backbones.base import ImageTextEncoder
from lr_edit.editors.editor import Edit
from lr_edit.guidance.options import AugmentOptions, RankingOptions, ViewOptions
from lr_edit.guidance.ranking import ranking_scores
from lr_edit.guidance.score import region_score
from lr_edit.guidance.seam import seam
from lr_edit.regions.found import found_score
from lr_edit.regions.region import RegionProposer

REMOVED = "nothing"
"""The prompt for a region from which something is taken away."""

VIEW_SEED = 1_000_003  # of the views that rank: those that guided came from other streams


@dataclass(frozen=True)
class Candidate:
    """One finished edit.

    image: float32 [1, 3, H, W] in [-1, 1], equal to the source wherever the result's weight is 0.
    score: what it was ranked by, higher is better. scores: what that is made of: "text", a cosine,
    missing without a scorer; "found", in [0, 1], missing without a finder and where something was
    taken away; "seam", 0 = no visible border.
    """

    image: Tensor
    seed: int
    score: float
    scores: dict[str, float]


@dataclass(frozen=True)
class Critics:
    """What ranks candidates besides the seam.

    scorer: how well the text agrees. finder: whether what was painted is found there. views: what
    the scorer is shown, best what guidance saw.
    """

    scorer: ImageTextEncoder | None = None
    finder: RegionProposer | None = None
    views: ViewOptions = field(default_factory=ViewOptions)
    options: RankingOptions = field(default_factory=RankingOptions)


def ranked(edit: Edit, source: Tensor, prompt: str, critics: Critics) -> tuple[Candidate, ...]:
    """The candidates of an edit of source [1, 3, H, W], best first; equal ones in the order of
    their seeds."""
    parts = measured(edit, source, prompt, critics)
    scores = ranking_scores(parts["seam"], critics.options, parts.get("text"), parts.get("found"))
    return tuple(
        Candidate(
            edit.candidates[k : k + 1],
            edit.seeds[k],
            float(scores[k]),
            {name: float(values[k]) for name, values in parts.items()},
        )
        for k in scores.argsort(descending=True, stable=True).tolist()
    )


def measured(edit: Edit, source: Tensor, prompt: str, critics: Critics) -> dict[str, Tensor]:
    """The parts of the scores by name, each [N], as far as there are critics of them."""
    options, places = critics.options, [(part > 0).float() for part in edit.parts or (edit.mask,)]
    parts = {}
    if critics.scorer is not None:
        parts["text"] = _agreement(edit.candidates, source, places, prompt, critics)
    if critics.finder is not None and options.found > 0 and prompt != REMOVED:
        found = [found_score(critics.finder, edit.candidates, p, prompt) for p in places]
        parts["found"] = torch.stack(found).mean(0).float().cpu()
    return parts | {"seam": seam(edit.candidates, source, edit.mask).cpu()}


def _agreement(
    images: Tensor, source: Tensor, places: list[Tensor], prompt: str, critics: Critics
) -> Tensor:
    """The cosines [N] of the scorer, each the mean of all places."""
    assert critics.scorer is not None
    augment = AugmentOptions(copies=critics.options.copies)
    cosines = [
        region_score(
            critics.scorer, one[None], source, place, prompt, critics.views, augment, VIEW_SEED,
            critics.options.blur,
        )
        for one in images  # one at a time bounds the memory
        for place in places
    ]  # fmt: skip
    return torch.cat(cosines).float().cpu().unflatten(0, (len(images), -1)).mean(1)
