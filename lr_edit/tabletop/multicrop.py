"""Crops of one place, large and small, each distorted, for self-distillation; no network here."""

import random
from typing import Any

import numpy as np
import torch

from lr_edit.crop import Box
from lr_edit.tabletop.augmented_views import drawn_change
from lr_edit.tabletop.cache import RenderedScenes
from lr_edit.tabletop.crops import ThingSamples, jittered_square
from lr_edit.tabletop.given_regions import mask_bounds
from lr_edit.tabletop.scene import NOUNS
from lr_edit.tabletop.visible import noun_at

# Sides of crops as multiples of the longer side of the thing that they are drawn around: a crop of
# the whole picture is known by its backdrop, and nothing else would be learned.
LARGE, SMALL = (0.7, 1.4), (0.4, 0.8)
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


def squares(
    body: np.ndarray, sides: tuple[float, float], count: int, rng: random.Random
) -> list[Box]:
    """Random squares, each around a pixel of the body, a bool mask [H, H].

    sides: least and greatest side of a square, as multiples of the longer side of the body.
    """
    points, found = np.argwhere(body)[:, ::-1], []
    span = int(np.ptp(points, axis=0).max()) + 1
    for _ in range(count):
        x, y = points[rng.randrange(len(points))].tolist()
        side = min(len(body), max(LEAST, round(span * rng.uniform(*sides))))
        found.append(square_around((x, y), len(body), side, rng))
    return found


class MultiCropViews(ThingSamples):
    """Views of one place, as DINO's multi-crop: {"picture", "boxes", "changes", "plain", "noun",
    "scene"}; `views` of `lr_edit.tabletop.augmented_views` makes pictures of a whole batch.

    picture: uint8 [H, H, 3]. boxes: float32 [2 + n, 4], random squares x0, y0, x1, y1, two large
    ones first, each with a part of one thing at least (Caron et al., 2021, sec. 3.1). changes:
    float32 [2 + n, 7], how each is distorted. plain: a square [1, 4] around that thing; noun: its
    place in NOUNS; scene: the number of the picture. These three are to measure with, not to learn
    from.

    small: n.
    """

    salt = "multicrop"

    def __init__(self, scenes: RenderedScenes, length: int, small: int = 4) -> None:
        super().__init__(scenes, length)
        self.small = small

    def sample(self, rng: random.Random) -> dict[str, Any]:
        scene, instance = rng.choice(self.things)
        picture, body = self.scenes.images[scene], self.scenes.instances[scene] == instance
        boxes = squares(body, LARGE, 2, rng) + squares(body, SMALL, self.small, rng)
        often = BLURRED[:2] + BLURRED[2:] * self.small
        plain = jittered_square(mask_bounds(body), len(picture), rng, (1.05, 1.5))
        return {
            "picture": torch.from_numpy(picture.copy()),
            "boxes": torch.tensor(boxes, dtype=torch.float32),
            "changes": torch.tensor([drawn_change(rng, share) for share in often]),
            "plain": torch.tensor([plain], dtype=torch.float32),
            "noun": NOUNS.index(noun_at(self.scenes, scene, instance)),
            "scene": scene,
        }
