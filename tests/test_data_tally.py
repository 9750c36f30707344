"""Records that cannot be used: what a fit says of them at its end, and when they end it."""

from pathlib import Path

import pytest
import weights
from data_fakes import image_folder
from PIL import Image
from test_data_module import BARE, fit, part, tiny

from lr_edit.data.tally import Tally
from lr_edit.errors import UserError

Said = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """clip/ and dino/, the frozen networks of the recipe."""
    return weights.clip_and_dino(tmp_path_factory.mktemp("models"))


def with_empty_masks(folder: Path, count: int, empty: int) -> Path:
    """An imagefolder in which the first `empty` masks are black."""
    image_folder(folder, count)
    for k in range(empty):
        path = folder / f"{k}_mask.png"
        Image.new("L", Image.open(path).size).save(path)
    return folder


def learned(
    models: Path, place: Path, monkeypatch: pytest.MonkeyPatch, empty: int, *more: str
) -> int:
    """The exit status of a fit of five steps on 40 pictures, of which so many masks are empty."""
    pictures = part("folder.ImageFolder", folder=str(with_empty_masks(place / "p", 40, empty)))
    whole = part("folder.ImageFolder", folder=str(image_folder(place / "v", 8)))
    path = tiny("region_photo", models, place, pictures, whole)
    return fit(path, monkeypatch, *BARE, *more)


def told(said: Said) -> tuple[str, list[str]]:
    """The report of the training pictures, and the lines of an error."""
    lines = said.readouterr().err.splitlines()
    (report,) = [line for line in lines if line.startswith("training: ")]
    return report, [line for line in lines if line.startswith("train.py: ")]


def test_a_few_empty_masks_are_reported_at_the_end(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    assert learned(models, tmp_path, monkeypatch, 1, "--trainer.max_steps=5") == 0
    report, errors = told(capsys)
    assert not errors
    assert report.startswith("training: 41 pictures tried, 1 skipped: 1 empty mask (first: ")
    assert "0.png" in report


def test_many_empty_masks_end_a_run_even_of_few_pictures(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    assert learned(models, tmp_path, monkeypatch, 12, "--trainer.max_steps=5") == 2
    report, (error,) = told(capsys)
    assert "empty mask" in report
    assert "pictures cannot be used, more than 10%" in error and "empty mask (first: " in error
    assert not list(tmp_path.rglob("weights/*.safetensors"))  # nothing was exported


def test_a_trial_run_tells_them_and_ends_well(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    assert learned(models, tmp_path, monkeypatch, 12, "--trainer.fast_dev_run=1") == 0
    report, errors = told(capsys)
    assert report.startswith("training: ") and not errors


def test_the_share_counts_however_few_were_tried_once_it_is_over() -> None:
    tally = Tally(most=0.1, least=100)
    tally.add(19, [("empty mask", "a.png", True)])
    tally.check(over=True)
    tally.add(1, [("empty mask", "b.png", True)] * 2)
    tally.check()
    with pytest.raises(UserError, match=r"3 of 20 .* more than 10%: 3 empty mask"):
        tally.check(over=True)
    Tally().check(over=True)
