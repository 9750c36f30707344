"""Lightning's Trainer for a batch, and how its processes live and end together; no edits here."""

import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from lr_edit.errors import UserError

if TYPE_CHECKING:  # it takes seconds
    from lightning import Trainer

Item = TypeVar("Item")
_PARENT = "LR_EDIT_BATCH_PARENT"
_STRATEGIES = ("auto", "ddp")
_GRACE = 0.3  # seconds between two looks at the parent


@dataclass(frozen=True)
class TrainerOptions:
    """Which processes share the work, as Lightning's Trainer names it.

    Attributes:
        accelerator: auto, cpu, gpu, or another that Lightning has.
        devices: how many on each machine: one process each; auto is every GPU, or one CPU process.
        num_nodes: machines; start the same command on each, with a folder that all of them see.
        strategy: auto or ddp.
    """

    accelerator: str = "auto"
    devices: int | str = "auto"
    num_nodes: int = 1
    strategy: str = "auto"

    def __post_init__(self) -> None:
        if self.strategy not in _STRATEGIES:
            raise UserError(
                f"trainer.strategy is {self.strategy!r}; give one of {', '.join(_STRATEGIES)}"
            )
        if not self.num_nodes or self.num_nodes < 1:  # null, too
            raise UserError(f"trainer.num_nodes is {self.num_nodes}; give 1 or more")


def shard(items: Sequence[Item], rank: int, world_size: int) -> list[Item]:
    """Every world_size-th item, from number `rank` on: the shards of all ranks are all items, each
    once, whatever their number (a DistributedSampler would repeat some to make shards equal)."""
    return list(items[rank::world_size])


def build_trainer(options: TrainerOptions) -> "Trainer":
    """A Trainer that predicts, with gradients for guidance, and writes no files of its own.

    Raises UserError for devices that are not there.
    """
    from lightning import Trainer
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    try:
        return Trainer(
            accelerator=options.accelerator,
            devices=options.devices,
            num_nodes=options.num_nodes,
            strategy=options.strategy,
            inference_mode=False,
            use_distributed_sampler=False,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    except (MisconfigurationException, ValueError, TypeError, RuntimeError) as error:
        raise UserError(
            f"these --trainer options cannot be used here ({' '.join(str(error).split())})"
        ) from error


def end_with_parent() -> None:
    """Call it first: a process that Lightning starts on this machine ends when the first one does.

    Killed outright, the first one cannot end the others, which would go on writing, and later wait
    for it for hours. Ctrl-C is left to the first one, too.
    """
    if os.environ.get("LOCAL_RANK", "0") == "0":
        os.environ[_PARENT] = str(os.getpid())  # the others inherit it
    elif _PARENT in os.environ:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        parent = int(os.environ[_PARENT])
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_GRACE)
    os._exit(1)
