"""configs/region.yaml with tiny models and data, and callbacks that watch or end its training."""

import csv
import hashlib
import json
import os
import signal
from pathlib import Path
from typing import Any

import yaml
from lightning import Callback
from safetensors.torch import load_file, save_file
from torch import Tensor

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "configs/region.yaml"

DATA = {
    "train_scenes": 4, "validation_scenes": 3, "size": 64, "pairs": 2, "batch_size": 2,
    "validation_samples": 2, "steps_per_epoch": 2,
}  # fmt: skip
TINY = {"width": 16, "heads": 2, "mixers": 1, "side": 64, "wishes": True}
DECAY = 0.8
"""Of the moving average, which starts with the first step."""


class Watch(Callback):
    """After every step: seen/RANK.jsonl gets what it saw, seen/STEP.safetensors what it left."""

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        folder = Path("seen")
        folder.mkdir(exist_ok=True)
        pictures = [hashlib.sha256(x.numpy().tobytes()).hexdigest()[:16] for x in batch["image"]]
        line = {"step": trainer.global_step, "loss": float(outputs["loss"]), "pictures": pictures}
        with (folder / f"{trainer.global_rank}.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        if trainer.is_global_zero:
            state = {name: value.clone() for name, value in pl_module.network.state_dict().items()}
            save_file(state, folder / f"{trainer.global_step}.safetensors")


class Dies(Callback):
    """Nobody has time to say anything: the process is killed as a step begins."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def tiny(place: Path, clip: Path) -> Path:
    """The recipe in a new folder: tiny, watched, logging every step."""
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    config["trainer"] |= {
        "accelerator": "cpu", "precision": "32-true", "enable_progress_bar": False,
        "enable_model_summary": False, "log_every_n_steps": 1,
    }  # fmt: skip
    callbacks = config["trainer"]["callbacks"]
    (average,) = (c for c in callbacks if c["class_path"].endswith("Averaging"))
    average["init_args"] = {"decay": DECAY}
    callbacks.append({"class_path": "fit_fakes.Watch"})
    model = config["model"]["init_args"]
    dense = model["features"]["init_args"]["clip"]["init_args"]
    dense |= {"layers": [1], "side": 32, "stride": 0}
    dense["encoder"]["init_args"]["name"] = f"local-dir:{clip}"
    # What is exported is what was learned, and every step moves it far.
    model |= {"target": 0, "network": TINY}
    model["schedule"] = {"learning_rate": 0.01, "warmup": 1}
    config["data"]["init_args"] |= DATA | {"folder": str(clip.parent / "scenes")}
    place.mkdir()
    path = place / "region.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def seen(place: Path, rank: int = 0) -> list[dict[str, Any]]:
    """What Watch says that a process saw, step by step."""
    return [json.loads(line) for line in (place / f"seen/{rank}.jsonl").read_text().splitlines()]


def left(place: Path, step: int) -> dict[str, Tensor]:
    """The network's weights after so many steps."""
    return load_file(place / f"seen/{step}.safetensors")


def exported(place: Path) -> dict[str, Tensor]:
    """The weights that a training gave, float16."""
    return load_file(place / "runs/region/weights/model.safetensors")


def curves(place: Path) -> dict[tuple[int, str], float]:
    """The newest metrics.csv: the value of each metric at each step."""
    path = max(place.glob("runs/region/version_*/metrics.csv"), key=lambda p: p.stat().st_mtime)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        (int(row["step"]), name): float(value)
        for row in rows
        for name, value in row.items()
        if value and name.startswith(("loss", "val_"))
    }
