"""What is measured of each edit, and the rows it is summed up in; it knows no model by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from lr_edit.backbones.base import PerceptualDistance
from lr_edit.evaluation.cases import Case
from lr_edit.evaluation.editing import Edited
from lr_edit.evaluation.judging import Verdict
from lr_edit.evaluation.metrics import (
    identical_outside,
    lpips,
    overlap,
    psnr,
    region_crop,
    ssim,
    wilson_interval,
)

ALL = "all"


@dataclass(frozen=True)
class Outcome:
    """What was measured of one edit.

    verdict, first: of the judge, on the best-ranked candidate and on that of the first seed; wanted
    is the noun and the colour that should stand there. identical: all candidates of 8 bits equal
    the source wherever nothing was repainted. psnr_outside: against the source, where the exact
    target equals it. psnr_inside: against the exact target, where it differs. lpips, lpips_source,
    ssim: in the square around that, edit or source against the exact target. region_iou: proposed
    region against the thing's true mask. None where a figure says nothing of a picture that nobody
    edited, for want of a region as well.
    """

    number: int
    split: str
    wanted: tuple[str, str]
    verdict: Verdict
    first: Verdict
    identical: bool | None
    psnr_outside: float | None
    psnr_inside: float
    lpips: float
    lpips_source: float
    ssim: float
    seam: float | None
    region_iou: float | None
    seconds: float | None

    @property
    def success(self) -> bool:
        """Whether the judge names the wanted noun."""
        return self.verdict.noun == self.wanted[0]

    @property
    def success_colour(self) -> bool:
        """Whether the judge names the wanted noun and colour."""
        return (self.verdict.noun, self.verdict.colour) == self.wanted

    @property
    def first_success(self) -> bool:
        """Whether the first seed's candidate, unranked, would have been a success."""
        return self.first.noun == self.wanted[0]


def measure(
    case: Case, edited: Edited, verdict: Verdict, first: Verdict, perceptual: PerceptualDistance
) -> Outcome:
    """Everything that is measured of one edit, the judge's verdicts given."""
    best, source, target = (
        region_crop(image, case.place) for image in (edited.best, case.source, case.target)
    )
    distance = lpips(perceptual, best, target)
    before = lpips(perceptual, source, target)
    outside = psnr(edited.best, case.source, 1 - case.place)
    inside = psnr(edited.best, case.target, case.place)
    return Outcome(
        case.number,
        case.split,
        (case.wanted.noun, case.wanted.colour),
        verdict,
        first,
        identical=_identical(case, edited),
        psnr_outside=None if edited.refused else float(outside),
        psnr_inside=float(inside),
        lpips=float(distance),
        lpips_source=float(before),
        ssim=float(ssim(best, target)),
        seam=edited.seam,
        region_iou=None if edited.region is None else overlap(edited.region, case.thing).iou,
        seconds=edited.seconds,
    )


def _identical(case: Case, edited: Edited) -> bool | None:
    if edited.weight is None:
        return None
    return bool(identical_outside(edited.others, case.source, edited.weight).all())


def rows(
    outcomes: Sequence[Outcome], proposer: str, editor: str | None, peak_rss_mb: float | None
) -> list[dict[str, Any]]:
    """A row for all outcomes of a proposer and an editor, and one for every split among them."""
    splits = list(dict.fromkeys(outcome.split for outcome in outcomes))
    chosen = {ALL: outcomes} | {s: [o for o in outcomes if o.split == s] for s in splits}
    head = {"proposer": proposer, "editor": editor}
    tail = {"peak_rss_mb": peak_rss_mb}
    return [head | {"split": split} | summary(part) | tail for split, part in chosen.items()]


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The figures of a row: shares in [0, 1], means, and the 95 % interval of the success."""

    def mean(figure: Callable[[Outcome], float | None]) -> float | None:
        values = [value for value in map(figure, outcomes) if value is not None]
        return round(fmean(values), 5) if values else None

    interval = wilson_interval(sum(o.success for o in outcomes), len(outcomes))
    return {
        "n": len(outcomes),
        "judge_success": mean(lambda o: o.success),
        "judge_success_interval": [round(bound, 4) for bound in interval],
        "judge_success_colour": mean(lambda o: o.success_colour),
        "first_success": mean(lambda o: o.first_success),
        "outside_identical": mean(lambda o: o.identical),
        "psnr_outside": mean(lambda o: o.psnr_outside),
        "psnr_inside": mean(lambda o: o.psnr_inside),
        "lpips_target": mean(lambda o: o.lpips),
        "lpips_source_baseline": mean(lambda o: o.lpips_source),
        "ssim_target": mean(lambda o: o.ssim),
        "seam": mean(lambda o: o.seam),
        "region_iou": mean(lambda o: o.region_iou),
        "edited": mean(lambda o: None if o.region_iou is None else o.seconds is not None),
        "seconds_per_edit": mean(lambda o: o.seconds),
    }
