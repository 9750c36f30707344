"""Training on real pictures: batches, ranks, skipped pictures, and the two recipes as they are."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import weights
import yaml
from data_fakes import Scenes, image_folder, json_lines
from jsonargparse import ArgumentParser
from lightning import LightningDataModule

import train
from lr_edit.data.mixture import Part
from lr_edit.data.module import PhraseData, share
from lr_edit.data.phrased import PhraseSamples
from lr_edit.data.tally import Tally
from lr_edit.errors import UserError

CONFIGS = Path(__file__).parents[1] / "configs"
SIDE = 32
BARE = ("--trainer.logger=false", "--trainer.callbacks=[]")


def small(mixture: Any, length: int) -> PhraseSamples:
    return PhraseSamples(mixture, length, side=SIDE, phrases=2)


def ready(**options: Any) -> PhraseData:
    parts = {"train": [Part(Scenes(8))], "validation": [Part(Scenes(4))]}
    data = PhraseData(small, **{**parts, "batch_size": 2, "validation_samples": 4, **options})
    data.setup("fit")
    return data


def test_batches_come_by_number_and_pictures_of_all_sizes_go_together() -> None:
    data = ready(train=[Part(Scenes(8)), Part(Scenes(8, size=(30, 70)))], steps_per_epoch=3)
    batches = list(data.train_dataloader())
    assert len(batches) == 3 and batches[0]["image"].shape == (2, 3, SIDE, SIDE)
    expected = data.train.collate([data.train[2], data.train[3]])
    assert torch.equal(batches[1]["image"], expected["image"])
    assert len(list(data.val_dataloader())) == 2
    data.setup("test")
    assert len(data.test_dataloader().dataset) == 2048  # type: ignore[arg-type]


def test_training_goes_on_where_it_was_each_rank_with_its_own() -> None:
    data = ready(steps_per_epoch=2)
    data.trainer = SimpleNamespace(global_step=3, world_size=2, global_rank=1)  # type: ignore[assignment]
    first, second = data.train_dataloader()
    for batch, numbers in ((first, (13, 15)), (second, (17, 19))):
        expected = data.train.collate([data.train[k] for k in numbers])
        assert torch.equal(batch["image"], expected["image"])


def test_training_that_adds_up_gradients_goes_on_where_it_was() -> None:
    data = ready(steps_per_epoch=2)
    trainer = {"global_step": 3, "world_size": 1, "global_rank": 0, "accumulate_grad_batches": 2}
    data.trainer = SimpleNamespace(**trainer)  # type: ignore[assignment]
    batch = next(iter(data.train_dataloader()))
    expected = data.train.collate([data.train[12], data.train[13]])
    assert torch.equal(batch["image"], expected["image"])


def test_ranks_share_the_numbers_and_go_on_where_they_were() -> None:
    ranks = [list(share(100, 3, rank, 2)) for rank in range(2)]
    assert sorted(ranks[0] + ranks[1]) == list(range(100, 106))
    assert share(0, 4, 0, 1) == range(4)


def test_worker_processes_give_the_same_batches() -> None:
    alone, helped = (list(ready(workers=n, steps_per_epoch=2).train_dataloader()) for n in (0, 2))
    for first, second in zip(alone, helped, strict=True):
        assert torch.equal(first["image"], second["image"])
        assert first["phrases"] == second["phrases"]


def test_a_tally_says_what_was_skipped_and_when_it_is_too_much() -> None:
    tally = Tally(most=0.1, least=20)
    tally.add(19, [("damaged picture", "a.png", True)] * 3)
    tally.check()
    tally.add(1, [])
    with pytest.raises(UserError, match=r"3 of 20 .* more than 10%: 3 damaged picture .*a\.png"):
        tally.check()
    links = Tally(most=0.1, least=20)
    links.add(30, [("dead link", "http://a", False)] * 20)
    links.check()
    links.merge(tally)
    assert links.line("training") == (
        "training: 50 pictures tried, 23 skipped: 20 dead link (first: http://a), "
        "3 damaged picture (first: a.png)"
    )
    assert Tally().line("validation") == "validation: 0 pictures tried, none skipped"


def test_a_batch_in_which_nothing_could_be_used_ends_the_run() -> None:
    data = ready(train=[Part(Scenes(4, broken=range(4)))])
    batch = next(iter(data.train_dataloader()))
    with pytest.raises(UserError, match=r"no picture that can be used .* damaged picture: scene"):
        data.on_before_batch_transfer(batch, 0)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return weights.clip_and_dino(tmp_path_factory.mktemp("models"))


def tiny(name: str, models: Path, place: Path, train: Any, validation: Any) -> Path:
    """The recipe of that name with tiny models and data; every key stays as the recipe has it."""
    config = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text(encoding="utf-8"))
    model, data = config["model"]["init_args"], config["data"]["init_args"]
    features = model["features"]["init_args"]
    clip = {"name": f"local-dir:{models / 'clip'}", "pretrained": "", "device": "cpu"}
    dense, dino = features["clip"]["init_args"], features["dino"]["init_args"]
    exchange(dense["encoder"]["init_args"], clip)
    exchange(dense, {"layers": [1], "side": 32})
    exchange(dino, {"name": str(models / "dino"), "layers": [3], "side": 32, "device": "cpu"})
    if "init_args" in model["objective"]:
        exchange(model["objective"]["init_args"]["clip"]["init_args"], clip)
    exchange(model, {"network": {"width": 16, "heads": 2, "mixers": 1, "side": SIDE}})
    for part in ("dataset", "measured"):
        exchange(data[part]["init_args"], {"side": SIDE})
    exchange(data, {"train": train, "validation": validation, "batch_size": 8, "workers": 0})
    exchange(data, {"validation_samples": 8})
    exchange(config["trainer"], {"accelerator": "cpu", "precision": "32-true"})
    config["trainer"] |= {"enable_progress_bar": False, "enable_model_summary": False}
    path = place / f"{name}.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def exchange(options: dict[str, Any], others: dict[str, Any]) -> None:
    assert others.keys() <= options.keys()
    options.update(others)


def part(kind: str, **options: Any) -> list[dict[str, Any]]:
    return [{"source": {"class_path": f"lr_edit.data.{kind}", "init_args": options}}]


def fit(path: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> int:
    monkeypatch.chdir(path.parent)
    monkeypatch.setattr("sys.argv", ["train.py", "fit", "--config", str(path), *more])
    return train.main()


def test_one_broken_picture_of_forty_is_replaced_and_reported(
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pictures = part("folder.ImageFolder", folder=str(image_folder(tmp_path / "p", 40, broken=1)))
    whole = part("folder.ImageFolder", folder=str(image_folder(tmp_path / "v", 8)))
    path = tiny("region_photo", models, tmp_path, pictures, whole)
    assert fit(path, monkeypatch, "--trainer.fast_dev_run=5") == 0
    said = capsys.readouterr().err.splitlines()
    (line,) = [line for line in said if line.startswith("training: ")]
    assert line.startswith("training: 41 pictures tried, 1 skipped: 1 damaged picture (first: ")
    assert line.endswith("0.png)")
    assert "validation: 8 pictures tried, none skipped" in said


def test_too_many_broken_pictures_end_the_training_with_one_line(
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pictures = part("folder.ImageFolder", folder=str(image_folder(tmp_path / "p", 20, broken=4)))
    path = tiny("region_photo", models, tmp_path, pictures, pictures)
    assert fit(path, monkeypatch, "--trainer.max_steps=40", *BARE) == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("train.py: ")]
    assert "pictures cannot be used, more than 10%" in line and "damaged picture" in line
    assert "_mask" not in line and ".png" in line


def test_captions_are_enough_for_the_other_recipe(
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = part("folder.JsonLines", file=str(json_lines(tmp_path / "lines", 4)))
    whole = part("folder.ImageFolder", folder=str(image_folder(tmp_path / "v", 8)))
    path = tiny("region_photo_captions", models, tmp_path, said, whole)
    assert fit(path, monkeypatch, "--trainer.fast_dev_run=1", *BARE) == 0
    assert "training: 8 pictures tried, none skipped" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["region_photo", "region_photo_captions"])
def test_a_recipe_says_where_its_data_are_when_they_are_not_there(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach the Hub")

    monkeypatch.setattr("datasets.load_dataset", offline)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(LightningDataModule, "data")
    config = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text(encoding="utf-8"))
    data = parser.instantiate(parser.parse_object({"data": config["data"]})).data
    assert isinstance(data, PhraseData) and len(data.parts["train"]) in (1, 3)
    with pytest.raises(UserError, match="give a local copy"):
        data.setup("fit")
