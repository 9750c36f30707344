"""Small changes of light and sharpness, for pictures to learn from; it knows no data set.

Pictures are float32 [3, S, S] in [-1, 1]. All that is random comes from the generator given.
"""

import random

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.transforms.v2.functional import gaussian_blur

from lr_edit.images import luma


def uneven(rng: random.Random, cells: int, side: int, channels: int) -> Tensor:
    """Smooth noise [channels, side, side] of unit variance or so, with `cells` blobs across."""
    generator = torch.Generator().manual_seed(rng.getrandbits(31))
    coarse = torch.randn(1, channels, cells, cells, generator=generator)
    return interpolate(coarse, size=(side, side), mode="bicubic", align_corners=True)[0]


def nearly_true(image: Tensor, rng: random.Random) -> Tensor:
    """A true picture with the small faults that any resampled or generated picture may have."""
    if rng.random() < 0.4:
        image = gaussian_blur(image, [5, 5], [rng.uniform(0.3, 0.9)] * 2)
    if rng.random() < 0.4:
        image = image + uneven(rng, 64, image.shape[-1], 3) * rng.uniform(0.01, 0.05)
    return image.clamp(-1, 1)


def jittered(image: Tensor, rng: random.Random, most: float) -> Tensor:
    """Brightness, contrast and saturation of [3, S, S] changed by up to `most` of themselves, hues
    kept."""
    brightness, contrast, saturation = (1 + rng.uniform(-most, most) for _ in "abc")
    bright = (image + 1) * brightness - 1
    middle = bright.mean()
    light = (bright - middle) * contrast + middle
    gray = luma(light[None])[0]
    return (gray + (light - gray) * saturation).clamp(-1, 1)


def as_shown(image: Tensor, rng: random.Random, jitter: float, gray: bool) -> Tensor:
    """[3, S, S] as a network is to see it: with changed light by up to `jitter` and small faults,
    as it is for 0; gray if so wanted."""
    if jitter > 0:
        image = nearly_true(jittered(image, rng, jitter), rng)
    return luma(image[None])[0].repeat(3, 1, 1) if gray else image
