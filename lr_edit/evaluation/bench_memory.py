"""Work in a process of its own, and the most memory that it needed; it knows no models."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import ParamSpec, TypeVar

import torch

from lr_edit.backbones.devices import device_named
from lr_edit.evaluation.machine import peak_rss_mb

P = ParamSpec("P")
T = TypeVar("T")


def alone(work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """work(*arguments, **options) in a new process with as many threads as this one.

    Raises what the work raises, and BrokenProcessPool where the system ends the process, as it does
    when memory runs out.
    """
    with ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn"), torch.set_num_threads, (torch.get_num_threads(),)
    ) as pool:
        return pool.submit(work, *arguments, **options).result()


def peak_gib(device: str) -> float:
    """The most GiB that this process has held: of a GPU what torch allocated, or else of RAM.

    Not ru_maxrss, which on Linux begins with the peak of the process that started this one.
    """
    where = device_named(device)
    if where.type == "cuda":
        return torch.cuda.max_memory_allocated(where) / 2**30
    return peak_rss_mb() / 1024
