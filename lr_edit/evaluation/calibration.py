"""Whether a confidence can be believed, as pure functions; it knows nothing of regions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 15


@dataclass(frozen=True)
class Bin:
    """The answers whose confidence is in (low, high], the first bin with 0: their number, mean
    confidence and the share that is right; the last two are 0 where there is none."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def reliability(
    confidences: Sequence[float], right: Sequence[bool], bins: int = BINS
) -> tuple[Bin, ...]:
    """Answers sorted by confidence into bins of equal width, for a reliability diagram.

    Confidences in [0, 1]. Raises ValueError for others, lists that differ in length, or no bins.
    """
    if len(confidences) != len(right) or bins < 1:
        raise ValueError(f"{len(confidences)} confidences, {len(right)} answers, {bins} bins")
    if not all(0 <= c <= 1 for c in confidences):
        raise ValueError("a confidence is not in [0, 1]")
    values, hits = np.array(confidences, dtype=float), np.array(right, dtype=float)
    place = np.clip(np.ceil(values * bins).astype(int) - 1, 0, bins - 1)
    result = []
    for k in range(bins):
        inside, count = place == k, int((place == k).sum())
        means = (float(v[inside].mean()) if count else 0.0 for v in (values, hits))
        result.append(Bin(k / bins, (k + 1) / bins, count, *means))
    return tuple(result)


def calibration_error(bins: Sequence[Bin]) -> float | None:
    """ECE in [0, 1], 0 = calibrated: Σ n_b/n |accuracy - confidence| (Guo et al., 2017, eq. 3).

    None where no answer is in the bins.
    """
    total = sum(b.count for b in bins)
    if not total:
        return None
    return sum(b.count / total * abs(b.accuracy - b.confidence) for b in bins)
