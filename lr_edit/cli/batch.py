"""infer.py batch: the edits of a manifest, shared between processes, and gone on with when stopped.

A line of the manifest is one edit, as `lr_edit.cli.bulk.manifest` reads it.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser

from lr_edit.cli.bulk.launch import TrainerOptions, build_trainer, end_with_parent, shard
from lr_edit.cli.bulk.manifest import Failure, Line, read_manifest
from lr_edit.cli.options import add_edit_options, option_values
from lr_edit.cli.parsing import new_parser
from lr_edit.errors import UserError

if TYPE_CHECKING:  # these load torch and lightning
    from lightning import Trainer

    from lr_edit.cli.bars import Bars
    from lr_edit.cli.bulk.predict import BulkEditor
    from lr_edit.cli.bulk.store import Store

_ABOUT = (
    "Make the edits of a manifest, one JSON object a line: "
    '{"id": "a", "image": "a.png", "replace": "the mug", "with": "a cat", "seed": 3}. Options '
    "given here hold for lines that do not say otherwise. Each edit has its folder, DIR/ID; "
    "DIR/results.jsonl lists all lines, DIR/errors.jsonl those that failed. Started again, it goes "
    "on where it was stopped."
)
_USAGE = "infer.py batch --manifest FILE --output DIR [options]"


def run(arguments: Sequence[str]) -> None:
    """Makes all edits that are not there yet, and prints how many there are.

    Raises UserError for a manifest that is missing or empty, for wrong options, for weights that
    are missing or damaged, and in the end when some lines failed.
    """
    end_with_parent()
    values = option_values(batch_parser(), arguments)
    values.device = values.trainer.accelerator  # for the reports
    manifest, options = values.pop("manifest"), TrainerOptions(**values.pop("trainer").as_dict())
    lines, failures = read_manifest(manifest, values)
    total = len(lines) + len(failures)
    from lr_edit.cli.bars import Bars, quiet_libraries
    from lr_edit.cli.bulk.predict import BulkEditor, load_for, silent_bars
    from lr_edit.cli.bulk.store import Store
    from lr_edit.models import load_models

    with quiet_libraries():
        trainer, store = build_trainer(options), Store(values.output, values.overwrite)
        device, to_do = str(trainer.strategy.root_device), store.pending(lines)
        with Bars() if trainer.is_global_zero else silent_bars() as bars:
            bars.stage("loading models")
            models = load_models(values.models, device)
            load_for(to_do, models)
            editor = BulkEditor(models, device, values.threads)
            failures = edited(trainer, editor, store, lines, failures, bars)
    if trainer.is_global_zero:
        print(summary(store.root, total, failures, before=len(lines) - len(to_do)))


def batch_parser() -> ArgumentParser:
    """The parser of `infer.py batch`."""
    parser = new_parser("batch", _ABOUT, _USAGE)
    add = parser.add_argument
    add("--config", action="config", help="YAML file with any of these options")
    add("--manifest", required=True, metavar="FILE", help="the edits, one JSON object a line")
    add("--output", required=True, metavar="DIR", help="folder for the edits; finished ones stay")
    add("--overwrite", action="store_true", help="redo edits whose line or options have changed")
    add("--image", help="the picture of lines that name none")
    parser.add_class_arguments(TrainerOptions, "trainer")
    add_edit_options(parser)
    return parser


def edited(
    trainer: "Trainer",
    editor: "BulkEditor",
    store: "Store",
    lines: Sequence[Line],
    failures: Sequence[Failure],
    bars: "Bars",
) -> list[Failure]:
    """Makes what is to be made, a shard in each process; the first writes the index.

    failures: lines that could not be read. Returns, in the first process, all that failed.
    """
    from lr_edit.cli.bulk.index import write_index

    first = trainer.is_global_zero
    with store.claimed() if first else nullcontext():
        failed = list(failures)
        if store.pending(lines):  # nothing is made before all processes have come to this
            failed += predicted(trainer, editor, store, lines, bars)
        return write_index(store, lines, failed) if first else failed


def predicted(
    trainer: "Trainer", editor: "BulkEditor", store: "Store", lines: Sequence[Line], bars: "Bars"
) -> list[Failure]:
    """The failures of all processes, once each has made its shard.

    A line belongs to a process by its place in the manifest, whatever is finished already.
    """
    from torch.utils.data import DataLoader

    from lr_edit.cli.bulk.predict import EditWriter, Progress

    own = store.pending(shard(lines, trainer.global_rank, trainer.world_size))
    writer = EditWriter(store)
    progress = Progress(bars, len(own), writer.failures)
    trainer.callbacks += [writer, progress]  # type: ignore[attr-defined]
    batches: DataLoader[Line] = DataLoader(dataset=own, batch_size=None)  # type: ignore[arg-type]
    try:
        trainer.predict(editor, batches, return_predictions=False)
    except SystemExit as end:  # what Lightning makes of Ctrl-C
        raise KeyboardInterrupt from end
    bars.stage("waiting for the other processes" if trainer.world_size > 1 else "writing")
    return writer.gathered()


def summary(output: Path, total: int, failures: Sequence[Failure], before: int) -> str:
    """What a person is told in the end; UserError when some lines failed."""
    if failures:
        raise UserError(
            f"{len(failures)} of {total} lines failed, the first is line {failures[0].number}: "
            f"{failures[0].error}; all are in {str(output / 'errors.jsonl')!r}"
        )
    old = f", {before} of them from before" if before else ""
    return f"{total} edits are in {output}{old}; {output / 'results.jsonl'} lists them"
