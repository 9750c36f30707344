"""Two processes of one training, forked as a launcher would start them: nothing is imported anew.

What a process cannot be forked for, such as the launching itself, is tested with real ones.
"""

import os
import socket
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

import pytest
import torch


def in_one(work: Callable[[], int], seconds: float = 300) -> int:
    """Does the work in a process of its own, which may be killed: its exit status."""
    return _done([{}], work, seconds)[0]


def in_two(work: Callable[[], int], seconds: float = 300) -> list[int]:
    """Does the work in two processes of one training: their exit statuses, which are not 0 where
    the two did not find each other."""
    return _done(environments(), work, seconds)


def environments() -> list[dict[str, str]]:
    """What Lightning is told in each of two processes."""
    same = {"MASTER_ADDR": "localhost", "MASTER_PORT": free_port()}
    same |= {"WORLD_SIZE": "2", "NODE_RANK": "0"}
    return [same | {"LOCAL_RANK": str(rank)} for rank in range(2)]


def forking() -> Any:
    """What makes processes that are forked; where they cannot be, the test is skipped."""
    if torch.cuda.is_initialized():
        pytest.skip("a process with CUDA cannot be forked")
    return get_context("fork")


def free_port() -> str:
    """The number of a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return str(probe.getsockname()[1])


def _done(places: list[dict[str, str]], work: Callable[[], int], seconds: float) -> list[int]:
    forked = forking()
    processes = [forked.Process(target=_run, args=(one, work)) for one in places]
    for process in processes:
        process.start()
    for process in processes:
        process.join(seconds)
    late = [process for process in processes if process.is_alive()]
    for process in late:
        process.kill()
    assert not late, f"{len(late)} processes were at it for {seconds} seconds"
    return [process.exitcode for process in processes]


def _run(environment: dict[str, str], work: Callable[[], int]) -> None:
    os.environ.update(environment)
    status = work()
    if status == 0 and environment:
        assert torch.distributed.get_world_size() == int(environment["WORLD_SIZE"])
    raise SystemExit(status)
