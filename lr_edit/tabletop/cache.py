"""Scenes rendered once and kept on disk as flat arrays: the fast way to train; it knows no model.

A folder holds images.npy, instances.npy, classes.npy and shadows.npy.
"""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lr_edit.images import to_uint8
from lr_edit.tabletop.arrays import Part, kept, workers
from lr_edit.tabletop.render import render
from lr_edit.tabletop.scene import Scene, sample_scene
from lr_edit.tabletop.splits import scene_for

# Raised whenever the same seed gives another picture, so that old folders are not read.
WORLD_VERSION = 2
MAPS = ("instances", "classes", "shadows")


@dataclass(frozen=True)
class RenderedScenes:
    """N scenes of one split: images uint8 [N, S, S, 3] and uint8 maps [N, S, S].

    The maps hold what `Rendering` says of instances, classes and shadows. part: of the split, see
    `lr_edit.tabletop.splits.scene_for`; None for scenes of the split at large.
    """

    split: str
    images: np.ndarray
    instances: np.ndarray
    classes: np.ndarray
    shadows: np.ndarray
    part: str | None = None

    def __len__(self) -> int:
        return len(self.images)

    def scene(self, index: int) -> Scene:
        """The description of picture `index`."""
        return split_scene(self.split, index, self.part)


def split_scene(split: str, index: int, part: str | None = None) -> Scene:
    """Scene number `index` of a split, or of a part of it, for training networks; at large free of
    held-out pairs."""
    return scene_for(split, part, index) if part else sample_scene(f"{split} {index}")


def rendered(
    split: str,
    count: int,
    size: int = 128,
    folder: str | os.PathLike[str] = ".cache/tabletop",
    device: str = "cpu",
    processes: int | None = None,
    part: str | None = None,
) -> RenderedScenes:
    """The first `count` scenes of a split at `size` pixels, rendered now if they are not there yet.

    processes: CPU workers (default: one a core); a GPU renders in this process. part: of the split,
    see `RenderedScenes`.
    """
    named = f"{split}-{part}" if part else split
    target = Path(folder) / f"v{WORLD_VERSION}-{named}-{size}-{count}"
    shapes = {"images": (size, size, 3), **dict.fromkeys(MAPS, (size, size))}
    work = partial(render_range, split, size, device, part=part)
    title = f"Rendering {count} {named} scenes"
    facts = {"split": split, "part": part, "count": count, "size": size}
    arrays = kept(target, count, shapes, work, title, facts, workers(device, processes))
    return RenderedScenes(split=split, part=part, **arrays)


def render_range(
    split: str, size: int, device: str, start: int, stop: int, part: str | None = None
) -> Part:
    """The scenes from start to stop as uint8 arrays."""
    result = render([split_scene(split, i, part) for i in range(start, stop)], size, device)
    arrays = {"images": to_uint8(result.images).cpu().numpy()}
    for name in MAPS:
        arrays[name] = getattr(result, name).byte().cpu().numpy()
    return arrays
