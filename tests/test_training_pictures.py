"""What a training of the region network leaves to look at."""

import csv
import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from lr_edit.errors import UserError
from lr_edit.training.cli import run

CONFIG = Path(__file__).parents[1] / "configs/region.yaml"

SMALL = [
    "--config", str(CONFIG), "--trainer.accelerator=cpu", "--trainer.precision=32-true",
    "--trainer.enable_progress_bar=false", "--trainer.max_steps=4",
    "--trainer.check_val_every_n_epoch=1", "--data.init_args.train_scenes=4",
    "--data.init_args.validation_scenes=3", "--data.init_args.size=64",
    "--data.init_args.pairs=2", "--data.init_args.batch_size=2",
    "--data.init_args.validation_samples=2", "--data.init_args.steps_per_epoch=2",
    "--data.init_args.test_scenes=3", "--data.init_args.test_samples=4",
    "--model.init_args.network={width: 16, heads: 2, mixers: 1, side: 64}",
]  # fmt: skip


def test_a_curve_of_losses_has_the_mean_since_the_validation_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["train.py"])
    monkeypatch.chdir(tmp_path)
    run(["fit", *SMALL, "--trainer.log_every_n_steps=1"])
    (logged,) = tmp_path.glob("runs/region/version_*/metrics.csv")
    with logged.open() as lines:
        losses = [float(row["loss"]) for row in csv.DictReader(lines) if row["loss"]]
    checkpoint = torch.load(tmp_path / "runs/region/checkpoints/last.ckpt", weights_only=True)
    (kept,) = (
        state for name, state in checkpoint["callbacks"].items() if "ValidationPictures" in name
    )
    (first, mean_before), (second, mean_after) = kept["curves"]["loss"]
    assert (first, second) == (2, 4) and len(losses) == 4
    assert mean_before == pytest.approx(sum(losses[:2]) / 2, rel=1e-4)
    assert mean_after == pytest.approx(sum(losses[2:]) / 2, rel=1e-4)
    assert kept["sums"] == {}
    assert len(kept["curves"]["val_miou"]) == 2


def test_masks_and_curves_are_drawn_after_every_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["train.py"])
    monkeypatch.chdir(tmp_path)
    run(["fit", *SMALL])
    pictures = tmp_path / "runs/region/pictures"
    names = sorted(path.name for path in pictures.iterdir())
    assert names == ["curves.png", "step_000002.png", "step_000004.png"]
    for name in names:
        assert Image.open(pictures / name).getextrema() != ((255, 255),) * 3
    assert list(tmp_path.glob("runs/region/version_*/events.out.tfevents*"))
    assert (tmp_path / "runs/region/weights/model.safetensors").stat().st_size < 10_000_000
    checkpoint = "runs/region/checkpoints/last.ckpt"
    run(["validate", *SMALL, "--ckpt_path", checkpoint])
    run(["predict", *SMALL, "--ckpt_path", checkpoint])
    predictions = tmp_path / "runs/region/predictions"
    lines = [json.loads(line) for line in (predictions / "masks.jsonl").open()]
    assert len(lines) == 4 * 8 and all(line["phrase"] for line in lines)
    assert all(0 <= line["presence"] <= 1 for line in lines)
    pngs = (path.relative_to(predictions).as_posix() for path in predictions.glob("*/*.png"))
    assert [line["file"] for line in lines] == sorted(pngs)
    assert Image.open(predictions / lines[0]["file"]).size == (64, 64)
    with pytest.raises(UserError, match=r"trained on .* layers 2,4,6 .*given .* layers 6 "):
        other = "--model.init_args.features.init_args.clip.init_args.layers=[6]"
        run(["validate", *SMALL, other, "--ckpt_path", checkpoint])
