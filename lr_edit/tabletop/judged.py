"""Regions that hold a recognisable thing, and regions that hold none, for the judge to learn from.

What is not recognisable is made of true pictures: a thing warped, blended with another, shuffled,
blurred or filled with texture, or bare table. It knows no network.
"""

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import grid_sample
from torchvision.transforms.v2.functional import gaussian_blur

from lr_edit.photometry import nearly_true, uneven
from lr_edit.tabletop.cache import RenderedScenes
from lr_edit.tabletop.crops import Cut, ThingSamples, cut
from lr_edit.tabletop.given_regions import dilate, edit_region
from lr_edit.tabletop.scene import COLOURS, NOUNS

NOTHING = len(NOUNS)
Spoil = Callable[[Tensor, Tensor, Tensor, random.Random], Tensor]


def warp(image: Tensor, body: Tensor, other: Tensor, rng: random.Random) -> Tensor:
    """The picture pulled about by up to a quarter of the thing, different from place to place."""
    side = image.shape[-1]
    line = (torch.arange(side) + 0.5) / side * 2 - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    strength = rng.uniform(0.16, 0.32)
    pull = uneven(rng, rng.randint(5, 8), side, 2) * strength
    grid = torch.stack((x + pull[0], y + pull[1]), -1)
    return grid_sample(image[None], grid[None], padding_mode="border", align_corners=False)[0]


def blend(image: Tensor, body: Tensor, other: Tensor, rng: random.Random) -> Tensor:
    """Half this picture and half another thing's."""
    share = rng.uniform(0.35, 0.65)
    return share * image + (1 - share) * other


def shuffle(image: Tensor, body: Tensor, other: Tensor, rng: random.Random) -> Tensor:
    """Square patches in random order."""
    cell = rng.choice((6, 8, 10, 12))
    rows = image.shape[-1] // cell
    used = rows * cell
    patches = image[:, :used, :used].reshape(3, rows, cell, rows, cell)
    patches = patches.permute(1, 3, 0, 2, 4).reshape(rows * rows, 3, cell, cell)
    order = list(range(rows * rows))
    rng.shuffle(order)
    mixed = patches[order].reshape(rows, rows, 3, cell, cell).permute(2, 0, 3, 1, 4)
    out = image.clone()
    out[:, :used, :used] = mixed.reshape(3, used, used)
    return out


def blur(image: Tensor, body: Tensor, other: Tensor, rng: random.Random) -> Tensor:
    """So soft that only a coloured smear is left."""
    sigma = rng.uniform(4.0, 9.0)
    return gaussian_blur(image, [31, 31], [sigma, sigma])


def texture(image: Tensor, body: Tensor, other: Tensor, rng: random.Random) -> Tensor:
    """The silhouette, or a smooth blob, filled with blotches of the thing's colours or noise."""
    side = image.shape[-1]
    inside = image[:, body] if body.any() else image.flatten(1)
    base, spread = inside.mean(1), inside.std(1).clamp_min(0.15)
    blotches = uneven(rng, rng.randint(2, 14), side, rng.choice((1, 3)))
    painted = base[:, None, None] + spread[:, None, None] * blotches * rng.uniform(0.0, 1.2)
    shape = body if rng.random() < 0.5 else uneven(rng, 4, side, 1)[0] > 0
    return torch.where(shape, painted, image)


SPOILS: dict[str, Spoil] = {
    "warped": warp, "blended": blend, "shuffled": shuffle, "blurred": blur, "textured": texture,
}  # fmt: skip


class JudgedRegions(ThingSamples):
    """{"image", "mask", "noun", "colour", "kind"}: a crop, its region, and what stands in it.

    image float32 [3, S, S]; mask float32 [1, S, S]; noun int64, NOTHING where nothing can be
    recognised; colour int64; kind: "true", "empty" or a name in SPOILS. A share `spoiled` of the
    items is not true.
    """

    salt = "judged"

    def __init__(
        self, scenes: RenderedScenes, length: int, side: int = 64, spoiled: float = 0.45
    ) -> None:
        super().__init__(scenes, length, side)
        self.spoiled = spoiled

    def sample(self, rng: random.Random) -> dict[str, Any]:
        crop, other = (cut(self.scenes, *rng.choice(self.things), rng, self.side) for _ in "ab")
        mask = edit_region(crop.footprint, other.footprint, rng)
        kind = rng.choice((*SPOILS, "empty")) if rng.random() < self.spoiled else "true"
        image, mask = self.make(kind, crop, other, mask, rng)
        if rng.random() < 0.5:
            image, mask = image.flip(-1), mask.flip(-1)
        true = kind == "true"
        return {
            "image": image,
            "mask": mask[None].float(),
            "noun": NOUNS.index(crop.thing.noun) if true else NOTHING,
            "colour": COLOURS.index(crop.thing.colour),
            "kind": kind,
        }

    def make(
        self, kind: str, crop: Cut, other: Cut, mask: Tensor, rng: random.Random
    ) -> tuple[Tensor, Tensor]:
        """The picture of that kind and its region."""
        if kind == "true":
            return nearly_true(crop.image, rng), mask
        if kind == "empty":
            free = ~dilate(crop.footprint, 2)
            shape = dilate(other.footprint, 3) & free
            return nearly_true(crop.image, rng), shape if shape.sum() > 40 else free
        spoiled = SPOILS[kind](crop.image, crop.body, other.image, rng)
        return torch.where(mask, spoiled, crop.image).clamp(-1, 1), mask
