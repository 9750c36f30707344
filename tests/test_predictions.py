"""Predicted masks: each sample once, however many processes there are and whenever they end."""

import json
import os
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch
from data_fakes import Scenes
from forked import environments, forking
from lightning import LightningModule, Trainer

from lr_edit.data.mixture import Mixture, Part
from lr_edit.data.module import PhraseData
from lr_edit.data.phrased import PhraseSamples
from lr_edit.data.remaining import to_predict
from lr_edit.errors import UserError
from lr_edit.training import predictions
from lr_edit.training.predictions import MaskFolder, MaskWriter

PHRASES = 2
OPTIONS: dict[str, Any] = {
    "accelerator": "cpu", "logger": False, "enable_checkpointing": False,
    "enable_progress_bar": False, "enable_model_summary": False, "use_distributed_sampler": False,
}  # fmt: skip


class Brightness(LightningModule):
    """For each phrase its picture's brightness, a little more for each further one."""

    def __init__(self, start: str = "") -> None:
        super().__init__()
        self.save_hyperparameters()

    def predict_step(self, batch: dict[str, Any], index: int) -> dict[str, Any]:
        light = batch["image"].mean(1, keepdim=True) * 0.2 + 0.4
        masks = torch.stack([light + 0.1 * k for k in range(PHRASES)], 1).flatten(0, 1)
        score = masks.mean((1, 2, 3))
        return {"phrases": batch["phrases"], "masks": masks, "score": score, "presence": score}


def samples(mixture: Mixture, length: int) -> PhraseSamples:
    return PhraseSamples(mixture, length, side=32, phrases=PHRASES, cropped=0, jitter=0)


def predict(
    folder: Path, count: int, batch_size: int = 4, seed: int = 0, start: str = "", **options: Any
) -> None:
    parts = [Part(Scenes(8))]
    data = PhraseData(
        samples, parts, parts, batch_size=batch_size, test_samples=count, seed=seed
    )  # fmt: skip
    trainer = Trainer(callbacks=[MaskWriter(str(folder))], **OPTIONS | options)
    trainer.predict(Brightness(start), data, return_predictions=False)


def files(folder: Path) -> dict[str, bytes]:
    """All files, hidden ones too, with what they hold."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "masks.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What ten samples give, predicted one by one."""
    folder = tmp_path_factory.mktemp("whole") / "masks"
    predict(folder, 10, batch_size=1)
    return files(folder)


def forked(work: Callable[..., None], *arguments: Any, **options: Any) -> BaseProcess:
    process = forking().Process(target=work, args=arguments, kwargs=options)
    process.start()
    return process


def killed_at(
    moment: int, folder: Path, environment: dict[str, str] | None = None, **options: Any
) -> None:
    """A prediction that is killed outright before its `moment`-th step of writing."""
    left = [moment]

    def before(work: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return work(*arguments, **more)

        return counted

    predictions.save_image = before(predictions.save_image)
    for name in ("mkdir", "write_text", "replace"):
        setattr(Path, name, before(getattr(Path, name)))
    if environment:
        os.environ.update(environment)
        options |= {"devices": 2, "strategy": "ddp"}
    predict(folder, **options)


def in_two(folder: Path, moments: tuple[int, int], **options: Any) -> list[int | None]:
    """Two processes killed at these moments (0: never); once one is, the other is as well."""
    both = [
        forked(killed_at, moment, folder, environment, **options)
        for moment, environment in zip(moments, environments(), strict=True)
    ]
    first = both[moments.index(max(moments))]
    first.join(timeout=300)
    for one in both:
        if any(moments):
            one.kill()
        one.join(timeout=300)
    return [one.exitcode for one in both]


def test_uneven_batches_give_a_file_for_every_line(tmp_path: Path, whole: dict[str, bytes]) -> None:
    folder = tmp_path / "masks"
    predict(folder, 10, batch_size=4)
    assert files(folder) == whole
    found = lines(folder)
    pngs = sorted(name for name in whole if name.endswith(".png"))
    assert [line["file"] for line in found] == pngs and len(found) == 10 * PHRASES
    assert pngs[:3] == ["000000/0.png", "000000/1.png", "000001/0.png"]
    assert all(0 <= line["score"] <= 1 and line["phrase"] for line in found)


def test_what_is_there_is_not_predicted_again(tmp_path: Path, whole: dict[str, bytes]) -> None:
    folder = tmp_path / "masks"
    predict(folder, 7)
    made = {path: path.stat().st_mtime_ns for path in folder.glob("*/*")}
    assert len(made) == 7 * (PHRASES + 1)
    predict(folder, 10)
    predict(folder, 10)
    assert files(folder) == whole
    assert made == {path: path.stat().st_mtime_ns for path in made}


@pytest.mark.parametrize("moments", [(1, 9, 40), (2, 18, 27), (5, 13, 49), (6, 51, 1)])
def test_a_process_may_be_killed_at_any_moment(
    tmp_path: Path, whole: dict[str, bytes], moments: tuple[int, ...]
) -> None:
    folder = tmp_path / "masks"
    made: dict[Path, int] = {}
    for moment in moments:
        process = forked(killed_at, moment, folder, count=10)
        process.join(timeout=300)
        assert process.exitcode in (0, -signal.SIGKILL)
        assert made == {path: path.stat().st_mtime_ns for path in made}
        kept = [path.parent for path in folder.glob("*/masks.json")]
        assert all(len(list(sample.iterdir())) == PHRASES + 1 for sample in kept)
        made |= {path: path.stat().st_mtime_ns for one in kept for path in one.iterdir()}
    predict(folder, 10)
    assert files(folder) == whole


def test_two_processes_share_an_uneven_count(tmp_path: Path, whole: dict[str, bytes]) -> None:
    folder = tmp_path / "masks"
    predict(folder, 1)
    assert in_two(folder, (0, 0), count=10, batch_size=2) == [0, 0]
    assert files(folder) == whole


@pytest.mark.parametrize("moments", [(8, 0), (0, 23), (17, 4)])
def test_two_processes_may_be_killed_and_one_goes_on(
    tmp_path: Path,
    whole: dict[str, bytes],
    moments: tuple[int, int],
) -> None:
    folder = tmp_path / "masks"
    assert -signal.SIGKILL in in_two(folder, moments, count=10, batch_size=2)
    assert 0 < len(MaskFolder(folder).finished()) < 10 and not (folder / "masks.jsonl").exists()
    predict(folder, 10)
    assert files(folder) == whole


def test_masks_of_something_else_are_not_taken_for_these(tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    predict(folder, 2, start=str(tmp_path))
    before = files(folder)
    with pytest.raises(UserError, match="of other samples: remove it"):
        predict(folder, 2, seed=1, start=str(tmp_path))
    (tmp_path / "model.safetensors").write_text("trained on")
    with pytest.raises(UserError, match="by other weights: remove it"):
        predict(folder, 2, start=str(tmp_path))
    assert files(folder) == before


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UserError, match="make room, or choose another folder"):
        predict(tmp_path / "file", 1)


def test_without_a_trainer_everything_is_to_be_predicted() -> None:
    assert to_predict(range(3), None) == [0, 1, 2]
