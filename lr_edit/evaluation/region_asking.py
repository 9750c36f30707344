"""Region proposers asked the same phrases in turns: their answers, and how long these take."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import torch
from rich.progress import track
from torch import Tensor

from lr_edit.evaluation.region_metrics import Answer, measured
from lr_edit.evaluation.region_phrases import Proposers, RegionCase
from lr_edit.regions.region import Region, RegionProposer

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Speed:
    """Median milliseconds of one phrase.

    first: about a picture that was never seen before. further: about the same picture again, at
    once; all that a proposer keeps of the picture is there by then.
    """

    first: float
    further: float


def ask(
    proposers: Proposers, cases: Sequence[RegionCase], device: torch.device = CPU
) -> dict[str, list[Answer]]:
    """The answers of every proposer to all cases, in order; for each case the proposers in turn."""
    answers: dict[str, list[Answer]] = {name: [] for name in proposers}
    for case in track(cases, "Asking", transient=True):
        image = case.image.to(device)
        for name, propose_for in proposers.items():
            answers[name].append(answer(case, propose_for(case), image)[1])
    return answers


def answer(
    case: RegionCase, proposer: RegionProposer, image: Tensor | None = None
) -> tuple[Region, Answer]:
    """What a proposer says of a case, and how good that is.

    image: the case's own, on the proposer's device; None: as it is.
    """
    region = proposer.propose(case.image if image is None else image, case.phrase, case.reading)
    said = measured(region.mask, case.mask, case.present, region.confidence, region.present)
    return region, said


def clock(
    proposers: Proposers, cases: Sequence[RegionCase], count: int = 24, device: torch.device = CPU
) -> dict[str, Speed]:
    """How fast every proposer is, on `count` cases spread over all, after one that does not count.

    Each is asked about a copy of the picture, and then, of the same copy, its neighbour's phrase.
    For each picture the proposers take turns, so that their ratios hold on a machine whose speed
    drifts.
    """
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in proposers}
    chosen = spread(len(cases), count)
    for turn, k in enumerate(track([chosen[-1], *chosen], "Timing", transient=True)):
        case, other = cases[k], cases[(k + 1) % len(cases)]
        for name, propose_for in proposers.items():
            proposer, image = propose_for(case), case.image.to(device, copy=True)
            taken = (_seconds(proposer, image, case), _seconds(proposer, image, other))
            if turn:
                times[name].append(taken)
    return {
        name: Speed(*(1000 * median(kind) for kind in zip(*pairs, strict=True)))
        for name, pairs in times.items()
    }


def spread(total: int, count: int) -> list[int]:
    """At most `count` different indices below `total`, evenly spread from 0 on, in order."""
    count = min(count, total)
    return [k * total // count for k in range(count)]


def _seconds(proposer: RegionProposer, image: Tensor, asked: RegionCase) -> float:
    _wait(image.device)
    began = time.perf_counter()
    proposer.propose(image, asked.phrase, asked.reading)
    _wait(image.device)
    return time.perf_counter() - began


def _wait(device: torch.device) -> None:
    """Until a GPU has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
