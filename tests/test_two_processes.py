"""Training in two processes on a CPU: they share the work and end with one set of weights."""

from pathlib import Path

import pytest
import torch
from forked import in_two

import train

ROOT = Path(__file__).parents[1]


def test_two_processes_train_one_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [
        "train.py", "fit", "--config", str(ROOT / "configs/tabletop/judge.yaml"),
        "--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.strategy=ddp",
        "--trainer.precision=32-true", "--trainer.max_steps=4",
        "--trainer.enable_progress_bar=false", "--trainer.check_val_every_n_epoch=1",
        "--data.init_args.train_scenes=6", "--data.init_args.validation_scenes=4",
        "--data.init_args.size=64", "--data.init_args.batch_size=2",
        "--data.init_args.validation_samples=4", "--data.init_args.steps_per_epoch=2",
        "--model.init_args.widths=[8, 8]",
    ]  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", words)
    assert in_two(train.main) == [0, 0]
    checkpoint = torch.load(
        tmp_path / "runs/tabletop/judge/checkpoints/last.ckpt", weights_only=True
    )
    assert checkpoint["global_step"] == 4
    assert (tmp_path / "runs/tabletop/judge/weights/model.safetensors").is_file()
