"""The data module hands edit pairs to data sets that want them, and batches as they say."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from jsonargparse import ArgumentParser
from lightning import LightningDataModule

from lr_edit.tabletop.judged import JudgedRegions
from lr_edit.tabletop.referring import ReferringSamples
from lr_edit.training.data import TabletopData

SMALL = {"train_scenes": 4, "validation_scenes": 2, "size": 48, "batch_size": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenes")


def ready(data: TabletopData) -> TabletopData:
    data.prepare_data()
    data.setup("fit")
    return data


def test_pairs_are_handed_over_where_they_are_wanted(folder: Path) -> None:
    data = ready(TabletopData(ReferringSamples, **SMALL, pairs=3, folder=str(folder)))
    assert isinstance(data.train, ReferringSamples)
    assert isinstance(data.validation, ReferringSamples)
    assert data.train.pairs is not None and len(data.train.pairs) == 3
    assert data.validation.pairs is not None and len(data.validation.pairs) == 2
    assert data.train.pairs.edit(0) != data.validation.pairs.edit(0)


def test_crowded_scenes_are_for_learning_alone(folder: Path) -> None:
    data = ready(TabletopData(ReferringSamples, **SMALL, crowded=3, folder=str(folder)))
    assert isinstance(data.train, ReferringSamples) and data.train.crowded is not None
    assert isinstance(data.validation, ReferringSamples) and data.validation.crowded is None
    crowded = data.train.crowded
    for index, picture in enumerate(crowded.instances):
        assert len(crowded.scene(index).things) >= 5
        assert picture.max() <= len(crowded.scene(index).things)
    data.train.crowded_share = 1.0
    shown = {tuple(data.train[k]["traits"].flatten().tolist()) for k in range(12)}
    assert len(shown) <= 2 * len(crowded)  # in colours, and gray
    many = TabletopData(ReferringSamples, **SMALL, crowded=10**6, folder=str(folder))
    assert len(many.crowded_scenes()) == SMALL["train_scenes"]


def test_batches_are_made_by_the_data_set_where_it_can(folder: Path) -> None:
    data = ready(TabletopData(ReferringSamples, **SMALL, folder=str(folder)))
    assert isinstance(data.train, ReferringSamples) and data.train.pairs is None
    batch = next(iter(data.train_dataloader()))
    assert len(batch["phrases"]) == 8 and batch["object"].shape == (2, 4, 48, 48)
    expected = ReferringSamples.collate([data.train[0], data.train[1]])
    assert batch["phrases"] == expected["phrases"]
    assert torch.equal(batch["image"], expected["image"])


def test_weights_that_were_trained_before_go_on_with_new_samples(folder: Path) -> None:
    def phrases(**options: int) -> list[str]:
        data = ready(TabletopData(ReferringSamples, **SMALL, folder=str(folder), **options))
        return next(iter(data.train_dataloader()))["phrases"]

    data = ready(TabletopData(ReferringSamples, **SMALL, folder=str(folder)))
    fresh = ReferringSamples.collate([data.train[6], data.train[7]])
    assert phrases(first_step=3) == fresh["phrases"] != phrases()


@pytest.mark.parametrize(
    ("device", "world", "told", "expected"),
    [("cpu", 1, None, 0), ("cuda", 1, None, 14), ("cuda", 4, None, 2), ("cuda", 16, None, 1),
     ("cuda", 1, 0, 0), ("cpu", 1, 3, 3)],
)  # fmt: skip
def test_samples_are_prepared_beside_a_gpu(
    device: str, world: int, told: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    data = TabletopData(ReferringSamples, **SMALL, workers=told)
    strategy = SimpleNamespace(root_device=torch.device(device))
    data.trainer = SimpleNamespace(strategy=strategy, world_size=world)  # type: ignore[assignment]
    assert data.helpers() == expected


def test_other_data_sets_are_batched_as_ever(folder: Path) -> None:
    data = ready(TabletopData(JudgedRegions, **SMALL, folder=str(folder)))
    batch = next(iter(data.val_dataloader()))
    assert batch["image"].shape == (2, 3, 64, 64) and len(batch["kind"]) == 2


def test_a_config_names_the_data_set_and_its_options(folder: Path) -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(LightningDataModule, "data")
    options = {**SMALL, "pairs": 2, "folder": str(folder)}
    dataset = {
        "class_path": "lr_edit.tabletop.referring.ReferringSamples",
        "init_args": {"phrases": 3, "gray_share": 0.5},
    }
    config = {"class_path": "lr_edit.training.data.TabletopData"}
    found = parser.parse_object({"data": {**config, "init_args": {**options, "dataset": dataset}}})
    data = ready(parser.instantiate(found).data)
    assert isinstance(data.train, ReferringSamples)
    assert (data.train.phrases, data.train.gray_share) == (3, 0.5)
    assert data.train.pairs is not None
