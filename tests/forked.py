"""Two processes of one training, forked as a launcher would start them: nothing is imported anew.

What a process cannot be forked for, such as the launching itself, is tested with real ones.
"""

import os
import socket
from collections.abc import Callable
from multiprocessing import get_context

import pytest
import torch


def in_one(work: Callable[[], int], seconds: float = 300) -> int:
    """Does the work in a process of its own, which may be killed: its exit status."""
    return _done([{}], work, seconds)[0]


def in_two(work: Callable[[], int], seconds: float = 300) -> list[int]:
    """Does the work in two processes that Lightning takes for one training: their exit statuses."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = str(probe.getsockname()[1])
    same = {"MASTER_ADDR": "localhost", "MASTER_PORT": port, "WORLD_SIZE": "2", "NODE_RANK": "0"}
    return _done([same | {"LOCAL_RANK": str(rank)} for rank in range(2)], work, seconds)


def _done(environments: list[dict[str, str]], work: Callable[[], int], seconds: float) -> list[int]:
    if torch.cuda.is_initialized():
        pytest.skip("a process with CUDA cannot be forked")
    forked = get_context("fork")
    processes = [forked.Process(target=_run, args=(one, work)) for one in environments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(seconds)
    late = [process.kill() for process in processes if process.is_alive()]
    assert not late, f"{len(late)} processes were at it for {seconds} seconds"
    return [process.exitcode or 0 for process in processes]


def _run(environment: dict[str, str], work: Callable[[], int]) -> None:
    os.environ.update(environment)
    raise SystemExit(work())
