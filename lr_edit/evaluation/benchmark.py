"""The benchmark: test edits by every proposer and editor named, judged and compared with the truth.

python infer.py evaluate --config configs/evaluate.yaml --output DIR
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from lr_edit.backbones.base import PerceptualDistance
from lr_edit.backbones.devices import device_named
from lr_edit.backbones.judge import Judge
from lr_edit.builders import build_critics, build_editor
from lr_edit.evaluation.cases import Case, sample_cases
from lr_edit.evaluation.config import BenchmarkConfig, EditorVariant, read_config
from lr_edit.evaluation.editing import Edited, edit_case, perfect, untouched
from lr_edit.evaluation.judging import Verdict, judge_places
from lr_edit.evaluation.machine import forget_peak, peak_rss_mb, provenance
from lr_edit.evaluation.metrics import PSNR_CAP
from lr_edit.evaluation.outcomes import Outcome, measure, rows
from lr_edit.evaluation.pictures import Example, example, examples_sheet
from lr_edit.evaluation.proposers import PROPOSERS
from lr_edit.evaluation.tables import markdown
from lr_edit.files import save_image
from lr_edit.models import ModelSet, load_models
from lr_edit.output import check_output, explained, made_folder, replacing

REFERENCES = {"source": untouched, "target": perfect}
"""What stands in the place of an edit in two rows for comparison."""

FILES = ("metrics.json", "edits.jsonl", "table.md", "examples.png", "failures.png")
"""What a run writes."""

_JUDGED_AT_ONCE = 16

Edit = Callable[[Case], Edited]


@dataclass
class Report:
    """What has been measured so far: rows, single edits, and the examples to show."""

    config: BenchmarkConfig
    header: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)
    edits: list[dict[str, Any]] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    failures: list[list[Example]] = field(default_factory=list)

    def metrics(self) -> dict[str, Any]:
        """What metrics.json holds."""
        return self.header | {"config": asdict(self.config), "rows": self.rows}


def run(benchmark: BenchmarkConfig | str, output: str) -> dict[str, Any]:
    """Runs a benchmark, or that of a YAML file, and fills the folder `output`.

    metrics.json: header and rows; edits.jsonl: every single edit; table.md: the rows to read;
    examples.png: the first edits of the first row, as they came; failures.png: failed ones of all
    rows. They are written anew after every row. Returns what metrics.json holds. Raises UserError
    for a mistake in the configuration, missing weights, or a folder that cannot be written to.
    """
    config = read_config(benchmark) if isinstance(benchmark, str) else benchmark
    device = str(device_named(config.device))
    models, judge = load_models(config.models, device), Judge(config.judge, device)
    return evaluate(config, models, judge, output)


def evaluate(
    config: BenchmarkConfig, models: ModelSet, judge: Judge, output: str | Path
) -> dict[str, Any]:
    """`run` with networks that exist already.

    A variant that equals an earlier one is not run again: its rows repeat those figures.
    """
    check_output(output, overwrite=True, files=FILES)
    editing = {pair: _editing(config, models, *pair) for pair in config.pairs()}
    perceptual = models.perceptual  # all models are there now, before any work is done
    folder = made_folder(output)
    report = Report(config, provenance(device_named(config.device)) | {"seed": config.seed})
    cases = sample_cases(config.edits, config.splits, config.size)
    for name, same in REFERENCES.items():
        outcomes = [outcome for *_, outcome in measured(cases, same, judge, perceptual)]
        report.rows += rows(outcomes, name, None, None)
    known: dict[tuple[EditorVariant, str], list[dict[str, Any]]] = {}
    with _progress() as bar:
        for (editor, proposer), edit in editing.items():
            key = (replace(config.editors[editor], proposers=()), proposer)
            if key not in known:
                task = bar.add_task(f"{proposer} · {editor}", total=len(cases))
                done = partial(bar.advance, task)
                forget_peak()
                results = measured(cases, edit, judge, perceptual, done)
                known[key] = _take(report, results, proposer, editor)
            report.rows += [row | {"editor": editor} for row in known[key]]
            write(report, folder)
    return report.metrics()


def measured(
    cases: Sequence[Case],
    edit: Edit,
    judge: Judge,
    perceptual: PerceptualDistance,
    done: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Case, Edited, Outcome]]:
    """Every case edited and measured, the judge asked of several at once; `done` after each edit.

    The judge looks at the places where the target differs from the source, whatever was repainted:
    the right thing at the wrong place is no success, nor is one of several alone.
    """
    for start in range(0, len(cases), _JUDGED_AT_ONCE):
        chosen, edits = cases[start : start + _JUDGED_AT_ONCE], []
        for case in chosen:
            edits.append(edit(case))
            done()
        best = judge_cases(judge, [edited.best for edited in edits], chosen)
        first = judge_cases(judge, [edited.first for edited in edits], chosen)
        for case, edited, verdict, other in zip(chosen, edits, best, first, strict=True):
            yield case, edited, measure(case, edited, verdict, other, perceptual)


def judge_cases(judge: Judge, images: Sequence[Tensor], cases: Sequence[Case]) -> list[Verdict]:
    """A verdict for each image [1, 3, H, W]: of several places, the one that is most wrong."""
    pairs = [(i, p) for i, c in zip(images, cases, strict=True) for p in c.places]
    verdicts = iter(judge_places(judge, [i for i, _ in pairs], [p for _, p in pairs]))

    def worst(case: Case) -> Verdict:
        found = [next(verdicts) for _ in case.places]
        return min(found, key=lambda one: (one.names(case.wanted), one.describes(case.wanted)))

    return [worst(case) for case in cases]


def write(report: Report, folder: Path) -> None:
    """All files of a report, each whole or not at all; a sheet that an earlier run left goes where
    this one has nothing to show on it."""
    table = markdown(report.rows, report.header, PSNR_CAP)
    _write_text(folder / "metrics.json", json.dumps(report.metrics(), indent=1) + "\n")
    _write_text(folder / "edits.jsonl", "".join(f"{json.dumps(row)}\n" for row in report.edits))
    _write_text(folder / "table.md", table)
    limit = report.config.examples
    turns = zip_longest(*report.failures)
    failed = [shown for turn in turns for shown in turn if shown is not None][:limit]
    note = "source, region, result, exact target; red: the judge does not see what was asked"
    for name, chosen, title in (
        ("examples", report.examples, "The first edits, as they came"),
        ("failures", failed, "Failures of every row, in turn"),
    ):
        path = folder / f"{name}.png"
        if chosen:
            save_image(examples_sheet(chosen, title, note), path)
        else:
            with explained(folder):
                path.unlink(missing_ok=True)


def _editing(config: BenchmarkConfig, models: ModelSet, editor: str, proposer: str) -> Edit:
    """What edits one case by that editor and proposer; all its models are loaded now."""
    variant, device = config.editors[editor], device_named(config.device)
    built, critics = build_editor(models, variant), build_critics(models, variant)
    propose = PROPOSERS[proposer](models)

    def edit(case: Case) -> Edited:
        seeds = config.seeds(case.number, variant.count)
        return edit_case(case, propose(case), built, critics, seeds, device)

    return edit


def _take(
    report: Report, results: Iterable[tuple[Case, Edited, Outcome]], proposer: str, editor: str
) -> list[dict[str, Any]]:
    """Adds a row's edits, of which only figures and some pictures are kept; returns its rows."""
    limit, first_row = report.config.examples, not report.failures
    outcomes: list[Outcome] = []
    failures: list[Example] = []
    report.failures.append(failures)
    for case, edited, outcome in results:
        outcomes.append(outcome)
        names = {"proposer": proposer, "editor": editor, "instruction": case.edit.instruction}
        report.edits.append(names | {"success": outcome.success} | asdict(outcome))
        shown = example(case, edited, outcome, f"{proposer}, {editor}")
        if first_row and len(report.examples) < limit:
            report.examples.append(shown)
        if not outcome.success and len(failures) < limit:
            failures.append(shown)
    return rows(outcomes, proposer, editor, peak_rss_mb())


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )


def _write_text(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
