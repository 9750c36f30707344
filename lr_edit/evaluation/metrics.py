"""How good a finished edit is, as pure functions; nothing here knows how it was made.

Images are float32 [B, 3, H, W] in [-1, 1]; masks float32 [B or 1, 1, H, W] in [0, 1], 1 = edit,
a pixel counting as selected from a half. Every function gives one figure for each of B pictures.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from lr_edit.backbones.base import PerceptualDistance
from lr_edit.crop import Box, crop, mask_box, square_crop
from lr_edit.images import to_uint8, to_unit

PSNR_CAP = 60.0
"""What identical pictures are given, in dB: a little above the rounding error of 8 bits, 58.9."""

CONTEXT = 0.15
"""Surroundings in the crop around a region, on each side, as a share of its longer side."""

LEAST_SIDE = 32
"""Of the crop, in pixels of the picture; LPIPS takes no less."""

_PEAK = 2.0  # the width of [-1, 1]


def psnr(first: Tensor, second: Tensor, area: Tensor) -> Tensor:
    """Peak signal-to-noise ratio [B] in dB within an area, a mask; at most PSNR_CAP.

    10 log10(peak² / MSE), the mean taken over the pixels of the area alone, so that its size plays
    no part. Where the pictures agree, or the area is empty, it is PSNR_CAP.
    """
    inside = (area >= 0.5).to(first).expand(len(first), 1, -1, -1)
    squares = ((first - second).square() * inside).sum((1, 2, 3))
    error = squares / (3 * inside.sum((1, 2, 3))).clamp(min=1)
    decibels = 10 * torch.log10(_PEAK**2 / error.clamp(min=1e-12))
    return decibels.clamp(max=PSNR_CAP)


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity [B] in [-1, 1], 1 = identical (Wang et al., 2004).

    torchmetrics' with its defaults: a Gaussian window of sigma 1.5. Sides of 11 pixels or more.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure as measure

    values = measure(to_unit(first), to_unit(second), data_range=1.0, reduction="none")
    assert isinstance(values, Tensor)  # a pair only where the full map is asked for
    return values.reshape(len(first))


@torch.no_grad()
def lpips(perceptual: PerceptualDistance, first: Tensor, second: Tensor) -> Tensor:
    """Perceptual distance [B] >= 0, 0 = identical (Zhang et al., 2018)."""
    return perceptual.distance(first, second).float()


def crop_box(mask: Tensor) -> Box:
    """The square around a region [1, 1, H, W] in which pictures are compared; see CONTEXT.

    Raises UserError when the region is empty.
    """
    size = (mask.shape[3], mask.shape[2])
    return square_crop(mask_box(mask), size, CONTEXT, min(LEAST_SIDE, *size))


def region_crop(images: Tensor, mask: Tensor) -> Tensor:
    """That square of images [B, 3, H, W], pixel for pixel: [B, 3, S, S]."""
    box = crop_box(mask)
    return crop(images, box, box[2] - box[0])


def identical_outside(first: Tensor, second: Tensor, mask: Tensor) -> Tensor:
    """bool [B]: whether two pictures of 8 bits agree wherever the mask is exactly 0."""
    differs = (to_uint8(first) != to_uint8(second)).any(-1)
    return ~(differs & (mask == 0)[:, 0]).flatten(1).any(1)


@dataclass(frozen=True)
class Overlap:
    """A region against the true one, shares in [0, 1].

    iou: intersection over union; 1 where both are empty. recall: share of the true region that is
    covered. precision: share of the region that is true. area: the region's share of the picture.
    """

    iou: float
    recall: float
    precision: float
    area: float


def overlap(region: Tensor, truth: Tensor) -> Overlap:
    """Two masks [1, 1, H, W] compared."""
    chosen, true = region >= 0.5, truth >= 0.5
    both, either = int((chosen & true).sum()), int((chosen | true).sum())
    return Overlap(
        iou=both / either if either else 1.0,
        recall=both / max(1, int(true.sum())),
        precision=both / max(1, int(chosen.sum())),
        area=float(chosen.float().mean()),
    )


def wilson_interval(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """The interval in which the true rate lies, at 95 % for z = 1.96 (Wilson, 1927).

    (0, 1) where nothing was tried. Raises ValueError unless 0 <= successes <= trials.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials: give 0 to {trials}")
    if trials == 0:
        return 0.0, 1.0
    rate, weight = successes / trials, z * z / trials
    centre = rate + weight / 2
    reach = z * (rate * (1 - rate) / trials + weight / (4 * trials)) ** 0.5
    low, high = (centre - reach) / (1 + weight), (centre + reach) / (1 + weight)
    return max(0.0, min(low, rate)), min(1.0, max(high, rate))  # rounding apart, they hold the rate
