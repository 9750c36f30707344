"""Sheets of edits for a person: source, region, result and truth, with their words."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw, ImageFont

from lr_edit.evaluation.cases import Case
from lr_edit.evaluation.editing import Edited
from lr_edit.evaluation.outcomes import Outcome
from lr_edit.images import mask_to_pil, to_pil
from lr_edit.sheet import PAPER, marked, wrapped
from lr_edit.tabletop.sheet import FAINT, GAP, INK, Cell, Line, contact_sheet

GOOD, BAD = (60, 160, 80), (215, 60, 60)
SIDE = 160
_TITLE, _TEXT = 19, 13


@dataclass(frozen=True, eq=False)
class Example:
    """One edit as it is shown: four pictures, what was asked, what the judge says."""

    pictures: tuple[Image.Image, ...]
    instruction: str
    outcome: Outcome
    source: str


def example(case: Case, edited: Edited, outcome: Outcome, source: str) -> Example:
    """The example of one edit; `source` says which proposer and editor it comes from."""
    shown = (
        to_pil(case.source)[0],
        region_picture(case, edited),
        to_pil(edited.best)[0],
        to_pil(case.target)[0],
    )
    return Example(shown, case.edit.instruction, outcome, source)


def region_picture(case: Case, edited: Edited) -> Image.Image:
    """The source with the region outlined, pale where nothing was repainted."""
    assert edited.region is not None  # only edits are shown
    weight = torch.zeros_like(edited.region) if edited.weight is None else edited.weight
    painted = (weight > 0).float()
    return marked(to_pil(case.source)[0], mask_to_pil(edited.region), mask_to_pil(painted))


def examples_sheet(examples: Sequence[Example], title: str, note: str) -> Image.Image:
    """Cells of source, region, result and exact target, each with the judge's word."""
    cells = [Cell(each.pictures, _lines(each)) for each in examples]
    return titled(contact_sheet(cells, 2, SIDE), title, note)


def titled(sheet: Image.Image, title: str, note: str) -> Image.Image:
    """The sheet with a line above it and a fainter one, wrapped where it is long."""
    font, small = ImageFont.load_default(_TITLE), ImageFont.load_default(_TEXT)
    lines = wrapped(note, small, sheet.width - 2 * GAP)
    top = GAP + _TITLE + 10 + (_TEXT + 6) * len(lines)
    page = Image.new("RGB", (sheet.width, sheet.height + top), PAPER)
    page.paste(sheet, (0, top))
    draw = ImageDraw.Draw(page)
    draw.text((GAP, GAP), title, fill=INK, font=font)
    for number, line in enumerate(lines):
        draw.text((GAP, GAP + _TITLE + 10 + number * (_TEXT + 6)), line, fill=FAINT, font=small)
    return page


def _lines(shown: Example) -> tuple[Line, ...]:
    outcome, verdict = shown.outcome, shown.outcome.verdict
    said = f"judge: {verdict.noun} ({verdict.noun_probability:.0%})"
    if outcome.success:
        said += f", {verdict.colour}"
    else:
        said += f", wanted: {_joined(outcome.wanted[1], outcome.wanted[0])}"
    return (
        Line(shown.instruction, GOOD if outcome.success else BAD),
        Line(said),
        Line(f"{outcome.split} · {shown.source}", faint=True),
    )


def _joined(colour: str, noun: str) -> str:
    return noun if colour == noun else f"{colour} {noun}"
