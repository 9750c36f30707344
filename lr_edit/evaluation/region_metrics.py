"""How good regions are, as pure functions on masks and answers; it knows no proposers.

Masks are float32 [1, 1, H, W] in [0, 1], a pixel counting as selected from a half. What the figures
are over (all phrases, or those that name something) stands at each; where there is no such phrase,
a figure is None.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from scipy import ndimage
from torch import Tensor

TOLERANCE = 0.008
"""How far boundaries may lie apart, as a share of the picture's diagonal (Perazzi et al., 2016)."""

RIGHT = 0.5
"""The IoU from which an answer counts as right."""


@dataclass(frozen=True)
class Answer:
    """What a proposer said of one phrase, measured.

    named: whether the phrase names something in the picture. found: whether the answer says so, and
    selects a pixel. intersection, union: of region and truth, in pixels; an answer that finds
    nothing selects none. boundary_f: see there. confidence: of this answer, in [0, 1], see
    `answer_confidence`.
    """

    named: bool
    found: bool
    intersection: int
    union: int
    boundary_f: float
    confidence: float

    @property
    def iou(self) -> float:
        """Of one phrase, as gRefCOCO counts (Liu et al., "GRES", 2023, section 5.1).

        A phrase that names nothing: 1 if nothing was found, otherwise 0. A phrase that names
        something: 0 if nothing was found, otherwise intersection over union.
        """
        if not self.named:
            return float(not self.found)
        return self.intersection / self.union if self.found else 0.0

    @property
    def right(self) -> bool:
        """Whether it counts as right: an IoU of RIGHT, or rightly nothing found."""
        return self.iou >= RIGHT


def measured(
    mask: Tensor, truth: Tensor, named: bool, confidence: float, present: bool = True
) -> Answer:
    """An answer: a mask, whether something is `present`, and the region's confidence in [0, 1].

    named: whether the phrase names something, whose mask is `truth`; otherwise that is empty.
    """
    chosen = selected(mask) & present
    found, true = bool(chosen.any()), selected(truth)
    return Answer(
        named,
        found,
        intersection=int((chosen & true).sum()),
        union=int((chosen | true).sum()),
        boundary_f=_boundary_f(chosen, true, TOLERANCE),
        confidence=answer_confidence(confidence, found),
    )


def answer_confidence(confidence: float, found: bool) -> float:
    """How sure an answer is, from a region's confidence c in [0, 1]: c, or 1 - c of "not there".

    c is how sure the proposer is that the phrase fits something and that its mask shows it. So the
    answer "here" claims to be right (`Answer.right`) with probability c; the answer "nothing here"
    claims that with 1 - c.
    """
    return confidence if found else 1 - confidence


def selected(mask: Tensor) -> np.ndarray:
    """The pixels of a mask [1, 1, H, W]: bool [H, W]."""
    return (mask[0, 0] >= 0.5).cpu().numpy()


def iou(first: Tensor, second: Tensor) -> float:
    """Intersection over union of two masks; 1 where both are empty."""
    one, other = selected(first), selected(second)
    union = int((one | other).sum())
    return int((one & other).sum()) / union if union else 1.0


def boundary_f(first: Tensor, second: Tensor, tolerance: float = TOLERANCE) -> float:
    """F of two masks' boundaries in [0, 1] (Perazzi et al., 2016, after Martin et al., 2004).

    The harmonic mean of the shares of either boundary that lie within `tolerance` of the other, a
    share of the picture's diagonal rounded up to pixels. The boundary is what erosion by the four
    neighbours takes away, so a mask has one at the picture's border too. Both empty: 1; one: 0.
    """
    return _boundary_f(selected(first), selected(second), tolerance)


def _boundary_f(first: np.ndarray, second: np.ndarray, tolerance: float) -> float:
    if not (first.any() and second.any()):
        return float(first.any() == second.any())
    reach = math.ceil(tolerance * math.hypot(*first.shape))
    box = ndimage.find_objects((first | second).astype(np.uint8))[0]  # the rest is far from both
    one, other = _boundary(first[box]), _boundary(second[box])
    precision = float((ndimage.distance_transform_edt(~other)[one] <= reach).mean())
    recall = float((ndimage.distance_transform_edt(~one)[other] <= reach).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _boundary(inside: np.ndarray) -> np.ndarray:
    return inside & ~ndimage.binary_erosion(inside)


def mean_iou(answers: Sequence[Answer]) -> float | None:
    """mIoU, over all phrases: the mean of `Answer.iou` (gIoU in gRefCOCO and LISA)."""
    return _mean([answer.iou for answer in answers])


def overall_iou(answers: Sequence[Answer]) -> float | None:
    """oIoU, over all phrases: all intersections over all unions, in pixels.

    Large things weigh more; a region for what is not there counts in full (cIoU in gRefCOCO).
    """
    union = sum(answer.union for answer in answers)
    return sum(answer.intersection for answer in answers) / union if union else None


def precision_at(answers: Sequence[Answer], threshold: float = RIGHT) -> float | None:
    """P@threshold, over all phrases: the share whose IoU reaches it."""
    return _mean([answer.iou >= threshold for answer in answers])


def mean_boundary_f(answers: Sequence[Answer]) -> float | None:
    """Over all phrases; 1 where nothing was to be found, and was not."""
    return _mean([answer.boundary_f for answer in answers])


def no_target_accuracy(answers: Sequence[Answer]) -> float | None:
    """N-acc: the share of phrases that name nothing for which nothing was found (GRES)."""
    return _mean([not answer.found for answer in answers if not answer.named])


def target_accuracy(answers: Sequence[Answer]) -> float | None:
    """T-acc: the share of phrases that name something for which something was found (GRES)."""
    return _mean([answer.found for answer in answers if answer.named])


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
