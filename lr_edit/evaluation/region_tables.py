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
_SHORT = {"boundary F": "F", "change mIoU": "change"}  # so that 80 characters hold a row
_PLACES = {"ms_per_phrase": 1, "ms_first_phrase": 1}
_LEGEND = f"""\
- mIoU: the mean over phrases of intersection over union. A phrase that nothing in the picture fits
  counts 1 where the answer is "nothing", otherwise 0; "nothing" where there is something counts 0.
- oIoU: all intersections over all unions, of phrases that something fits. P@0.5: phrases whose IoU
  is {RIGHT} or more. Boundary F: with a tolerance of {TOLERANCE} of the diagonal.
- N-acc: phrases that nothing fits, answered "nothing". T-acc: phrases that something fits, answered
  with a region.
- ECE: how far the confidence of answers is from the share that is right (lower is better), in
  {BINS} bins; – for proposers whose confidence never varies.
- ms first: the first phrase about a picture; ms next: a further one. Medians of a few pictures, the
  proposers in turns.
"""
_CHANGE = """\
- change mIoU: the region that an edit of the thing changes, shadow included, against the exact
  difference of replace edits; – for proposers that know the thing alone. true_mask: the thing and
  its shadow exactly, which is what the picture shows: not what comes in the thing's place.
"""


def markdown(rows: Sequence[Row], header: Mapping[str, Any]) -> str:
    """The whole of regions.md: all phrases, mIoU by split, and what the columns mean."""
    whole = [row for row in rows if row["split"] == ALL]
    facts = " · ".join(f"{name} {value}" for name, value in header.items())
    n = {row["split"]: row["n"] for row in rows}
    splits = [split for split in n if split != ALL]
    columns = columns_of(rows)
    body = [
        "# Regions measured",
        f"{n.get(ALL, 0)} phrases · {facts}",
        table(["proposer", *columns.values()], [_cells(row, columns) for row in whole], left=1),
        "## mIoU by split",
        table(
            ["proposer", *(f"{split} ({n[split]})" for split in splits)],
            [[row["proposer"], *_by_split(rows, row["proposer"], splits)] for row in whole],
            left=1,
        ),
        _LEGEND + (_CHANGE if "change_miou" in columns else ""),
    ]
    return "\n\n".join(body)


def terminal_table(rows: Sequence[Row]) -> Table:
    """The rows of all phrases, for rich to print."""
    columns = columns_of(rows)
    shown = Table(box=SIMPLE_HEAD, padding=0, show_edge=False)
    shown.add_column("proposer", no_wrap=True)
    for name in columns.values():
        shown.add_column(_SHORT.get(name, name), justify="right")
    for row in rows:
        if row["split"] == ALL:
            shown.add_row(*_cells(row, columns))
    return shown


def columns_of(rows: Sequence[Row]) -> dict[str, str]:
    """Those of COLUMNS that hold a figure in some row."""
    return {
        key: name for key, name in COLUMNS.items() if any(row.get(key) is not None for row in rows)
    }


def _cells(row: Row, columns: Mapping[str, str]) -> list[str]:
    return [row["proposer"], *(_shown(key, row.get(key)) for key in columns)]


def _by_split(rows: Sequence[Row], proposer: str, splits: Sequence[str]) -> list[str]:
    found = {row["split"]: row["miou"] for row in rows if row["proposer"] == proposer}
    return [_shown("miou", found[split]) for split in splits]


def _shown(key: str, value: float | None) -> str:
    """One figure as text."""
    return "–" if value is None else f"{value:.{_PLACES.get(key, 3)}f}"
