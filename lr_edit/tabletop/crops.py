"""Square crops around single things of rendered scenes, and those that inpainting learns from.

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
from torch.nn.functional import interpolate
from torch.utils.data import Dataset

from lr_edit.crop import Box
from lr_edit.images import from_uint8
from lr_edit.tabletop.cache import RenderedScenes
from lr_edit.tabletop.captions import object_text
from lr_edit.tabletop.given_regions import (
    dilate,
    edit_region,
    held_region,
    joined_region,
    mask_bounds,
    roomy_region,
)
from lr_edit.tabletop.scene import Thing
from lr_edit.tabletop.visible import repeated, visible_things

EMPTY_PROMPTS = ("nothing", "an empty table", "the empty table")


@dataclass(frozen=True)
class Cut:
    """A crop of side S: image float32 [3, S, S] in [-1, 1]; body, footprint and others bool [S, S].

    body: the thing's visible pixels; footprint: those and the shadow it casts; others: what else
    stands there.
    """

    image: Tensor
    body: Tensor
    footprint: Tensor
    others: Tensor
    thing: Thing


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
    standing = scenes.instances[index]
    body = standing == instance
    footprint = body | (scenes.shadows[index] == instance)
    box = jittered_square(mask_bounds(footprint), body.shape[0], rng, grow)
    return Cut(
        image=resize_image(scenes.images[index], box, side),
        body=resize_mask(body, box, side),
        footprint=resize_mask(footprint, box, side),
        others=resize_mask((standing > 0) & ~body, box, side),
        thing=scenes.scene(index).things[instance - 1],
    )


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
    region; in a share `held_share` the region has the outline of something else, which holds it; in
    a share `joined_share` it has the outlines of both. often: how many times as often as others the
    things of a noun are shown. Raises UserError for what is no noun.
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
        held_share: float = 0.0,
        joined_share: float = 0.0,
        often: dict[str, int] | None = None,
    ) -> None:
        super().__init__(scenes, length, side)
        self.things = repeated(scenes, self.things, often or {})
        self.null_share, self.empty_share = null_share, empty_share
        self.roomy_share, self.held_share = roomy_share, held_share
        self.joined_share = joined_share

    def sample(self, rng: random.Random) -> dict[str, Any]:
        (scene, instance), other_place = rng.choice(self.things), rng.choice(self.things)
        kind = rng.random()
        if kind < self.empty_share:
            shape = cut(self.scenes, *other_place, rng, self.side).footprint
            image, mask = self.empty_place(scene, shape, rng)
            text = rng.choice(EMPTY_PROMPTS)
        else:
            crop, mask = self.given(kind - self.empty_share, (scene, instance), other_place, rng)
            image, text = crop.image, object_text(crop.thing, rng)
        if rng.random() < 0.5:
            image, mask = image.flip(-1), mask.flip(-1)
        if rng.random() < self.null_share:
            text = ""
        return {"image": image, "mask": mask[None].float(), "text": text}

    def given(
        self, kind: float, place: tuple[int, int], other: tuple[int, int], rng: random.Random
    ) -> tuple[Cut, Tensor]:
        """A crop around the thing at `place` and the region [S, S] that it is painted into; other:
        a thing whose outline may be that region's. kind: in [0, 1), which kind by its share."""
        if kind < self.roomy_share:
            crop = cut(self.scenes, *place, rng, self.side, grow=(1.6, 3.0))
            return crop, roomy_region(crop.footprint, rng)
        if kind < self.roomy_share + self.held_share + self.joined_share:
            held = kind < self.roomy_share + self.held_share
            crop = cut(self.scenes, *place, rng, self.side, grow=(1.5, 2.6))
            before = cut(self.scenes, *other, rng, self.side)
            shape = before.body if rng.random() < 0.5 else before.footprint
            region = held_region if held else joined_region
            return crop, region(crop.footprint, shape, crop.others, rng)
        crop = cut(self.scenes, *place, rng, self.side)
        shape = cut(self.scenes, *other, rng, self.side).footprint
        return crop, edit_region(crop.footprint, shape, rng)

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
