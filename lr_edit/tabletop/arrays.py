"""Folders of flat arrays, computed once by worker processes and memory-mapped; they hold anything.

A folder is written under a temporary name and renamed when complete, so that one that exists is
whole.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import starmap
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

CHUNK = 32
FACTS = "done.json"

Part = dict[str, np.ndarray]
"""Some rows of the arrays, by the arrays' names."""
Work = Callable[[int, int], Part]
"""Makes the rows of a half-open range of numbers; it is sent to worker processes."""


def is_written(folder: Path) -> bool:
    """Whether `write` has made this folder."""
    return (folder / FACTS).exists()


def read(folder: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """The arrays of those names, memory-mapped."""
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}


def read_facts(folder: Path) -> dict[str, Any]:
    """What was noted beside the arrays."""
    facts: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    return facts


def chunks(count: int) -> list[tuple[int, int]]:
    """The numbers 0 … count - 1 in half-open ranges of at most CHUNK."""
    return [(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]


def kept(
    folder: Path,
    count: int,
    shapes: Mapping[str, tuple[int, ...]],
    work: Work,
    title: str,
    facts: Mapping[str, Any],
    processes: int = 1,
) -> dict[str, np.ndarray]:
    """The arrays of a folder, computed now if they are not there yet; arguments as of `write`."""
    if not is_written(folder):
        write(folder, count, shapes, work, title, facts, processes)
    return read(folder, shapes)


def write(
    folder: Path,
    count: int,
    shapes: Mapping[str, tuple[int, ...]],
    work: Work,
    title: str,
    facts: Mapping[str, Any],
    processes: int = 1,
) -> None:
    """Fill a folder with NAME.npy, uint8 of `count` rows, a part at a time, and the facts as JSON.

    shapes: of one row of each array. title: shown beside the progress.
    """
    partial = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    partial.mkdir(parents=True, exist_ok=True)
    arrays = {
        name: np.lib.format.open_memmap(
            partial / f"{name}.npy", mode="w+", dtype=np.uint8, shape=(count, *shape)
        )
        for name, shape in shapes.items()
    }
    ranges = chunks(count)
    parts = zip(ranges, run(work, ranges, processes), strict=True)
    for (start, stop), rows in track(parts, title, total=len(ranges)):
        for name, values in rows.items():
            arrays[name][start:stop] = values
    for array in arrays.values():
        array.flush()
    (partial / FACTS).write_text(json.dumps(facts), encoding="utf-8")
    try:
        partial.rename(folder)
    except OSError:  # another run was quicker: its arrays are the same
        if not is_written(folder):
            raise
        shutil.rmtree(partial, ignore_errors=True)


def run(work: Work, ranges: list[tuple[int, int]], processes: int) -> Iterator[Part]:
    """The parts in order, from worker processes where there is more than one."""
    if processes <= 1 or len(ranges) <= 1:
        yield from starmap(work, ranges)
        return
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        yield from pool.map(work, *zip(*ranges, strict=True))


def workers(device: str, processes: int | None) -> int:
    """How many processes render: as many as asked for or one a core; one where a GPU does."""
    return (processes or os.cpu_count() or 1) if device == "cpu" else 1
