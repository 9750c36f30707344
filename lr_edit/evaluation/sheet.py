"""python -m lr_edit.evaluation.sheet: first results of a fixed seed, as they came, for the eye.

    python -m lr_edit.evaluation.sheet --count 24 --seed 1 --output sheet.png
    python -m lr_edit.evaluation.sheet --report-edits --output report.png
    python -m lr_edit.evaluation.sheet --failures 2 --output failures.png

Random replace edits on test scenes, none left out; or the five edits of Joshi and Aditya's report;
or the first random ones that the judge does not recognise. Each is shown as the program hands it
over: the best of --candidates by its own ranking, 4 unless told otherwise; 1 ranks nothing.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from rich.progress import track

from lr_edit.arguments import OneLineParser
from lr_edit.backbones.devices import device_named
from lr_edit.backbones.judge import Judge
from lr_edit.builders import build_critics, build_editor
from lr_edit.errors import UserError
from lr_edit.evaluation.case_edits import PLAIN
from lr_edit.evaluation.cases import Case, sample_cases
from lr_edit.evaluation.config import BenchmarkConfig, EditorVariant
from lr_edit.evaluation.editing import Edited, edit_case
from lr_edit.evaluation.judging import judge_places
from lr_edit.evaluation.pictures import region_picture, titled
from lr_edit.evaluation.proposers import PROPOSERS, check_proposers
from lr_edit.evaluation.report_edits import report_cases
from lr_edit.files import save_image
from lr_edit.images import to_pil
from lr_edit.models import ModelSet, load_models
from lr_edit.tabletop.sheet import Cell, Line, contact_sheet

DEFAULT = EditorVariant()
"""Four candidates, of which the program shows the best-ranked."""

_FIRST = 10_000  # scenes of the benchmark have lower numbers
_PAIR_SIDE, _REPORT_SIDE = 144, 208
_ROW, _MOST = 8, 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status, 2 for a user's mistake."""
    parser = OneLineParser(
        prog="python -m lr_edit.evaluation.sheet", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="a .png file")
    parser.add_argument("--count", type=int, default=24, help="random edits, at least 1")
    parser.add_argument("--seed", type=int, default=0, help="of scenes and candidates")
    parser.add_argument("--candidates", type=int, default=DEFAULT.count, help="of each, at least 1")
    parser.add_argument("--report-edits", action="store_true", help="the report's five instead")
    parser.add_argument("--failures", type=int, help="so many failed random edits instead")
    parser.add_argument("--proposer", help="true_mask (default for random ones), learned …")
    parser.add_argument("--models", default="tabletop", help="a model set")
    parser.add_argument("--device", default="cpu", help="cpu, auto or a GPU")
    options = parser.parse_args(arguments)
    try:
        models = load_models(options.models, options.device)
        proposer = options.proposer or ("learned" if options.report_edits else "true_mask")
        asked = (options.seed, proposer, options.device, EditorVariant(count=options.candidates))
        if options.report_edits:
            page = report_sheet(models, *asked)
        elif options.failures is not None:
            page = failures_sheet(models, options.failures, *asked)
        else:
            page = random_sheet(models, options.count, *asked)
        save_image(page, options.output)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"look at {options.output}")
    return 0


def random_sheet(
    models: ModelSet, count: int, seed: int, proposer: str = "true_mask", device: str = "cpu",
    variant: EditorVariant = DEFAULT, size: int = 128,
) -> Image.Image:  # fmt: skip
    """Pairs of source and result, the instruction below; every edit that was made is shown.

    Raises UserError for a count below 1, an unknown proposer, or a seed below 0.
    """
    if count < 1 or seed < 0:
        raise UserError(f"got count {count} and seed {seed}: give at least 1 and 0")
    cases = sample_cases(count, (PLAIN,), size, first=_FIRST + seed * count)
    results = first_results(cases, models, proposer, device, seed, variant)
    cells = [
        Cell(
            (to_pil(case.source)[0], to_pil(edited.best)[0]),
            (Line(case.edit.instruction, margin=0),),
        )
        for case, edited in zip(cases, results, strict=True)
    ]
    note = f"source and result, {ranked(variant)}; region: {proposer}; seed {seed}"
    return titled(contact_sheet(cells, min(4, count), _PAIR_SIDE), "First results", note)


