"""The moving average of the weights, which recipes validate and ship; it knows no recipe."""

from functools import partial

from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


def warm_average(average: Tensor, current: Tensor, count: Tensor | int, decay: float) -> Tensor:
    """The average after one more step, of which there were `count` before.

    average + (1 - d)(current - average) with d = min(decay, (1 + n) / (10 + n)): at first it
    follows the weights closely, so that the random ones of the beginning do not linger and short
    runs are averaged as well as long ones.
    """
    share = min(decay, (1 + int(count)) / (10 + int(count)))
    return average + (1 - share) * (current - average)


class WarmWeightAveraging(WeightAveraging):
    """Keeps the exponential moving average of the weights from the first step on.

    decay: what is kept of it at each step, once there were many; see `warm_average`.
    """

    def __init__(self, decay: float = 0.998) -> None:
        super().__init__(avg_fn=partial(warm_average, decay=decay))
