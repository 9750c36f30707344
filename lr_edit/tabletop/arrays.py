"""Folders of flat arrays, computed once by worker processes and memory-mapped; they hold anything.

A folder is written under a temporary name and renamed when complete, so that one that exists is
whole.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from rich.progress import track

CHUNK = 32
FACTS = "done.json"

Job = TypeVar("Job")
Part = tuple[int, dict[str, np.ndarray]]
"""The index that some rows of the arrays start at, and these rows by the arrays' names."""


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


def write(
    folder: Path,
    shapes: Mapping[str, tuple[int, ...]],
    work: Callable[[Job], Part],
    jobs: Sequence[Job],
    title: str,
    facts: Mapping[str, Any],
    processes: int = 1,
) -> None:
    """Fill a folder with NAME.npy, uint8 of these shapes, a part at a time, and the facts as JSON.

    work: makes the part of one job; jobs and it are sent to worker processes where there are
    several. title: shown beside the progress.
    """
    partial = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    partial.mkdir(parents=True, exist_ok=True)
    arrays = {
        name: np.lib.format.open_memmap(
            partial / f"{name}.npy", mode="w+", dtype=np.uint8, shape=shape
        )
        for name, shape in shapes.items()
    }
    parts = run(work, jobs, processes)
    for start, rows in track(parts, title, total=len(jobs)):
        for name, values in rows.items():
            arrays[name][start : start + len(values)] = values
    for array in arrays.values():
        array.flush()
    (partial / FACTS).write_text(json.dumps(facts), encoding="utf-8")
    partial.rename(folder)


def run(work: Callable[[Job], Part], jobs: Sequence[Job], processes: int) -> Iterator[Part]:
    """The parts in order, from worker processes where there is more than one."""
    if processes <= 1 or len(jobs) <= 1:
        yield from map(work, jobs)
        return
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        yield from pool.map(work, jobs)


def workers(device: str, processes: int | None) -> int:
    """How many processes render: as many as asked for or one a core; one where a GPU does."""
    return (processes or os.cpu_count() or 1) if device == "cpu" else 1
