"""One data module for all recipes: rendered scenes → samples in an order fixed by their number.

It knows neither networks nor losses; the data set class says what a sample is.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, Sampler

from lr_edit.data.remaining import batches_taken, to_predict
from lr_edit.tabletop.cache import RenderedScenes, rendered
from lr_edit.tabletop.pairs import RenderedPairs, rendered_pairs


class Consecutive(Sampler[int]):
    """The numbers start, start + stride, … : `count` of them."""

    def __init__(self, start: int, count: int, stride: int = 1) -> None:
        self.start, self.count, self.stride = start, count, stride

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.start + self.count * self.stride, self.stride))

    def __len__(self) -> int:
        return self.count


class TabletopData(LightningDataModule):
    """Samples of `dataset` from tabletop scenes, endless and resumable at any epoch's end.

    dataset: called as dataset(scenes, length), and with pairs=… where edit pairs are rendered; it
    may have a function `collate` that makes a batch of its samples. train_scenes,
    validation_scenes: how many scenes (and test_scenes) are rendered, at `size` pixels, on `device`
    ("cpu" uses all cores). batch_size: samples a step. steps_per_epoch: an epoch is this many
    steps. train_split: the seeds to learn from. workers: processes that prepare samples; None:
    where a GPU learns, nearly one a core, else none. pairs: how many edit pairs are rendered of
    each split, though no more than scenes. crowded: how many crowded scenes are rendered to learn
    from, again no more than scenes; the data set is given them as crowded=…. measured: the data set
    of validation and test, where it is not that of training. first_step: how many steps the weights
    that training starts from have taken, so that it goes on with samples they have not seen.
    """

    def __init__(
        self,
        dataset: Callable[[RenderedScenes, int], Dataset[Any]],
        train_scenes: int = 24000,
        validation_scenes: int = 512,
        size: int = 128,
        batch_size: int = 32,
        steps_per_epoch: int = 250,
        validation_samples: int = 256,
        workers: int | None = None,
        device: str = "cpu",
        folder: str = ".cache/tabletop",
        train_split: str = "train",
        test_scenes: int = 512,
        test_samples: int = 2048,
        pairs: int = 0,
        measured: Callable[[RenderedScenes, int], Dataset[Any]] | None = None,
        first_step: int = 0,
        crowded: int = 0,
    ) -> None:
        super().__init__()
        self.allow_zero_length_dataloader_with_multiple_devices = True  # when little is left
        self.first_step = first_step
        self.dataset, self.measured = dataset, measured or dataset
        self.train_split = train_split
        self.counts = {
            train_split: train_scenes, "validation": validation_scenes, "test": test_scenes,
        }  # fmt: skip
        self.test_samples = test_samples
        self.size, self.batch_size, self.steps_per_epoch = size, batch_size, steps_per_epoch
        self.validation_samples, self.workers = validation_samples, workers
        self.device, self.folder, self.pairs = device, folder, pairs
        self.crowded = crowded

    def scenes(self, split: str) -> RenderedScenes:
        """The rendered scenes of a split, "train" for one."""
        return rendered(split, self.counts[split], self.size, self.folder, self.device)

    def edit_pairs(self, split: str) -> RenderedPairs:
        """The rendered edit pairs of a split."""
        count = min(self.pairs, self.counts[split])
        return rendered_pairs(split, count, self.size, self.folder, self.device)

    def crowded_scenes(self) -> RenderedScenes:
        """The rendered crowded scenes of the training split."""
        count = min(self.crowded, self.counts[self.train_split])
        return rendered(
            self.train_split, count, self.size, self.folder, self.device, part="crowded"
        )

    def samples(self, split: str, length: int) -> Dataset[Any]:
        """The data set of a split."""
        training = split == self.train_split
        more: dict[str, Any] = {"pairs": self.edit_pairs(split)} if self.pairs else {}
        if training and self.crowded:
            more["crowded"] = self.crowded_scenes()
        dataset = cast("Callable[..., Dataset[Any]]", self.dataset if training else self.measured)
        return dataset(self.scenes(split), length, **more)

    def prepare_data(self) -> None:
        stage = self.trainer.state.fn if self.trainer else "fit"
        if self.crowded and stage == "fit":
            self.crowded_scenes()
        for split in (
            ("test",) if stage in ("test", "predict") else (self.train_split, "validation")
        ):
            self.scenes(split)
            if self.pairs:
                self.edit_pairs(split)

    def setup(self, stage: str) -> None:
        if stage in ("test", "predict"):
            self.test = self.samples("test", self.test_samples)
            return
        self.train = self.samples(self.train_split, 2**40)
        self.validation = self.samples("validation", self.validation_samples)

    def train_dataloader(self) -> DataLoader[Any]:
        trainer = self.trainer
        step = self.first_step + (batches_taken(trainer) if trainer else 0)
        world = trainer.world_size if trainer else 1
        rank = trainer.global_rank if trainer else 0
        count = self.steps_per_epoch * self.batch_size
        sampler = Consecutive(step * self.batch_size * world + rank, count, world)
        return self.loader(self.train, sampler)

    def val_dataloader(self) -> DataLoader[Any]:
        return self.loader(self.validation, Consecutive(0, self.validation_samples))

    def test_dataloader(self) -> DataLoader[Any]:
        return self.loader(self.test, Consecutive(0, self.test_samples))

    def predict_dataloader(self) -> DataLoader[Any]:
        """This process's share of what is left of the test samples."""
        return self.loader(self.test, to_predict(self.test, self.trainer))

    def helpers(self) -> int:
        """How many processes prepare samples for each that learns."""
        if self.workers is not None:
            return self.workers
        if self.trainer is None or self.trainer.strategy.root_device.type == "cpu":
            return 0  # the cores are busy learning
        return max(1, (os.cpu_count() or 1) // self.trainer.world_size - 2)

    def loader(self, dataset: Dataset[Any], sampler: Iterable[int]) -> DataLoader[Any]:
        """Batches in the sampler's order."""
        helpers = self.helpers()
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=sampler,
            num_workers=helpers,
            collate_fn=getattr(dataset, "collate", None),
            persistent_workers=helpers > 0,
        )
