"""The recipe for photographs in two processes on a CPU, as it is but tiny: fit, then predict.

The first starts its second process itself, as on anybody's machine.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import weights
from data_fakes import image_folder
from forked import in_two
from test_data_module import part, tiny

import train

ROOT = Path(__file__).parents[1]
SHARED = ("--trainer.devices=2", "--data.init_args.batch_size=2")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """configs/region_photo.yaml with tiny models and pictures."""
    folder = tmp_path_factory.mktemp("photo")
    weights.clip_and_dino(folder)
    pictures = part("folder.ImageFolder", folder=str(image_folder(folder / "pictures", 8)))
    return tiny("region_photo", folder, folder, pictures, pictures)


@pytest.fixture(scope="module")
def fitted(recipe: Path) -> subprocess.CompletedProcess[str]:
    """Four steps with the feature cache, and what was said."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    still = (f"--data.init_args.dataset.init_args.{name}=0" for name in ("cropped", "jitter"))
    return subprocess.run(
        [
            sys.executable, str(ROOT / "train.py"), "fit", "--config", str(recipe), *SHARED, *still,
            "--trainer.max_steps=4", "--data.init_args.steps_per_epoch=2",
            "--trainer.check_val_every_n_epoch=1", "--data.init_args.validation_samples=3",
            "--model.init_args.features.init_args.cache=cache",
        ],
        cwd=recipe.parent, env=environment, capture_output=True, text=True, timeout=600,
    )  # fmt: skip


def test_two_processes_train_with_one_feature_cache(
    recipe: Path, fitted: subprocess.CompletedProcess[str]
) -> None:
    assert fitted.returncode == 0, fitted.stderr[-2000:]
    assert "MEMBER: 2/2" in fitted.stderr and fitted.stderr.count("feature cache") == 1
    assert "training: 16 pictures tried, none skipped" in fitted.stderr
    run = recipe.parent / "runs/region_photo"
    checkpoint = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 4
    assert (run / "weights/model.safetensors").is_file()
    assert list((recipe.parent / "cache").rglob("about.json"))


@pytest.mark.usefixtures("fitted")
def test_two_processes_predict_each_sample_once(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", "--config", str(recipe), *SHARED, "--data.init_args.test_samples=5"]
    words += ["--ckpt_path", "runs/region_photo/checkpoints/last.ckpt"]
    masks = recipe.parent / "runs/region_photo/predictions"
    monkeypatch.chdir(recipe.parent)
    monkeypatch.setattr("sys.argv", ["train.py", *words])
    assert in_two(train.main) == [0, 0]
    assert "test: 5 pictures tried, none skipped" in capfd.readouterr().err
    lines = [json.loads(line) for line in (masks / "masks.jsonl").read_text().splitlines()]
    assert [line["file"] for line in lines] == [
        f"{n:06d}/{k}.png" for n in range(5) for k in range(4)
    ]
    found = {path.relative_to(masks).as_posix() for path in masks.rglob("*.*")}
    assert found == {line["file"] for line in lines} | {"masks.jsonl"} | {
        f"{n:06d}/masks.json" for n in range(5)
    }
