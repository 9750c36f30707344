"""A small convolutional trunk for LPIPS, to be trained from scratch; it knows no distance."""

from collections.abc import Sequence

from torch import Tensor, nn

_FLOOR = 0.05
# LPIPS divides by the norm of the features at a pixel; where all were 0 its gradient would be NaN.


class PerceptualTrunk(nn.Module):
    """Stages of two 3 × 3 convolutions, each stage at half the resolution of the one before.

    widths: channels of the stages. The input [B, 3, H, W] has mean 0 and variance 1, as
    `lpips.ScalingLayer` gives it.
    """

    def __init__(self, widths: Sequence[int] = (32, 48, 64, 96, 128)) -> None:
        super().__init__()
        self.widths = tuple(widths)
        inputs = (3, *self.widths[:-1])
        self.stages = nn.ModuleList(
            _stage(low, high, first=k == 0)
            for k, (low, high) in enumerate(zip(inputs, self.widths, strict=True))
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """The feature maps of all stages, the finest [B, widths[0], H, W] first; above 0."""
        maps = []
        for stage in self.stages:
            images = stage(images)
            maps.append(images + _FLOOR)
        return maps


def _stage(inputs: int, outputs: int, first: bool) -> nn.Module:
    return nn.Sequential(
        nn.Identity() if first else nn.AvgPool2d(2),
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )
