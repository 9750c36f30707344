"""Edits of rendered scenes, each with the exact difference it makes, kept on disk as flat arrays.

A folder holds images.npy, instances.npy and change.npy of the scenes before the edits, and
attempts.npy, from which the edits themselves are drawn again. It knows no model.
"""

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from lr_edit.images import to_uint8
from lr_edit.tabletop.arrays import Part, kept, workers
from lr_edit.tabletop.cache import WORLD_VERSION, split_scene
from lr_edit.tabletop.edits import SceneEdit, sample_edit
from lr_edit.tabletop.masks import edit_masks, recognisable
from lr_edit.tabletop.render import render

# Raised whenever the same number gives another edit, so that old folders are not read.
PAIRS_VERSION = 1
REPLACE_SHARE = 0.8

# Scenes of these numbers and above are nobody else's.
_STRIDE = 1_000_000_000
_TRIES = 20
_NAMES = ("images", "instances", "change", "attempts")


@dataclass(frozen=True)
class RenderedPairs:
    """N edits of one split: replace, and one in five remove.

    images: uint8 [N, S, S, 3], before the edit. instances: uint8 [N, S, S] of the same, 0 = none,
    k = thing k-1 of the edit's source. change: uint8 [N, S, S], 1 where the edit changes something:
    the silhouettes before and after, and wherever a shadow comes or goes. attempts: uint8 [N], how
    many edits were tried before.
    """

    split: str
    images: np.ndarray
    instances: np.ndarray
    change: np.ndarray
    attempts: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def edit(self, index: int) -> SceneEdit:
        """Edit number `index`; its thing can be recognised before and, if still there, after."""
        edit = propose_pair(self.split, index, int(self.attempts[index]))
        assert edit is not None  # or it would not have been rendered
        return edit


def propose_pair(split: str, index: int, attempt: int = 0) -> SceneEdit | None:
    """An edit for number `index` of a split: a function of the three; None where none was found.

    Its scene is not among `RenderedScenes` of that split, and another one at every attempt.
    """
    number = (attempt + 1) * _STRIDE + index
    rng = random.Random(f"pairs {split} {number}")
    kind = "replace" if rng.random() < REPLACE_SHARE else "remove"
    return sample_edit(split_scene(split, number), rng, kind)


def rendered_pairs(
    split: str,
    count: int,
    size: int = 128,
    folder: str | os.PathLike[str] = ".cache/tabletop",
    device: str = "cpu",
    processes: int | None = None,
) -> RenderedPairs:
    """The first `count` pairs of a split at `size` pixels, rendered now if they are not there yet.

    processes: CPU workers (default: one a core); a GPU renders in this process.
    """
    target = Path(folder) / f"v{WORLD_VERSION}.{PAIRS_VERSION}-pairs-{split}-{size}-{count}"
    maps = dict.fromkeys(("instances", "change"), (size, size))
    shapes = {"images": (size, size, 3), **maps, "attempts": ()}
    work = partial(render_range, split, size, device)
    title = f"Rendering {count} {split} pairs"
    facts = {"split": split, "count": count, "size": size}
    arrays = kept(target, count, shapes, work, title, facts, workers(device, processes))
    return RenderedPairs(split=split, **arrays)


def render_range(split: str, size: int, device: str, start: int, stop: int) -> Part:
    """The pairs from start to stop as uint8 arrays; where one cannot be seen, its next attempt."""
    found: dict[int, tuple[np.ndarray, ...]] = {}
    for attempt in range(_TRIES):
        missing = [i for i in range(start, stop) if i not in found]
        drawn = [(i, propose_pair(split, i, attempt)) for i in missing]
        edits = {i: edit for i, edit in drawn if edit is not None}
        if edits:
            seen, *arrays = render_pairs(list(edits.values()), size, device)
            for i, visible, *rows in zip(edits, seen, *arrays, strict=True):
                if visible:
                    found[i] = (*rows, np.uint8(attempt))
        if len(found) == stop - start:
            columns = zip(*(found[i] for i in range(start, stop)), strict=True)
            return {n: np.stack(values) for n, values in zip(_NAMES, columns, strict=True)}
    raise RuntimeError(f"no edit to be seen in {_TRIES} attempts from {start} to {stop}")


def render_pairs(
    edits: Sequence[SceneEdit], size: int, device: str = "cpu"
) -> tuple[np.ndarray, ...]:
    """Of M edits: bool [M], whether all can be seen, then images, instances and change as uint8."""
    before = render([edit.source for edit in edits], size, device)
    after = render([edit.target for edit in edits], size, device)
    new = [edit.target_index for edit in edits]
    masks = edit_masks(before, after, [edit.source_index for edit in edits], new)
    gone = torch.tensor([index is None for index in new], device=masks.arrived.device)
    seen = recognisable(masks.thing) & (gone | recognisable(masks.arrived))
    maps = (to_uint8(before.images), before.instances.byte(), masks.place[:, 0].byte())
    return tuple(values.cpu().numpy() for values in (seen, *maps))
