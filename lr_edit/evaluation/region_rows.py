"""The figures of region proposers as rows: by split, with speed, and of what changes along."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import torch
from rich.progress import track

from lr_edit.errors import UserError
from lr_edit.evaluation.calibration import Bin, calibration_error, reliability
from lr_edit.evaluation.cases import Case
from lr_edit.evaluation.outcomes import ALL
from lr_edit.evaluation.region_asking import CPU, Speed
from lr_edit.evaluation.region_metrics import (
    Answer,
    iou,
    mean_boundary_f,
    mean_iou,
    no_target_accuracy,
    overall_iou,
    precision_at,
    target_accuracy,
)
from lr_edit.evaluation.region_phrases import Proposers, phrase_of

Row = dict[str, Any]


def rows(
    answers: Mapping[str, Sequence[Answer]],
    splits: Mapping[str, int],
    speeds: Mapping[str, Speed] | None = None,
) -> list[Row]:
    """A row for every proposer on all phrases and on each split.

    splits: how many phrases each has, in the order of the answers. The speed is a proposer's own,
    whatever the split, and None where it was not taken.
    """
    result = []
    for name, said in answers.items():
        speed = speeds[name] if speeds else None
        times = {
            "ms_per_phrase": _rounded(speed.further if speed else None, 3),
            "ms_first_phrase": _rounded(speed.first if speed else None, 3),
        }
        varies = has_confidence(said)
        for split, part in {ALL: said, **_parts(said, splits)}.items():
            figures = summary(part) if varies else summary(part) | {"ece": None}
            result.append({"proposer": name, "split": split, "n": len(part)} | figures | times)
    return result


def summary(answers: Sequence[Answer]) -> Row:
    """The figures of some answers: shares in [0, 1], or None where there is no phrase for one."""
    figures = {
        "miou": mean_iou(answers),
        "oiou": overall_iou(answers),
        "p50": precision_at(answers),
        "boundary_f": mean_boundary_f(answers),
        "no_target_acc": no_target_accuracy(answers),
        "target_acc": target_accuracy(answers),
        "ece": calibration_error(bins_of(answers)),
    }
    return {name: _rounded(value, 5) for name, value in figures.items()}


def bins_of(answers: Sequence[Answer]) -> tuple[Bin, ...]:
    """The reliability of answers: their confidence against the share that is right."""
    return reliability([a.confidence for a in answers], [a.right for a in answers])


def has_confidence(answers: Sequence[Answer]) -> bool:
    """Whether a confidence says anything: it is not always the same."""
    return len({answer.confidence for answer in answers}) > 1


def change_rows(
    proposers: Proposers, cases: Sequence[Case], device: torch.device = CPU
) -> list[Row]:
    """A row for every proposer on replace edits, where the exact differences are known.

    change_miou: mean IoU of `Region.change` and `Case.place`, the mask standing in where a single
    region has no change; None for proposers that never have one. mask_miou: the same of the mask,
    which is what an editor gets without it. An answer that finds nothing counts 0. Raises UserError
    for no cases.
    """
    if not cases:
        raise UserError("no edits to ask about: give at least one")
    shares: dict[str, list[tuple[float, float]]] = {name: [] for name in proposers}
    knowing = set()
    for case in track(cases, "Asking about edits", transient=True):
        asked, image = phrase_of(case), case.source.to(device)
        for name, propose_for in proposers.items():
            proposer = propose_for(asked)
            region = proposer.propose(image, asked.phrase, asked.reading, case.edit.paint)
            there = [iou(mask, case.place) for mask in (region.to_edit, region.mask)]
            shares[name].append((there[0], there[1]) if region.present else (0.0, 0.0))
            if region.change is not None:
                knowing.add(name)
    result = []
    for name, pairs in shares.items():
        change, mask = (_rounded(fmean(kind), 5) for kind in zip(*pairs, strict=True))
        known = change if name in knowing else None
        result.append({"proposer": name, "n": len(pairs), "change_miou": known, "mask_miou": mask})
    return result


def _parts(answers: Sequence[Answer], splits: Mapping[str, int]) -> dict[str, Sequence[Answer]]:
    """The answers cut into splits, which follow one another."""
    parts, start = {}, 0
    for split, count in splits.items():
        parts[split] = answers[start : start + count]
        start += count
    return parts


def _rounded(value: float | None, places: int) -> float | None:
    return None if value is None else round(value, places)