def failures_sheet(
    models: ModelSet, count: int, seed: int, proposer: str = "true_mask", device: str = "cpu",
    variant: EditorVariant = DEFAULT, size: int = 128,
) -> Image.Image:  # fmt: skip
    """The first `count` random edits whose result the judge names wrongly, with its word.

    Raises UserError as `random_sheet` does, and where too few of the first _MOST edits fail.
    """
    if count < 1 or seed < 0:
        raise UserError(f"got {count} failures and seed {seed}: give at least 1 and 0")
    judge, tried = Judge(BenchmarkConfig().judge, device), 0
    cells: list[Cell] = []
    while len(cells) < count and tried < _MOST:
        cases = sample_cases(_ROW, (PLAIN,), size, first=_FIRST + seed * _MOST + tried)
        results = first_results(cases, models, proposer, device, seed, variant)
        shown, places = [edited.best for edited in results], [case.place for case in cases]
        verdicts = judge_places(judge, shown, places)
        tried += _ROW
        cells += [
            Cell(
                (to_pil(case.source)[0], to_pil(edited.best)[0], to_pil(case.target)[0]),
                (
                    Line(case.edit.instruction, margin=0),
                    Line(f"judge: {verdict.noun}", margin=0, faint=True),
                ),
            )
            for case, edited, verdict in zip(cases, results, verdicts, strict=True)
            if not verdict.names(case.wanted)
        ]
    if len(cells) < count:
        raise UserError(f"{len(cells)} of {tried} edits failed: ask for no more failures than that")
    note = (
        f"source, result, exact target; {ranked(variant)}; region: {proposer}; seed {seed}; "
        f"{tried} edits"
    )
    page = contact_sheet(cells[:count], min(2, count), _PAIR_SIDE)
    return titled(page, "The first that failed", note)


def report_sheet(
    models: ModelSet, seed: int, proposer: str = "learned", device: str = "cpu",
    variant: EditorVariant = DEFAULT, size: int = 128,
) -> Image.Image:  # fmt: skip
    """The report's five edits, one a column: source, region, result."""
    cases = report_cases(seed, size)
    results = first_results(cases, models, proposer, device, seed, variant)
    pairs = list(zip(cases, results, strict=True))
    rows = (
        [
            Cell((to_pil(case.source)[0],), (Line(case.edit.instruction, margin=0),))
            for case, _ in pairs
        ],
        [_cell(region_picture(*pair), "region") for pair in pairs],
        [_cell(to_pil(edited.best)[0], "result") for _, edited in pairs],
    )
    cells = [cell for row in rows for cell in row]
    note = f"at first try, {ranked(variant)}; region: {proposer}; seed {seed}"
    page = contact_sheet(cells, len(cases), _REPORT_SIDE)
    return titled(page, "The edits of the report", note)


def first_results(
    cases: Sequence[Case],
    models: ModelSet,
    proposer: str,
    device: str = "cpu",
    seed: int = 0,
    variant: EditorVariant = DEFAULT,
) -> list[Edited]:
    """Every case edited once, with seeds of its own. Raises UserError for an unknown proposer."""
    check_proposers((proposer,))
    propose, editor, critics = (
        PROPOSERS[proposer](models),
        build_editor(models, variant),
        build_critics(models, variant),
    )
    place, seeds = device_named(device), BenchmarkConfig(seed=seed).seeds
    return [
        edit_case(case, propose(case), editor, critics, seeds(case.number, variant.count), place)
        for case in track(cases, "Editing", transient=True)
    ]


def ranked(variant: EditorVariant) -> str:
    """How the result was chosen, in words."""
    one = "one candidate each"
    return one if variant.count == 1 else f"the best-ranked of {variant.count} candidates"


def _cell(picture: Image.Image, words: str) -> Cell:
    return Cell((picture,), (Line(words, margin=0, faint=True),))


if __name__ == "__main__":
    sys.exit(main())
