"""Square crops around one thing of a rendered scene, and the masks an editor could be given for it.

Everything here is a function of the index asked for, so that an interrupted training continues with
the samples it would have seen. It knows no network.
"""

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d
from torch.utils.data import Dataset

from lr_edit.images import from_uint8
from lr_edit.tabletop.cache import RenderedScenes
from lr_edit.tabletop.captions import object_text
from lr_edit.tabletop.scene import Thing

Box = tuple[int, int, int, int]
EMPTY_PROMPTS = ("nothing", "an empty table", "the empty table")
LEAST_VISIBLE = 60


@dataclass(frozen=True)
class Cut:
    """A crop of side S: image float32 [3, S, S] in [-1, 1]; body and footprint bool [S, S].

    body: the thing's visible pixels; footprint: those and the shadow it casts.
    """

    image: Tensor
    body: Tensor
    footprint: Tensor
    thing: Thing


def visible_things(scenes: RenderedScenes, least: int = LEAST_VISIBLE) -> list[tuple[int, int]]:
    """(scene, instance) of every thing with at least `least` visible pixels."""
    found = []
    for index in range(len(scenes)):
        counts = np.bincount(scenes.instances[index].reshape(-1))
        found += [(index, k) for k in range(1, len(counts)) if counts[k] >= least]
    return found


def mask_bounds(mask: np.ndarray) -> Box:
    """The tight half-open box (x0, y0, x1, y1) of a non-empty bool mask [H, W]."""
    ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1


def jittered_square(box: Box, size: int, rng: random.Random, grow: tuple[float, float]) -> Box:
    """A square of random side around the box, moved inside a picture of side `size`."""
    x0, y0, x1, y1 = box
    side = round(min(size, max(44, max(x1 - x0, y1 - y0) * rng.uniform(*grow))))
    slack_x, slack_y = (max(2, side - (b - a)) for a, b in ((x0, x1), (y0, y1)))
    left = round((x0 + x1 - side) / 2 + rng.uniform(-0.3, 0.3) * slack_x)
    top = round((y0 + y1 - side) / 2 + rng.uniform(-0.3, 0.3) * slack_y)
    left, top = (min(max(0, v), size - side) for v in (left, top))
    return left, top, left + side, top + side


def resize_image(image: np.ndarray, box: Box, side: int) -> Tensor:
    """The part of uint8 [H, W, 3] inside the box as float32 [3, side, side] in [-1, 1]."""
    x0, y0, x1, y1 = box
    part = from_uint8(torch.from_numpy(image[y0:y1, x0:x1].copy())[None])
    if part.shape[-1] != side:
        part = interpolate(part, size=(side, side), mode="bicubic", antialias=True)
    return part[0].clamp(-1, 1)


def resize_mask(mask: np.ndarray, box: Box, side: int) -> Tensor:
    """The part of a bool mask [H, W] inside the box as bool [side, side]."""
    x0, y0, x1, y1 = box
    part = torch.from_numpy(mask[y0:y1, x0:x1].copy())[None, None].float()
    return interpolate(part, size=(side, side), mode="bilinear")[0, 0] > 0.4


def cut(
    scenes: RenderedScenes,
    index: int,
    instance: int,
    rng: random.Random,
    side: int,
    grow: tuple[float, float] = (1.1, 1.9),
) -> Cut:
    """A random square crop around one thing of scene `index`."""
    body = scenes.instances[index] == instance
    footprint = body | (scenes.shadows[index] == instance)
    box = jittered_square(mask_bounds(footprint), body.shape[0], rng, grow)
    return Cut(
        image=resize_image(scenes.images[index], box, side),
        body=resize_mask(body, box, side),
        footprint=resize_mask(footprint, box, side),
        thing=scenes.scene(index).things[instance - 1],
    )


def dilate(mask: Tensor, pixels: int) -> Tensor:
    """A bool mask [H, W] grown by a square of the given reach."""
    if pixels <= 0:
        return mask
    grown = max_pool2d(mask[None, None].float(), 2 * pixels + 1, stride=1, padding=pixels)
    return grown[0, 0] > 0


def ellipse(box: Box, side: int) -> Tensor:
    """The bool mask [side, side] of the ellipse that fills a box."""
    x0, y0, x1, y1 = box
    line = torch.arange(side) + 0.5
    dx = (line - (x0 + x1) / 2) / max(1, (x1 - x0) / 2)
    dy = (line - (y0 + y1) / 2) / max(1, (y1 - y0) / 2)
    return dx[None] ** 2 + dy[:, None] ** 2 <= 1


def grown_box(mask: Tensor, rng: random.Random, across: float, along: float) -> Box:
    """The mask's box, its left and right moved outwards by up to `across` of its width, its top and
    bottom by up to `along` of its height."""
    side = mask.shape[-1]
    x0, y0, x1, y1 = mask_bounds(mask.numpy())
    w, h = x1 - x0, y1 - y0
    return (
        max(0, round(x0 - rng.uniform(0, across) * w)),
        max(0, round(y0 - rng.uniform(0, along) * h)),
        min(side, round(x1 + rng.uniform(0, across) * w)),
        min(side, round(y1 + rng.uniform(0, along) * h)),
    )


