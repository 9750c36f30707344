"""Edits as predictions of Lightning: one line of a manifest in, one edit or failure out.

Which lines, which processes and which folder, others decide.
"""

import io
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter, Callback
from rich.console import Console

from lr_edit.backbones.memory import enough_memory
from lr_edit.cli.bars import Bars
from lr_edit.cli.bulk.manifest import Failure, Line
from lr_edit.cli.bulk.store import Store
from lr_edit.cli.edit import READING_REMEDY, Request, edit, load_parts, locate
from lr_edit.cli.region_results import write_region
from lr_edit.cli.results import write_results
from lr_edit.edit import EditResult
from lr_edit.errors import UserError
from lr_edit.files import load_mask, load_picture
from lr_edit.models import ModelSet
from lr_edit.regions.region import Region

_PATIENCE = timedelta(days=30)  # of processes that have done their share, with the others


@dataclass(frozen=True)
class Made:
    """What came of a line: an edit, or a region where no more was asked. seconds: by stage."""

    line: Line
    request: Request
    result: EditResult | Region
    seconds: dict[str, float]

    @property
    def scores(self) -> dict[str, float]:
        """The figures of the best candidate, or of the region."""
        if isinstance(self.result, Region):
            return {"confidence": self.result.confidence}
        best = self.result.best
        return {"confidence": self.result.region.confidence, "score": best.score, **best.scores}


def silent_bars() -> Bars:
    """Bars that nobody sees."""
    return Bars(Console(file=io.StringIO(), force_terminal=False))


def load_for(lines: Iterable[Line], models: ModelSet) -> None:
    """Loads what the lines need; UserError where weights are missing or damaged.

    A line that asks for what the set does not have at all fails later, alone.
    """
    for line in lines:
        try:
            _check_parts(line, models)
        except UserError:
            continue
        load_parts(line.settings, models, silent_bars())


def make(line: Line, models: ModelSet, device: str) -> Made:
    """The edit, or region, of a line; its pixels depend on the line and the models alone.

    Raises UserError for a bad picture or mask, for models that the set does not have, for too
    little memory, and NothingFits.
    """
    settings = line.settings
    began = time.perf_counter()
    _check_parts(line, models)
    picture = load_picture(settings.image)
    mask = None if settings.mask is None else load_mask(settings.mask, picture.size)
    request = Request(settings, picture, mask, models, device)
    seconds = {"starting": time.perf_counter() - began}
    if not settings.region_only:
        return Made(line, request, edit(request, silent_bars(), seconds), seconds)
    region = locate(request, silent_bars())
    return Made(line, request, region, {"region": time.perf_counter() - began})


class BulkEditor(LightningModule):
    """Makes one edit a batch, with models that are on `where`, a device, already."""

    def __init__(self, models: ModelSet, where: str, threads: int | None = None) -> None:
        """threads: of each process; as many as torch and Lightning like if not given."""
        super().__init__()
        self.models = models
        self.where = where
        self.threads = threads
        self.allow_zero_length_dataloader_with_multiple_devices = True  # fewer edits than processes

    def setup(self, stage: str) -> None:
        if self.threads is not None:
            torch.set_num_threads(self.threads)

    def on_predict_start(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # Lightning notes it, and predicts on

    def transfer_batch_to_device(self, batch: Line, device: torch.device, _: int) -> Line:
        return batch

    def predict_step(self, batch: Line, batch_idx: int) -> Made | Failure:
        """The edit of a line, or why it cannot be made."""
        try:
            with enough_memory(READING_REMEDY):
                return make(batch, self.models, self.where)
        except UserError as error:
            return Failure.of(batch.number, batch.id, error)


class EditWriter(BasePredictionWriter):
    """Puts each edit into its folder as it comes, and keeps the failures."""

    def __init__(self, store: Store) -> None:
        super().__init__("batch")
        self.store = store
        self.failures: list[Failure] = []
        self._group: Any = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if dist.is_initialized():
            self._group = dist.new_group(backend="gloo", timeout=_PATIENCE)

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: Made | Failure,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        if isinstance(prediction, Failure):
            self.failures.append(prediction)
            return
        try:
            self._write(prediction)
        except UserError as error:
            if isinstance(error.__cause__, OSError):  # the disk will refuse the others as well
                raise
            line = prediction.line
            self.failures.append(Failure.of(line.number, line.id, error))

    def _write(self, made: Made) -> None:
        """Raises UserError where the disk refuses, and where memory runs out."""
        result, seconds = made.result, made.seconds
        with self.store.edit(made.line, made.scores, sum(seconds.values())) as folder:
            if isinstance(result, Region):
                write_region(folder, made.request, result)
            else:
                write_results(folder, made.request, result, seconds)

    def gathered(self) -> list[Failure]:
        """The failures of all processes, once all have done their share."""
        if self._group is None:
            return self.failures
        shares: list[Any] = [None] * dist.get_world_size(self._group)
        dist.all_gather_object(shares, self.failures, group=self._group)
        return [failure for share in shares for failure in share]


class Progress(Callback):
    """Shows how many edits of this process are done, and how many of them `failures` lists."""

    def __init__(self, bars: Bars, total: int, failures: Sequence[Failure]) -> None:
        self.bars, self.total, self.failures = bars, total, failures
        self.done = 0

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.bars.stage("editing", self.total)

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any
    ) -> None:
        self.done += 1
        failed = f", {len(self.failures)} failed" if self.failures else ""
        self.bars.advance(f"{self.done}/{self.total}{failed}")


def _check_parts(line: Line, models: ModelSet) -> None:
    """UserError when the set lacks what the line needs; loads nothing."""
    hollow = ModelSet(dict.fromkeys(models.loaders, object), models.name)
    load_parts(line.settings, hollow, silent_bars())
