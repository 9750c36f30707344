"""Several runs from the same weights as one: the mean of what they learned.

Model soups (Wortsman et al., ICML 2022): runs that start from one trained network stay in one
basin, and the mean of their weights is as good as a run on all their samples, without its
communication.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lr_edit.errors import UserError


def averaged_folders(folders: Sequence[Path], target: Path) -> None:
    """Write to `target` the files of the first folder, every safetensors the mean of all folders'.

    Means are taken in float32 and kept in the number type of the first. Raises UserError where a
    folder lacks a file or a tensor, or has one of another shape.
    """
    from safetensors.torch import load_file, save_file

    shutil.copytree(folders[0], target, dirs_exist_ok=True)
    if len(folders) == 1:
        return
    for path in sorted(target.rglob("*.safetensors")):
        name = path.relative_to(target)
        states = []
        for folder in folders:
            if not (folder / name).is_file():
                raise UserError(f"{folder / name}: no such file, expected weights as of the others")
            states.append(load_file(folder / name))
        if any({k: v.shape for k, v in s.items()} != {k: v.shape for k, v in states[0].items()}
               for s in states):  # fmt: skip
            raise UserError(f"{name}: the runs' networks differ, so that no mean of them is one")
        mean = {
            key: (sum(s[key].float() for s in states) / len(states)).to(first.dtype)  # type: ignore[union-attr]
            for key, first in states[0].items()
        }
        save_file(mean, path, metadata={"format": "pt"})


def facts_together(facts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """`run_facts` of several runs as those of their mean: steps and seconds of all; the first's
    curve. Raises UserError where they began from different weights."""
    if len({one["start"] for one in facts}) != 1:
        raise UserError("the runs began from different weights, so that no mean of them is one")
    before = facts[0]["steps_before_this_curve"]
    spent = facts[0]["seconds_before"]
    if len(facts) == 1:
        return facts[0]
    return facts[0] | {
        "steps": before + sum(one["steps"] - before for one in facts),
        "seconds": spent + sum(one["seconds"] - spent for one in facts),
        "runs_averaged": len(facts),
    }
