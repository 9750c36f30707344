"""One data module for real pictures: sources → samples in an order fixed by their number.

It knows neither networks nor losses; the data set class says what a sample is.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader

from lr_edit.data.mixture import Mixture, Part
from lr_edit.data.remaining import batches_taken, to_predict
from lr_edit.data.samples import PictureSamples
from lr_edit.data.tally import Tally

NAMES = {"train": "training", "validation": "validation", "test": "test"}


class PhraseData(LightningDataModule):
    """Samples of `dataset` from a mixture of sources, endless and resumable at any epoch's end.

    dataset: called as dataset(mixture, length). train, validation: the sources. test: those of
    `test` and `predict`; without any, validation's. measured: the data set of validation and test,
    where it is not that of training. batch_size: samples a step. steps_per_epoch: an epoch is this
    many steps. validation_samples, test_samples: how many. workers: processes that prepare samples.
    most_skipped: the share of broken records that is borne, once least_tried were tried or the run
    is over. seed: of the order.

    Processes share what is trained on and what is predicted, each sample once; each of them sees
    all samples of validation and test. Broken records are replaced by others, counted by reason and
    reported in a line at the end. Too many end the run with UserError.
    """

    def __init__(
        self,
        dataset: Callable[[Mixture, int], PictureSamples],
        train: list[Part],
        validation: list[Part],
        test: list[Part] | None = None,
        measured: Callable[[Mixture, int], PictureSamples] | None = None,
        batch_size: int = 16,
        steps_per_epoch: int = 500,
        validation_samples: int = 512,
        test_samples: int = 2048,
        workers: int = 0,
        most_skipped: float = 0.1,
        least_tried: int = 100,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.allow_zero_length_dataloader_with_multiple_devices = True  # when little is left
        self.dataset, self.measured = dataset, measured or dataset
        self.parts = {"train": train, "validation": validation, "test": test or validation}
        self.batch_size, self.steps_per_epoch = batch_size, steps_per_epoch
        self.counts = {"validation": validation_samples, "test": test_samples}
        self.workers, self.seed = workers, seed
        self.tallies = {name: Tally(most_skipped, least_tried) for name in NAMES}
        self.told = False

    def setup(self, stage: str) -> None:
        if stage in ("test", "predict"):
            self.test = self.samples("test")
            return
        if stage == "fit":
            self.train = self.dataset(Mixture(self.parts["train"], self.seed), 2**40)
        self.validation = self.samples("validation")

    def samples(self, split: str) -> PictureSamples:
        """The data set of validation or test."""
        return self.measured(Mixture(self.parts[split], self.seed), self.counts[split])

    def pictures(self) -> int:
        """How many different pictures training and validation show, at most; after `setup`.

        Raises UserError where training shows another version of a picture every time.
        """
        return self.train.pictures() + len(self.validation)

    def train_dataloader(self) -> DataLoader[Any]:
        trainer = self.trainer
        step = batches_taken(trainer) if trainer else 0
        world = trainer.world_size if trainer else 1
        rank = trainer.global_rank if trainer else 0
        count = self.steps_per_epoch * self.batch_size
        return self.loader(self.train, share(step * self.batch_size * world, count, rank, world))

    def val_dataloader(self) -> DataLoader[Any]:
        return self.loader(self.validation, range(len(self.validation)))

    def test_dataloader(self) -> DataLoader[Any]:
        return self.loader(self.test, range(len(self.test)))

    def predict_dataloader(self) -> DataLoader[Any]:
        return self.loader(self.test, to_predict(self.test, self.trainer))

    def loader(self, dataset: PictureSamples, numbers: Sequence[int]) -> DataLoader[Any]:
        """Batches of the samples of those numbers, in order."""
        _ = dataset.foreign  # read once, before the workers part
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=numbers,
            num_workers=self.workers,
            collate_fn=dataset.collate,
            persistent_workers=self.workers > 0,
        )

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Counts what was skipped for a batch; raises UserError where it is too much."""
        tried, skipped = batch.pop("tried"), batch.pop("skipped")
        split = self.split()
        tally = self.tallies[split]
        # A validation comes again and again: its records are counted the first time.
        first = split == "train" or tally.used < self.counts[split]
        if first and not (self.trainer and self.trainer.sanity_checking):
            tally.add(tried, skipped)
        if tried - len(skipped) < len(batch["image"]):
            tally.give_up(skipped)
        tally.check()
        return batch

    def split(self) -> str:
        """What the trainer is at."""
        trainer = self.trainer
        if trainer is not None and (trainer.testing or trainer.predicting):
            return "test"
        at_work = trainer is not None and (trainer.validating or trainer.sanity_checking)
        return "validation" if at_work else "train"

    def teardown(self, stage: str) -> None:
        self.check()

    def check(self) -> None:
        """Reports what was skipped, once and in all processes together; raises UserError where it
        was too much, unless the run was a trial (`fast_dev_run`)."""
        everyone = {name: gathered(tally) for name, tally in self.tallies.items()}
        for name, tally in everyone.items():
            first = not self.told and (self.trainer is None or self.trainer.is_global_zero)
            if tally.tried and first:
                print(tally.line(NAMES[name]), file=sys.stderr)
        self.told = True
        if self.trainer is not None and not self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            for tally in everyone.values():
                tally.check(over=True)


def share(start: int, count: int, rank: int, world: int) -> range:
    """The `count` numbers of process `rank` of `world`: every world-th from start + rank on."""
    return range(start + rank, start + rank + count * world, world)


def gathered(tally: Tally) -> Tally:
    """The counts of all processes; in the only one, its own."""
    distributed = torch.distributed
    if not (distributed.is_available() and distributed.is_initialized()):
        return tally
    tallies: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(tallies, tally)
    total = Tally(tally.most, tally.least)
    for one in tallies:
        total.merge(one)
    return total
