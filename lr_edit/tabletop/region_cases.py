"""Test phrases with everything known: the picture, what is asked, and the region meant; no models.

Every case is a function of split, part and index alone. Pictures are kept on disk as flat arrays.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from lr_edit.errors import UserError
from lr_edit.images import from_uint8, luma, to_uint8
from lr_edit.tabletop.arrays import Part, is_written, read, read_facts, write
from lr_edit.tabletop.cache import WORLD_VERSION
from lr_edit.tabletop.language import Phrase
from lr_edit.tabletop.masks import object_mask
from lr_edit.tabletop.render import render
from lr_edit.tabletop.scene import Scene
from lr_edit.tabletop.splits import part_phrase, scene_for

# Raised whenever the same index asks another phrase, so that old folders are not read.
PHRASES_VERSION = 1


@dataclass(frozen=True, eq=False)
class PhraseCase:
    """One phrase to find the region of.

    part: of `splits.PARTS`. phrase, reading, kind: as `language.Phrase` has them. present: whether
    it means anything in the picture. image: [1, 3, H, W] in [-1, 1], rounded to 8 bits as files
    are; in part "grayscale" its channels are equal. mask: [1, 1, H, W], 1 on the things meant.
    """

    part: str
    phrase: str
    reading: Literal["refer", "edit"]
    kind: str
    present: bool
    image: Tensor
    mask: Tensor


def region_cases(
    part: str,
    count: int,
    size: int = 128,
    split: str = "test",
    folder: str | os.PathLike[str] = ".cache/tabletop",
) -> list[PhraseCase]:
    """The first `count` cases of a part at `size` pixels, rendered now if they are not there yet.

    Raises UserError for fewer than one, and as `scene_for` does.
    """
    if count < 1:
        raise UserError(f"got {count} phrases of part {part!r}: ask for 1 or more")
    name = f"v{WORLD_VERSION}.{PHRASES_VERSION}-cases-{split}-{part}-{size}-{count}"
    target = Path(folder) / name
    if not is_written(target):
        _write(target, part, count, size, split)
    arrays = read(target, ("images", "masks"))
    rows = zip(read_facts(target)["phrases"], arrays["images"], arrays["masks"], strict=True)
    return [
        PhraseCase(part, **words, image=_image(image), mask=_mask(mask))
        for words, image, mask in rows
    ]


def _write(target: Path, part: str, count: int, size: int, split: str) -> None:
    """Render the cases into a folder, and note their words."""
    scenes = [scene_for(split, part, index) for index in range(count)]
    found = [part_phrase(part, scene, index) for index, scene in enumerate(scenes)]
    phrases = [phrase for phrase in found if phrase is not None]  # a part's scenes admit one
    shapes = {"images": (size, size, 3), "masks": (size, size)}
    work = partial(_render, scenes, phrases, part, size)
    facts = {"phrases": [_words(phrase) for phrase in phrases]}
    write(target, count, shapes, work, f"Rendering {count} scenes of part {part}", facts)


def _render(
    scenes: Sequence[Scene],
    phrases: Sequence[Phrase],
    part: str,
    size: int,
    start: int,
    stop: int,
) -> Part:
    """Pictures and masks of the cases from start to stop as uint8 arrays."""
    result = render(scenes[start:stop], size)
    masks = object_mask(result, [phrase.targets for phrase in phrases[start:stop]])
    images = from_uint8(to_uint8(result.images))
    if part == "grayscale":
        images = luma(images).expand_as(images)
    return {"images": to_uint8(images).numpy(), "masks": masks[:, 0].byte().numpy()}


def _words(phrase: Phrase) -> dict[str, str | bool]:
    """What a case says of its phrase."""
    return {
        "phrase": phrase.text,
        "reading": phrase.reading,
        "kind": phrase.kind,
        "present": bool(phrase.targets),
    }


def _image(pixels: np.ndarray) -> Tensor:
    return from_uint8(torch.from_numpy(pixels.copy())[None])


def _mask(selected: np.ndarray) -> Tensor:
    return torch.from_numpy(selected.copy())[None, None].float()
