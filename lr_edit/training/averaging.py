"""The moving average of the weights, which recipes validate and ship; it knows no recipe."""

from functools import partial

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


def warm_average(
    averages: list[Tensor], currents: list[Tensor], count: Tensor | int, decay: float
) -> None:
    """Brings averages, in place, to what they are after one more step; `count`: of those before.

    average + (1 - d)(current - average) with d = min(decay, (1 + n) / (10 + n)): at first it
    follows the weights closely, so that the random ones of the beginning do not linger and short
    runs are averaged as well as long ones.
    """
    kept = min(decay, (1 + int(count)) / (10 + int(count)))
    get_ema_multi_avg_fn(kept)(averages, currents, count)


class WarmWeightAveraging(WeightAveraging):
    """Keeps the exponential moving average of the weights from the first step on.

    decay: what is kept of it at each step, once there were many; see `warm_average`.
    """

    def __init__(self, decay: float = 0.998) -> None:
        super().__init__(multi_avg_fn=partial(warm_average, decay=decay))

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # The module is still on the CPU, and from there every step would fetch its weights back.
        self._device = trainer.strategy.root_device
        super().setup(trainer, pl_module, stage)
