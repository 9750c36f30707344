"""The rows of metrics.json as Markdown for a person; it knows nothing of models or pictures."""

from collections.abc import Sequence
from typing import Any

from lr_edit.evaluation.outcomes import ALL

COLUMNS = {
    "judge_success": "judge",
    "judge_success_interval": "95 %",
    "judge_success_colour": "and colour",
    "first_success": "first seed",
    "outside_identical": "outside identical",
    "psnr_outside": "PSNR outside",
    "psnr_inside": "PSNR inside",
    "lpips_target": "LPIPS",
    "lpips_source_baseline": "(source)",
    "ssim_target": "SSIM",
    "seam": "seam",
    "region_iou": "region IoU",
    "edited": "edited",
    "seconds_per_edit": "s/edit",
    "peak_rss_mb": "peak MiB",
}
SHARES = frozenset(
    ("judge_success", "judge_success_colour", "first_success", "outside_identical", "edited")
)
PLACES = {"psnr_outside": 1, "psnr_inside": 1, "seconds_per_edit": 2, "peak_rss_mb": 0}
LEGEND = """\
- judge: the strict judge names the wanted noun where it should stand, of the best-ranked candidate;
  beside it the 95 % Wilson interval, noun and colour both right, and the first seed's candidate.
- outside identical: edits of which no candidate changed a pixel outside the repainted region.
- PSNR in dB, area-normalised, at most {cap:.0f}: outside, where the exact target equals the source,
  against the source; inside, where it differs, against the exact target.
- LPIPS (lower is better) and SSIM (higher): in a square around the place, against the exact target;
  (source): the same LPIPS of the untouched source.
- seam: visible border, 0 = none. region IoU: against the thing's true mask. edited: edits for which
  a region was found; the others are failures, and count in no figure that only an edit has
  (outside, seam, s/edit).
- source and target: the untouched source, and the exact target, in the place of an edit.
"""


def markdown(rows: Sequence[dict[str, Any]], header: dict[str, Any], cap: float) -> str:
    """The whole of table.md: all edits, success by split, and what the columns mean."""
    whole = [row for row in rows if row["split"] == ALL]
    facts = " · ".join(f"{name} {value}" for name, value in header.items())
    splits = [s for s in dict.fromkeys(row["split"] for row in rows) if s != ALL]
    n = {row["split"]: row["n"] for row in rows}
    body = [
        "# Edits measured",
        f"{n.get(ALL, 0)} edits · {facts}",
        table(
            ["proposer", "editor", *COLUMNS.values()],
            [[*_names(row), *(_shown(key, row[key]) for key in COLUMNS)] for row in whole],
        ),
        "## The judge's success by split",
        table(
            ["proposer", "editor", *(f"{split} ({n[split]})" for split in splits)],
            [[*_names(row), *_by_split(rows, row, splits)] for row in whole],
        ),
        LEGEND.format(cap=cap),
    ]
    return "\n\n".join(body)


def _by_split(
    rows: Sequence[dict[str, Any]], row: dict[str, Any], splits: Sequence[str]
) -> list[str]:
    same = [other for other in rows if _names(other) == _names(row)]
    found = {other["split"]: other["judge_success"] for other in same}
    return [_shown("judge_success", found.get(split)) for split in splits]


def _names(row: dict[str, Any]) -> tuple[str, str]:
    return row["proposer"], row["editor"] or "–"


def _shown(key: str, value: Any) -> str:
    """One figure as text."""
    if value is None:
        return "–"
    if isinstance(value, list):
        return "–".join(f"{100 * bound:.0f}" for bound in value)
    if key in SHARES:
        return f"{value:.1%}"
    return f"{value:.{PLACES.get(key, 3)}f}"


def table(head: Sequence[str], body: Sequence[Sequence[str]], left: int = 2) -> str:
    """A Markdown table, padded so that it reads well as plain text too.

    left: how many columns are names, which stand left; the others are figures and stand right.
    """
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * w if place < left else "-" * (w - 1) + ":" for place, w in enumerate(widths)]
    return "\n".join([line(head), line(rule), *map(line, body)])
