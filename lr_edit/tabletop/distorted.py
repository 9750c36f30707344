"""A picture and two distortions of known order, for a perceptual distance to learn from."""

import io
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import grid_sample
from torchvision.transforms.v2.functional import affine, gaussian_blur

from lr_edit.images import from_uint8, to_pil
from lr_edit.photometry import uneven
from lr_edit.tabletop.crops import ThingSamples, cut
from lr_edit.tabletop.scene import COLOURS, NOUNS, SURFACES

Distort = Callable[[Tensor, float, int], Tensor]


def blurred(image: Tensor, strength: float, seed: int) -> Tensor:
    """Gaussian blur of up to 4 pixels."""
    return gaussian_blur(image, [17, 17], [0.2 + 4 * strength] * 2)


def noisy(image: Tensor, strength: float, seed: int) -> Tensor:
    """White noise of up to half the range."""
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))
    return image + 0.5 * strength * noise


def tinted(image: Tensor, strength: float, seed: int) -> Tensor:
    """A shift of the three channels in a random direction."""
    shift = torch.randn(3, 1, 1, generator=torch.Generator().manual_seed(seed))
    return image + 0.7 * strength * shift / shift.norm()


def moved(image: Tensor, strength: float, seed: int) -> Tensor:
    """Shift and turn: by up to 8 pixels and 20 degrees."""
    rng = random.Random(seed)
    dx, dy, angle = (rng.choice((-1, 1)) * strength * most for most in (6, 5, 20))
    return affine(image, angle, [dx, dy], 1.0, [0.0, 0.0], interpolation="bilinear", fill=0.0)  # type: ignore[arg-type]


def warped(image: Tensor, strength: float, seed: int) -> Tensor:
    """An uneven pull of up to a fifth of the picture."""
    side = image.shape[-1]
    line = (torch.arange(side) + 0.5) / side * 2 - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    pull = 0.2 * strength * uneven(random.Random(seed), 6, side, 2)
    grid = torch.stack((x + pull[0], y + pull[1]), -1)
    return grid_sample(image[None], grid[None], padding_mode="border", align_corners=False)[0]


def compressed(image: Tensor, strength: float, seed: int) -> Tensor:
    """JPEG of quality 80 down to 4."""
    buffer = io.BytesIO()
    to_pil(image[None])[0].save(buffer, "JPEG", quality=round(80 - 76 * strength))
    back = np.asarray(Image.open(buffer)).copy()
    return from_uint8(torch.from_numpy(back)[None])[0]


LEAST_GAP = 0.06
DISTORTIONS: tuple[Distort, ...] = (blurred, noisy, tinted, moved, warped, compressed)


class DistortedPairs(ThingSamples):
    """{"image", "weak", "strong", "noun", "colour", "surface"}: two strengths of one distortion.

    Pictures float32 [3, S, S]; `strong` is at least LEAST_GAP of the full strength above `weak`
    and drawn anew: another noise, another direction. With a chance of a third both are made of the
    same two distortions. Labels int64.
    """

    salt = "distorted"

    def sample(self, rng: random.Random) -> dict[str, Any]:
        scene, instance = rng.choice(self.things)
        crop = cut(self.scenes, scene, instance, rng, self.side)
        weak = rng.uniform(0.02, 0.9)
        strong = rng.uniform(weak + LEAST_GAP, min(1.0, weak + 4 * LEAST_GAP))
        chosen = rng.sample(DISTORTIONS, 2 if rng.random() < 0.33 else 1)
        pair = []
        for strength in (weak, strong):
            image, seed = crop.image, rng.getrandbits(31)
            for distort in chosen:
                image = distort(image, strength, seed)
            pair.append(image.clamp(-1, 1))
        return {
            "image": crop.image, "weak": pair[0], "strong": pair[1],
            "noun": NOUNS.index(crop.thing.noun), "colour": COLOURS.index(crop.thing.colour),
            "surface": SURFACES.index(self.scenes.scene(scene).surface),
        }  # fmt: skip