def fill(box: Box, side: int) -> Tensor:
    """The bool mask [side, side] of a box."""
    mask = torch.zeros(side, side, dtype=torch.bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return mask


def foreign_shape(other: Tensor, box: Box, side: int) -> Tensor:
    """Another thing's footprint [side, side] stretched to fill a box."""
    x0, y0, x1, y1 = mask_bounds(other.numpy())
    part = other[y0:y1, x0:x1][None, None].float()
    mask = torch.zeros(side, side, dtype=torch.bool)
    size = (max(1, box[3] - box[1]), max(1, box[2] - box[0]))
    mask[box[1] : box[1] + size[0], box[0] : box[0] + size[1]] = (
        interpolate(part, size=size, mode="bilinear")[0, 0] > 0.5
    )
    return mask


def edit_region(footprint: Tensor, other: Tensor, rng: random.Random) -> Tensor:
    """A region bool [S, S] that an editor may be given to paint the thing into; it holds all of it.

    The grown footprint, its box or ellipse, or joined with the shape of `other`, the thing that may
    have stood there before: were the mask always the silhouette, it would tell the answer.
    """
    side = footprint.shape[-1]
    kind = rng.random()
    grown = dilate(footprint, rng.randint(1, 7))
    if kind < 0.3:
        return grown
    if kind < 0.65:
        shape = foreign_shape(other, grown_box(footprint, rng, 0.35, 0.35), side)
        return grown | dilate(shape, rng.randint(1, 6))
    box = grown_box(footprint, rng, 0.45, 0.45)
    return grown | (fill(box, side) if kind < 0.85 else ellipse(box, side))


def roomy_region(footprint: Tensor, rng: random.Random) -> Tensor:
    """A region bool [S, S] with far more room on one axis than the thing fills: a bottle has to fit
    where a book lay."""
    side, room = footprint.shape[-1], (1.5, 0.3)
    box = grown_box(footprint, rng, *(room if rng.random() < 0.5 else room[::-1]))
    shape = fill(box, side) if rng.random() < 0.5 else ellipse(box, side)
    return dilate(footprint, rng.randint(1, 7)) | shape


class ThingSamples(Dataset[dict[str, Any]], ABC):
    """Samples about single visible things: item k is a function of `salt`, the scenes and k alone.

    length: how many there are. side: of the crops in pixels.
    """

    salt: ClassVar[str]

    def __init__(self, scenes: RenderedScenes, length: int, side: int = 64) -> None:
        self.scenes, self.length, self.side = scenes, length, side
        self.things = visible_things(scenes)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.sample(random.Random(f"{self.salt} {index}"))

    @abstractmethod
    def sample(self, rng: random.Random) -> dict[str, Any]:
        """One sample, drawn with rng."""


class InpaintingCrops(ThingSamples):
    """What a text-conditional inpainting model learns from: {"image", "mask", "text"}.

    image float32 [3, S, S] in [-1, 1]; mask float32 [1, S, S], 1 = paint; text says what stands in
    the mask, "" (the null prompt) for a share `null_share` of the samples. A share `empty_share`
    shows table alone with one of EMPTY_PROMPTS; in a share `roomy_share` the thing is small in its
    region.
    """

    salt = "inpainting"

    def __init__(
        self,
        scenes: RenderedScenes,
        length: int,
        side: int = 64,
        null_share: float = 0.3,
        empty_share: float = 0.06,
        roomy_share: float = 0.2,
    ) -> None:
        super().__init__(scenes, length, side)
        self.null_share, self.empty_share = null_share, empty_share
        self.roomy_share = roomy_share

    def sample(self, rng: random.Random) -> dict[str, Any]:
        (scene, instance), other_place = rng.choice(self.things), rng.choice(self.things)
        kind = rng.random()
        if kind < self.empty_share:
            shape = cut(self.scenes, *other_place, rng, self.side).footprint
            image, mask = self.empty_place(scene, shape, rng)
            text = rng.choice(EMPTY_PROMPTS)
        elif kind < self.empty_share + self.roomy_share:
            crop = cut(self.scenes, scene, instance, rng, self.side, grow=(1.6, 3.0))
            image, mask = crop.image, roomy_region(crop.footprint, rng)
            text = object_text(crop.thing, rng)
        else:
            crop = cut(self.scenes, scene, instance, rng, self.side)
            shape = cut(self.scenes, *other_place, rng, self.side).footprint
            image, mask = crop.image, edit_region(crop.footprint, shape, rng)
            text = object_text(crop.thing, rng)
        if rng.random() < 0.5:
            image, mask = image.flip(-1), mask.flip(-1)
        if rng.random() < self.null_share:
            text = ""
        return {"image": image, "mask": mask[None].float(), "text": text}

    def empty_place(self, scene: int, shape: Tensor, rng: random.Random) -> tuple[Tensor, Tensor]:
        """A crop and a region of it where nothing stands and no shadow falls."""
        size = self.scenes.images.shape[1]
        side = min(size, rng.randint(48, 80))
        left = rng.randint(0, size - side)
        top = rng.randint(min(size // 5, size - side), size - side)
        box = (left, top, left + side, top + side)
        taken = (self.scenes.instances[scene] > 0) | (self.scenes.shadows[scene] > 0)
        free = ~resize_mask(taken, box, self.side)
        if not (dilate(shape, 3) & free).any():
            shape = torch.ones_like(shape)
        return resize_image(self.scenes.images[scene], box, self.side), dilate(shape, 3) & free
