"""Whole pictures with the class of every pixel, for semantic segmentation; it knows no network."""

import random
from typing import Any

import torch
from torch.utils.data import Dataset

from lr_edit.images import from_uint8
from lr_edit.tabletop.cache import RenderedScenes
from lr_edit.tabletop.scene import NOUNS

CLASS_NAMES = ("surface", "backdrop", *NOUNS)


class SegmentedScenes(Dataset[dict[str, Any]]):
    """{"image", "classes"}: float32 [3, S, S] in [-1, 1] and int64 [S, S] into CLASS_NAMES.

    augment: random flips, brightness and, for a twentieth, gray. Item k is a function of k alone.
    """

    def __init__(
        self, scenes: RenderedScenes, length: int, augment: bool = True, salt: str = "segments"
    ) -> None:
        self.scenes, self.length, self.augment, self.salt = scenes, length, augment, salt

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = random.Random(f"{self.salt} {index}")
        scene = rng.randrange(len(self.scenes)) if self.augment else index % len(self.scenes)
        image = from_uint8(torch.from_numpy(self.scenes.images[scene].copy())[None])[0]
        classes = torch.from_numpy(self.scenes.classes[scene].copy()).long()
        if self.augment:
            if rng.random() < 0.5:
                image, classes = image.flip(-1), classes.flip(-1)
            image = ((image + 1) * rng.uniform(0.85, 1.15) - 1).clamp(-1, 1)
            if rng.random() < 0.05:
                image = image.mean(0, keepdim=True).expand(3, -1, -1).contiguous()
        return {"image": image, "classes": classes}
