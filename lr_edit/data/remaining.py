"""Which samples are still to be seen, and which of them by whom; it knows no files."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any


class Keeper(ABC):
    """A callback that keeps predictions, so that none has to be made twice."""

    @abstractmethod
    def finished(self, trainer: Any, dataset: Any) -> Collection[int]:
        """The numbers of the samples whose predictions it has; the same in all processes.

        dataset: the samples, by number. Called in all processes, before any of them predicts.
        Raises UserError where what it has are predictions of something else.
        """


def batches_taken(trainer: Any) -> int:
    """How many batches each process has learned from: several a step where gradients are added up
    (`--trainer.accumulate_grad_batches`)."""
    return int(trainer.global_step) * int(getattr(trainer, "accumulate_grad_batches", 1))


def to_predict(dataset: Any, trainer: Any) -> list[int]:
    """The numbers of the samples that this process is to predict, in order.

    What no Keeper among the trainer's callbacks has finished is dealt out: all processes together
    have each sample once, and none has more than one above another. trainer: None for all samples.
    """
    if trainer is None:
        return list(range(len(dataset)))
    keepers = [callback for callback in trainer.callbacks if isinstance(callback, Keeper)]
    done = {number for keeper in keepers for number in keeper.finished(trainer, dataset)}
    left = [number for number in range(len(dataset)) if number not in done]
    return left[trainer.global_rank :: trainer.world_size]
