"""What a training of the region network leaves to look at."""

from pathlib import Path

import pytest
from PIL import Image

from lr_edit.training.cli import run

CONFIG = Path(__file__).parents[1] / "configs/region.yaml"


def test_masks_and_curves_are_drawn_after_every_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["train.py"])
    monkeypatch.chdir(tmp_path)
    run(
        [
            "fit", "--config", str(CONFIG), "--trainer.accelerator=cpu",
            "--trainer.precision=32-true", "--trainer.enable_progress_bar=false",
            "--trainer.max_steps=4", "--trainer.check_val_every_n_epoch=1",
            "--data.init_args.train_scenes=4", "--data.init_args.validation_scenes=3",
            "--data.init_args.size=64", "--data.init_args.pairs=2",
            "--data.init_args.batch_size=2", "--data.init_args.validation_samples=2",
            "--data.init_args.steps_per_epoch=2",
            "--model.init_args.network={width: 16, heads: 2, mixers: 1, side: 64}",
        ]
    )  # fmt: skip
    pictures = tmp_path / "runs/region/pictures"
    names = sorted(path.name for path in pictures.iterdir())
    assert names == ["curves.png", "step_000002.png", "step_000004.png"]
    for name in names:
        assert Image.open(pictures / name).getextrema() != ((255, 255),) * 3
    assert list(tmp_path.glob("runs/region/version_*/events.out.tfevents*"))
    assert (tmp_path / "runs/region/weights/model.safetensors").stat().st_size < 10_000_000
