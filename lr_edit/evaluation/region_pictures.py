"""Sheets of regions for a person: phrase, truth and answers side by side, and the worst."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from lr_edit.evaluation.pictures import BAD, GOOD, titled
from lr_edit.evaluation.region_metrics import Answer
from lr_edit.evaluation.region_phrases import RegionCase
from lr_edit.images import mask_to_pil, to_pil
from lr_edit.regions.region import Region
from lr_edit.sheet import marked
from lr_edit.tabletop.sheet import Cell, Line, contact_sheet

_SIDE, _WORST_SIDE = 168, 168
_WORST_COLUMNS = 3
_NOTE = "outlined: the region; green: right, an IoU of at least 0.5, or rightly nothing"

Shown = tuple[Region, Answer]
"""An answer with the region that it is about."""


@dataclass(frozen=True, eq=False)
class Asked:
    """One case, the split it is of, and what each proposer, by name, says."""

    case: RegionCase
    split: str
    answers: Mapping[str, Shown]


def examples_sheet(asked: Sequence[Asked], title: str) -> Image.Image:
    """A row for every case: the picture, the truth, and the answer of every proposer."""
    cells = [cell for one in asked for cell in _row(one)]
    columns = 2 + len(asked[0].answers)
    return titled(contact_sheet(cells, columns, _SIDE), title, _NOTE)


def worst_sheet(asked: Sequence[Asked], title: str, note: str) -> Image.Image:
    """Cells of truth and answer, the phrase, IoU and confidence below; one answer to each case."""
    cells = [_pair(one) for one in asked]
    columns = min(_WORST_COLUMNS, len(cells))
    return titled(contact_sheet(cells, columns, _WORST_SIDE), title, note)


def outlined(image: Tensor, mask: Tensor) -> Image.Image:
    """The picture [1, 3, H, W] with what a mask [1, 1, H, W] selects outlined, the rest pale."""
    region = mask_to_pil((mask >= 0.5).float())
    return marked(to_pil(image)[0], region, region)


def answered(region: Region) -> Tensor:
    """The mask of an answer, all 0 where it is that nothing fits."""
    return region.mask * region.present


def says(answer: Answer) -> str:
    """An answer's figures in words."""
    what = f"IoU {answer.iou:.2f}" if answer.found else "nothing"
    return f"{what} · confidence {answer.confidence:.2f}"


def asks(case: RegionCase) -> str:
    """The phrase in quotes, marked where it is an edit prompt."""
    return f"“{case.phrase}”" + (" to be made" if case.reading == "edit" else "")


def _row(asked: Asked) -> list[Cell]:
    case = asked.case
    truth = "truth" if case.present else "truth: nothing fits"
    cells = [
        Cell((to_pil(case.image)[0],), (_plain(asks(case)), _plain(asked.split, faint=True))),
        Cell((outlined(case.image, case.mask),), (_plain(truth),)),
    ]
    for name, (region, answer) in asked.answers.items():
        picture = outlined(case.image, answered(region).to(case.image))
        lines = (Line(name, GOOD if answer.right else BAD), _plain(says(answer), faint=True))
        cells.append(Cell((picture,), lines))
    return cells


def _pair(asked: Asked) -> Cell:
    case, ((region, answer),) = asked.case, asked.answers.values()
    pictures = (
        outlined(case.image, case.mask),
        outlined(case.image, answered(region).to(case.image)),
    )
    lines = (
        _plain(asks(case) + ("" if case.present else ", which nothing fits")),
        Line(says(answer), GOOD if answer.right else BAD),
        _plain(asked.split, faint=True),
    )
    return Cell(pictures, lines)


def _plain(text: str, faint: bool = False) -> Line:
    return Line(text, margin=0, faint=faint)
