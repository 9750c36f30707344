"""Crops of one place, large and small, each distorted, for self-distillation; no network here."""

import math
import random
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.transforms.v2.functional import gaussian_blur

from lr_edit.crop import Box
from lr_edit.images import from_uint8, luma
from lr_edit.tabletop.cache import RenderedScenes
from lr_edit.tabletop.crops import ThingSamples, jittered_square, resize_image
from lr_edit.tabletop.given_regions import mask_bounds
from lr_edit.tabletop.scene import NOUNS
from lr_edit.tabletop.visible import noun_at

# Sides of crops as multiples of the longer side of the thing that they are drawn around: a crop of
# the whole picture is known by its backdrop, and nothing else would be learned.
LARGE, SMALL = (0.9, 1.7), (0.4, 0.8)
LEAST = 12  # pixels a side
# How often a crop is blurred: the first large one, the second, every small one.
BLURRED = (0.5, 0.1, 0.2)


def square_around(point: tuple[int, int], size: int, side: int, rng: random.Random) -> Box:
    """A random square inside a picture of side `size` that holds the point (x, y), which is in its
    middle half unless the picture's edge is near."""
    margin = side // 4
    corner = [rng.randint(p - side + 1 + margin, p - margin) for p in point]
    left, top = (min(max(0, c), size - side) for c in corner)
    return left, top, left + side, top + side


def turned(angle: float) -> Tensor:
    """The matrix [3, 3] that turns colours about the gray ones by so many radians: the hue alone
    changes, the mean of red, green and blue does not."""
    cosine, sine = math.cos(angle), math.sin(angle) / math.sqrt(3)
    rest = (1 - cosine) / 3
    a, b, c = cosine + rest, rest - sine, rest + sine
    return torch.tensor(((a, b, c), (c, a, b), (b, c, a)))


def recoloured(image: Tensor, rng: random.Random) -> Tensor:
    """[3, S, S] in [-1, 1] with other hues, brightness, contrast and saturation, or gray.

    Colours tell two pictures of this world apart too easily; shapes and parts are to be learned.
    """
    if rng.random() < 0.5:
        image = torch.einsum("dc,cyx->dyx", turned(rng.uniform(-math.pi, math.pi)), image).clamp(
            -1, 1
        )
    if rng.random() < 0.8:
        bright, contrast, saturation = (rng.uniform(0.7, 1.3) for _ in "bcs")
        gray = luma(image[None])[0]
        middle = gray.mean()
        image = gray + saturation * (image - gray)
        image = ((middle + contrast * (image - middle) + 1) * bright - 1).clamp(-1, 1)
    if rng.random() < 0.15:
        image = luma(image[None])[0].expand(3, -1, -1)
    return image


def view(picture: Tensor, box: Box, side: int, blurred: float, rng: random.Random) -> Tensor:
    """The part of a picture [1, 3, H, W] inside the box, distorted: [3, side, side] in [-1, 1].

    blurred: how often it is.
    """
    x0, y0, x1, y1 = box
    part = interpolate(picture[..., y0:y1, x0:x1], (side, side), mode="bilinear", antialias=True)[0]
    if rng.random() < 0.5:
        part = part.flip(-1)
    part = recoloured(part, rng)
    if rng.random() < blurred:
        part = gaussian_blur(part, [5, 5], [rng.uniform(0.3, 1.2)] * 2)
    return part.clamp(-1, 1)


def views(
    picture: Tensor,
    points: np.ndarray,
    sides: tuple[float, float],
    side: int,
    blurred: tuple[float, ...],
    rng: random.Random,
) -> Tensor:
    """One view [3, side, side] for each of `blurred`, stacked, around random ones of the points.

    points: int [N, 2], (x, y) in the picture [1, 3, H, H]; sides: least and greatest side of a
    square, as multiples of the longer side that the points span.
    """
    size, found = picture.shape[-1], []
    span = int(np.ptp(points, axis=0).max()) + 1
    for often in blurred:
        x, y = points[rng.randrange(len(points))].tolist()
        cut = min(size, max(LEAST, round(span * rng.uniform(*sides))))
        box = square_around((x, y), size, cut, rng)
        found.append(view(picture, box, side, often, rng))
    return torch.stack(found)


class MultiCropViews(ThingSamples):
    """{"global", "local", "plain", "noun", "scene"}: views of one place, as DINO's multi-crop.

    global float32 [2, 3, S, S], local [n, 3, s, s], both in [-1, 1]: random squares, each with
    a part of one thing at least (Caron et al., 2021, sec. 3.1). plain [3, S, S]: that thing, not
    distorted; noun: its place in NOUNS; scene: the number of the picture. These three are to
    measure with, not to learn from.

    side, small_side: S and s. small: n.
    """

    salt = "multicrop"

    def __init__(
        self,
        scenes: RenderedScenes,
        length: int,
        side: int = 64,
        small_side: int = 32,
        small: int = 4,
    ) -> None:
        super().__init__(scenes, length, side)
        self.small_side, self.small = small_side, small

    def sample(self, rng: random.Random) -> dict[str, Any]:
        scene, instance = rng.choice(self.things)
        pixels, body = self.scenes.images[scene], self.scenes.instances[scene] == instance
        picture = from_uint8(torch.from_numpy(pixels.copy())[None])
        inside = np.argwhere(body)[:, ::-1]
        plain = jittered_square(mask_bounds(body), len(pixels), rng, (1.05, 1.5))
        return {
            "global": views(picture, inside, LARGE, self.side, BLURRED[:2], rng),
            "local": views(picture, inside, SMALL, self.small_side, BLURRED[2:] * self.small, rng),
            "plain": resize_image(pixels, plain, self.side),
            "noun": NOUNS.index(noun_at(self.scenes, scene, instance)),
            "scene": scene,
        }
