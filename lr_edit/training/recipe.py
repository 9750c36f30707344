"""What every training recipe shares: optimiser, schedule, reproducible noise, and export.

A recipe is a LightningModule that learns one network. Its random numbers depend on (seed, step)
alone, so that a run that was stopped goes on as it would have. It knows no data set.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule
from lightning.pytorch.callbacks import Timer
from torch import Tensor, nn

from lr_edit.backbones.memory import enough_memory
from lr_edit.errors import UserError
from lr_edit.training.run_facts import start_weights

_STEPS = ("training_step", "validation_step", "test_step", "predict_step")
_REMEDY = (
    "give a smaller --data.init_args.batch_size (half of it with --trainer.accumulate_grad_batches "
    "2 learns the same, but where samples of a batch are compared with each other), "
    "--trainer.precision bf16-mixed, or --trainer.accelerator cpu"
)


def training_share(trainer: Any) -> float:
    """How much of the training is over, in [0, 1]: by time where max_time is set, else by steps."""
    share = 0.0
    for timer in (c for c in trainer.callbacks if isinstance(c, Timer)):
        remaining = timer.time_remaining()
        if remaining is not None:
            elapsed = timer.time_elapsed()
            share = max(share, elapsed / max(1e-9, elapsed + remaining))
    if trainer.max_steps and trainer.max_steps > 0:
        share = max(share, trainer.global_step / trainer.max_steps)
    elif trainer.max_epochs and trainer.max_epochs > 0:
        share = max(share, trainer.current_epoch / trainer.max_epochs)
    return min(1.0, share)


@dataclass(frozen=True)
class Schedule:
    """How fast a recipe learns.

    Attributes:
        learning_rate: peak rate, reached after the warm-up.
        warmup: steps over which the rate rises.
        decay: share of the training, by time where `--trainer.max_time` is set, over which the
            rate falls linearly to a fiftieth at the end.
        weight_decay: on matrices only.
        seed: of all noise.
    """

    learning_rate: float = 1e-3
    warmup: int = 200
    decay: float = 0.5
    weight_decay: float = 0.01
    seed: int = 0


class Recipe(LightningModule):
    """AdamW under a schedule; every random number a function of seed and step.

    output: where `fit` writes the trained weights ("" = nowhere). Where memory runs out in a step,
    UserError says what helps.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in _STEPS:  # here, since Lightning calls them from many places
            if name in vars(cls):
                setattr(cls, name, enough_memory(_REMEDY)(vars(cls)[name]))

    def __init__(self, schedule: Schedule, output: str) -> None:
        super().__init__()
        self.schedule, self.output = schedule, output
        self.history: list[tuple[int, float]] = []
        self.seconds_before, self.began = 0.0, time.monotonic()
        self.start_weights: dict[str, str] = {}

    def generator(self, device: torch.device | str | None = None) -> torch.Generator:
        """Random numbers of this batch."""
        device = device or self.device
        rank = self.global_rank if self._trainer is not None else 0
        seed = (self.schedule.seed * 1_000_003 + self.batches_before()) * 64 + rank
        return torch.Generator(device).manual_seed(seed)

    def batches_before(self) -> int:
        """How many batches this process has learned from: several a step where gradients are added
        up."""
        if self._trainer is None:
            return self.global_step
        together = self.trainer.accumulate_grad_batches
        within = self.trainer.fit_loop.epoch_loop.batch_idx % together if together > 1 else 0
        return self.global_step * together + within

    def rate_factor(self, step: int) -> float:
        """The share of the peak rate used at `step`."""
        rise = min(1.0, (step + 1) / max(1, self.schedule.warmup))
        left = 1.0 - training_share(self.trainer)
        fall = min(1.0, left / max(1e-9, self.schedule.decay))
        return rise * max(0.02, fall)

    def configure_optimizers(self) -> Any:
        parameters = [p for p in self.parameters() if p.requires_grad]
        groups = [
            {
                "params": [p for p in parameters if p.ndim > 1],
                "weight_decay": self.schedule.weight_decay,
            },
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.schedule.learning_rate, betas=(0.9, 0.99))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.rate_factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_fit_start(self) -> None:
        # The folder may hold others by the time that the run is installed.
        if self.trainer.is_global_zero:
            begun = start_weights(self.hparams.get("start") or "")
            self.start_weights = self.start_weights or begun

    def on_train_batch_start(self, batch: Any, index: int) -> None:
        # Lightning counts a step too many for its loggers after every --ckpt_path.
        self.trainer.fit_loop.epoch_loop._batches_that_stepped = self.global_step

    @enough_memory(_REMEDY)
    def backward(self, loss: Tensor, *arguments: Any, **options: Any) -> None:
        super().backward(loss, *arguments, **options)

    @enough_memory(_REMEDY)
    def optimizer_step(self, *arguments: Any, **options: Any) -> None:
        super().optimizer_step(*arguments, **options)

    def log_loss(self, loss: Tensor) -> Tensor:
        """Log a training loss and keep it for the card's curve.

        Raises UserError when it is no longer a number: nothing good would come of going on.
        """
        self.log("loss", loss, prog_bar=True)
        if self.global_step % 50 == 0:
            value = float(loss.detach())
            if not math.isfinite(value):
                raise UserError(
                    f"the loss is {value} at step {self.global_step}; go on from an earlier "
                    "checkpoint with --ckpt_path, or lower --model.init_args.schedule.learning_rate"
                )
            self.history.append((self.global_step, value))
        return loss

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = self.history
        checkpoint["start_weights"] = self.start_weights
        checkpoint["seconds"] = self.seconds_before + time.monotonic() - self.began

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        for part in ("state_dict", "current_model_state"):  # the second where weights are averaged
            if part in checkpoint:
                check_state(checkpoint[part], self.state_dict())
        self.history = list(checkpoint.get("history", []))
        self.start_weights = dict(checkpoint.get("start_weights", {}))
        self.seconds_before = checkpoint.get("seconds", 0.0)
        start = checkpoint.get("hyper_parameters", {}).get("start")
        if start and "start" in self.hparams:  # where it all began, which a card tells
            self.hparams["start"] = start

    def on_fit_end(self) -> None:
        trial = getattr(self.trainer, "fast_dev_run", False)
        if self.output and self.trainer.is_global_zero and not trial:
            self.export(Path(self.output))

    def export(self, folder: Path) -> None:
        """Write the trained network in the format that its backbone class loads."""
        raise NotImplementedError


def check_state(given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Raises UserError unless a checkpoint's tensors are those of the recipe, by name and shape."""
    wrong = [
        *(f"{name} is missing" for name in expected if name not in given),
        *(f"{name} is none of its own" for name in given if name not in expected),
        *(
            f"{name} is {list(given[name].shape)} in place of {list(value.shape)}"
            for name, value in expected.items()
            if name in given and given[name].shape != value.shape
        ),
    ]
    if wrong:
        more = f", and {len(wrong) - 1} more like it" if len(wrong) > 1 else ""
        raise UserError(
            f"the checkpoint does not fit this recipe: {wrong[0]}{more}; give --ckpt_path a whole "
            "one that the same recipe wrote, with a network of the same size"
        )


def half_precision(module: nn.Module) -> dict[str, Tensor]:
    """The state with float tensors as bfloat16-safe float16 copies on the CPU, for shipping."""
    return {
        name: (value.detach().half() if value.is_floating_point() else value.detach()).cpu()
        for name, value in module.state_dict().items()
    }
