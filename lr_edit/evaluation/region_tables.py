"""The rows of regions.json for a person, as Markdown and on a terminal; it knows no pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from lr_edit.evaluation.calibration import BINS
from lr_edit.evaluation.outcomes import ALL
from lr_edit.evaluation.region_metrics import RIGHT, TOLERANCE
from lr_edit.evaluation.region_rows import Row
from lr_edit.evaluation.tables import table

COLUMNS = {
    "miou": "mIoU",
    "oiou": "oIoU",
    "p50": "P@0.5",
    "boundary_f": "boundary F",
    "no_target_acc": "N-acc",
    "target_acc": "T-acc",
    "ece": "ECE",
    "change_miou": "change mIoU",
    "ms_per_phrase": "ms next",
    "ms_first_phrase": "ms first",
}
BASELINE = "segformer_clip"
"""The fixed selection; how far the first proposer is above it is told in every split."""

_SHORT = {  # so that 80 characters hold a row
    "boundary F": "F", "change mIoU": "change", "attribute": "attrib.", "grayscale": "gray",
    "edit_prompt": "prompt",
}  # fmt: skip
_PLACES = {"ms_per_phrase": 1, "ms_first_phrase": 1}
_LEGEND = f"""\
- mIoU: the mean over phrases of intersection over union. A phrase that nothing in the picture fits
  counts 1 where the answer is "nothing", otherwise 0; "nothing" where there is something counts 0.
- oIoU: all intersections over all unions. P@0.5: phrases whose IoU is {RIGHT} or more. Boundary F:
  with a tolerance of {TOLERANCE} of the diagonal.
- N-acc: phrases that nothing fits, answered "nothing". T-acc: phrases that something fits, answered
  with a region.
- ECE: how far the confidence of answers is from the share that is right (lower is better), in
  {BINS} bins; – for proposers whose confidence never varies.
- ms first: the first phrase about a picture; ms next: a further one. Medians of a few pictures, the
  proposers in turns.
"""
_CHANGE = """\
- change mIoU: the region that an edit of the thing changes, shadow included, against the exact
  difference of {edits} replace edits; – for proposers that know the thing alone. Proposers are told
  what the thing becomes. true_mask: the thing and its shadow exactly, which is what the picture
  shows: not what comes in the thing's place.
"""


def markdown(rows: Sequence[Row], header: Mapping[str, Any]) -> str:
    """The whole of regions.md: all phrases, mIoU by split, and what the columns mean."""
    whole = [row for row in rows if row["split"] == ALL]
    facts = " · ".join(f"{name} {value}" for name, value in header.items())
    n = {row["split"]: row["n"] for row in rows}
    splits = [split for split in n if split != ALL]
    columns = columns_of(rows)
    by_split = split_miou(rows, (ALL, *splits))
    edits = next((row["change_n"] for row in whole if row.get("change_n")), "some")
    body = [
        "# Regions measured",
        f"{n.get(ALL, 0)} phrases · {facts}",
        table(["proposer", *columns.values()], [_cells(row, columns) for row in whole], left=1),
        "## mIoU by split",
        table(
            ["proposer", *(f"{split} ({n[split]})" for split in (ALL, *splits))],
            [[name, *figures] for name, figures in by_split.items()],
            left=1,
        ),
        _LEGEND + (_CHANGE.format(edits=edits) if "change_miou" in columns else ""),
    ]
    return "\n\n".join(body)


def terminal_table(rows: Sequence[Row]) -> Table:
    """The rows of all phrases, for rich to print."""
    columns = columns_of(rows)
    whole = [row for row in rows if row["split"] == ALL]
    return _for_rich(list(columns.values()), [_cells(row, columns) for row in whole])


def split_table(rows: Sequence[Row]) -> Table:
    """mIoU by split, for rich to print."""
    splits = [s for s in dict.fromkeys(row["split"] for row in rows) if s != ALL]
    lines = split_miou(rows, splits).items()
    return _for_rich(splits, [[name, *figures] for name, figures in lines], "mIoU by split")


def split_miou(rows: Sequence[Row], splits: Sequence[str]) -> dict[str, list[str]]:
    """The mIoU of every proposer on these splits, as text.

    Where BASELINE is one of them and not the first, the last line is how far the first is above it.
    """
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        found.setdefault(row["proposer"], {})[row["split"]] = row["miou"]
    lines = {name: [_shown("miou", of[split]) for split in splits] for name, of in found.items()}
    first = next(iter(found), BASELINE)
    if first != BASELINE and BASELINE in found:
        above = [found[first][split] - found[BASELINE][split] for split in splits]
        lines[f"{first} − {BASELINE}"] = [f"{margin:+.3f}" for margin in above]
    return lines


def columns_of(rows: Sequence[Row]) -> dict[str, str]:
    """Those of COLUMNS that hold a figure in some row."""
    return {
        key: name for key, name in COLUMNS.items() if any(row.get(key) is not None for row in rows)
    }


def _cells(row: Row, columns: Mapping[str, str]) -> list[str]:
    return [row["proposer"], *(_shown(key, row.get(key)) for key in columns)]


def _for_rich(names: Sequence[str], lines: Sequence[Sequence[str]], title: str = "") -> Table:
    """A table of a line a proposer; a long proposer gives way before any figure does."""
    shown = Table(box=SIMPLE_HEAD, padding=0, show_edge=False, title=title or None)
    shown.add_column("proposer", overflow="fold")
    for name in names:
        shown.add_column(_SHORT.get(name, name), justify="right", no_wrap=True)
    for line in lines:
        shown.add_row(*line)
    return shown


def _shown(key: str, value: float | None) -> str:
    """One figure as text."""
    return "–" if value is None else f"{value:.{_PLACES.get(key, 3)}f}"
