"""Scenes rendered once and kept on disk as flat arrays: the fast way to train; it knows no model.

A folder holds images.npy, instances.npy, classes.npy and shadows.npy, memory-mapped on reading. It
is written under a temporary name and renamed when complete, so a folder that exists is whole.
"""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from lr_edit.images import to_uint8
from lr_edit.tabletop.render import render
from lr_edit.tabletop.scene import Scene, sample_scene

# Raised whenever the same seed gives another picture, so that old folders are not read.
WORLD_VERSION = 2
CHUNK = 32
MAPS = ("instances", "classes", "shadows")


@dataclass(frozen=True)
class RenderedScenes:
    """N scenes of one split: images uint8 [N, S, S, 3] and uint8 maps [N, S, S].

    The maps hold what `Rendering` says of instances, classes and shadows.
    """

    split: str
    images: np.ndarray
    instances: np.ndarray
    classes: np.ndarray
    shadows: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def scene(self, index: int) -> Scene:
        """The description of picture `index`."""
        return split_scene(self.split, index)


def split_scene(split: str, index: int) -> Scene:
    """Scene number `index` of a split for training networks; free of held-out pairs."""
    return sample_scene(f"{split} {index}")


def rendered(
    split: str,
    count: int,
    size: int = 128,
    folder: str | os.PathLike[str] = ".cache/tabletop",
    device: str = "cpu",
    processes: int | None = None,
) -> RenderedScenes:
    """The first `count` scenes of a split at `size` pixels, rendered now if they are not there yet.

    processes: CPU workers (default: one a core); a GPU renders in this process.
    """
    target = Path(folder) / f"v{WORLD_VERSION}-{split}-{size}-{count}"
    if not (target / "done.json").exists():
        write(target, split, count, size, device, processes or os.cpu_count() or 1)
    arrays = {name: np.load(target / f"{name}.npy", mmap_mode="r") for name in ("images", *MAPS)}
    return RenderedScenes(split=split, **arrays)


def write(target: Path, split: str, count: int, size: int, device: str, processes: int) -> None:
    """Render into a temporary folder beside `target`, then rename it."""
    partial = target.with_name(f"{target.name}.partial-{os.getpid()}")
    partial.mkdir(parents=True, exist_ok=True)
    shapes = {"images": (count, size, size, 3), **{name: (count, size, size) for name in MAPS}}
    arrays = {
        name: np.lib.format.open_memmap(
            partial / f"{name}.npy", mode="w+", dtype=np.uint8, shape=shape
        )
        for name, shape in shapes.items()
    }
    jobs = [
        (split, start, min(start + CHUNK, count), size, device) for start in range(0, count, CHUNK)
    ]
    chunks = run(jobs, processes if device == "cpu" else 1)
    for start, parts in track(chunks, f"Rendering {count} {split} scenes", total=len(jobs)):
        for name, values in parts.items():
            arrays[name][start : start + len(values)] = values
    for array in arrays.values():
        array.flush()
    (partial / "done.json").write_text(json.dumps({"split": split, "count": count, "size": size}))
    partial.rename(target)


Job = tuple[str, int, int, int, str]


def run(jobs: list[Job], processes: int) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """The chunks in order, from worker processes where there is more than one."""
    if processes <= 1 or len(jobs) <= 1:
        yield from map(render_job, jobs)
        return
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        yield from pool.map(render_job, jobs)


def render_job(job: Job) -> tuple[int, dict[str, np.ndarray]]:
    """One chunk as uint8 arrays, and the index it starts at."""
    split, start, stop, size, device = job
    result = render([split_scene(split, i) for i in range(start, stop)], size, device)
    arrays = {"images": to_uint8(result.images).cpu().numpy()}
    for name in MAPS:
        arrays[name] = getattr(result, name).byte().cpu().numpy()
    return start, arrays
