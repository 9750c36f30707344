"""Region proposers compared: the same phrases for all, in one run, with figures and pictures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from lr_edit.backbones.devices import device_named
from lr_edit.evaluation.cases import Case
from lr_edit.evaluation.machine import provenance
from lr_edit.evaluation.outcomes import ALL
from lr_edit.evaluation.region_asking import answer, ask, clock
from lr_edit.evaluation.region_metrics import Answer
from lr_edit.evaluation.region_phrases import (
    Cases,
    Proposers,
    RegionCase,
    check_comparison,
    chosen_of,
)
from lr_edit.evaluation.region_pictures import Asked, examples_sheet, worst_sheet
from lr_edit.evaluation.region_rows import Row, bins_of, change_rows, has_confidence, rows
from lr_edit.evaluation.region_tables import markdown, split_table, terminal_table
from lr_edit.evaluation.reliability import draw_reliability
from lr_edit.files import save_image
from lr_edit.output import made_folder, replacing

_PICTURES = ("reliability.png", "examples.png", "worst.png")

Place = tuple[str, RegionCase]
"""A case and the split it is of."""


def run_regions(
    proposers: Proposers,
    cases: Cases,
    output: str | Path,
    *,
    examples: int = 12,
    shown: Sequence[str] | None = None,
    worst: int = 12,
    timed: int = 24,
    edits: Sequence[Case] = (),
    header: Mapping[str, Any] | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    """Asks every proposer every phrase, prints the tables and fills the folder `output`.

    cases: split => its phrases; in the rows, split "all" is all of them. examples: phrases on the
    sheet, the splits in turn, with the answers of the proposers `shown`, None: all. worst: failures
    on the other sheet, of the first proposer. timed: pictures on which the time is taken, if
    any. edits: replace edits for `change_miou`, in the rows of "all". header: what else a reader
    needs to know. device: where pictures are put before a proposer sees them.

    regions.json: provenance, rows and, by proposer, the bins of the reliability diagram.
    regions.md: the rows to read. reliability.png, examples.png, worst.png: where there is something
    to show. Returns what regions.json holds. Raises UserError for no proposers, unknown ones,
    a split without phrases, or a folder that cannot be written to; and what proposers raise.
    """
    check_comparison(proposers, cases)
    visible = chosen_of(proposers, shown)
    folder, place = made_folder(output), device_named(device)
    placed = [(split, case) for split, chosen in cases.items() for case in chosen]
    everything = [case for _, case in placed]
    speeds = clock(proposers, everything, timed, place) if timed else None
    answers = ask(proposers, everything, place)
    table = rows(answers, {split: len(chosen) for split, chosen in cases.items()}, speeds)
    if edits:
        _add_changes(table, change_rows(proposers, edits, place))
    bins = {name: bins_of(said) for name, said in answers.items() if has_confidence(said)}
    facts = provenance(place) | dict(header or {})
    metrics = facts | {
        "rows": table,
        "reliability": {name: [asdict(b) for b in part] for name, part in bins.items()},
    }
    _write_text(folder / "regions.json", json.dumps(metrics, indent=1) + "\n")
    _write_text(folder / "regions.md", markdown(table, facts))
    for name in _PICTURES:  # those of an earlier run
        (folder / name).unlink(missing_ok=True)
    if bins:
        with replacing(folder / "reliability.png") as temporary:
            draw_reliability(bins, temporary)
    _save_examples(visible, cases, examples, place, folder)
    _save_worst(proposers, placed, answers, worst, place, folder)
    Console().print(terminal_table(table), "", split_table(table))
    return metrics


def failures(placed: Sequence[Place], answers: Sequence[Answer], limit: int) -> list[Place]:
    """At most `limit` cases with a wrong answer: the splits in turn, each from its worst on.

    Worst is the lowest IoU, and among equals the answer that was surest.
    """
    wrong = [(p, a) for p, a in zip(placed, answers, strict=True) if not a.right]
    wrong.sort(key=lambda pair: (pair[1].iou, -pair[1].confidence))
    splits = dict.fromkeys(split for split, _ in placed)
    return in_turn([[p for p, _ in wrong if p[0] == split] for split in splits], limit)


def in_turn(parts: Sequence[Sequence[Place]], limit: int) -> list[Place]:
    """The first of every part, then the second of every part, and so on; at most `limit`."""
    return [one for turn in zip_longest(*parts) for one in turn if one is not None][:limit]


def _save_examples(
    proposers: Proposers, cases: Cases, limit: int, device: torch.device, folder: Path
) -> None:
    chosen = in_turn([[(split, case) for case in part] for split, part in cases.items()], limit)
    if chosen:
        shown = [_asked(proposers, one, device) for one in chosen]
        page = examples_sheet(shown, "The first phrases of every part, as they came")
        save_image(page, folder / "examples.png")


def _save_worst(
    proposers: Proposers,
    placed: Sequence[Place],
    answers: Mapping[str, Sequence[Answer]],
    limit: int,
    device: torch.device,
    folder: Path,
) -> None:
    """The worst failures of the first proposer, where it has any."""
    name = next(iter(proposers))
    wrong = sum(not said.right for said in answers[name])
    chosen = failures(placed, answers[name], limit)
    if chosen:
        shown = [_asked({name: proposers[name]}, one, device) for one in chosen]
        note = (
            f"truth and answer; {len(chosen)} of {wrong} wrong answers to {len(placed)} phrases, "
            "every part in turn, the lowest IoU first and of equal ones the surest"
        )
        save_image(worst_sheet(shown, f"The worst of {name}", note), folder / "worst.png")


def _asked(proposers: Proposers, placed: Place, device: torch.device) -> Asked:
    """The answers to one case again, with their regions, which are not kept for all."""
    split, case = placed
    ask_one = partial(answer, case, image=case.image.to(device))
    return Asked(case, split, {name: ask_one(find(case)) for name, find in proposers.items()})


def _add_changes(table: Sequence[Row], changes: Sequence[Row]) -> None:
    """Gives every row its `change_miou`, and of how many edits; None in those of single splits."""
    found = {row["proposer"]: row for row in changes}
    for row in table:
        change = found[row["proposer"]] if row["split"] == ALL else {}
        row["change_miou"], row["change_n"] = change.get("change_miou"), change.get("n")


def _write_text(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
