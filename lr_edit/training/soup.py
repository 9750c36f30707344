"""Several runs from the same weights as one: the mean of what they learned, or of old and new.

Model soups (Wortsman et al., ICML 2022): runs that start from one trained network stay in one
basin, and the mean of their weights is as good as a run on all their samples, without its
communication. What the network knew before counts for a share in it where a run has forgotten some
of that (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022, eq. 1).
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from lr_edit.errors import UserError


def averaged_folders(
    folders: Sequence[Path], target: Path, shares: Sequence[float] | None = None
) -> None:
    """Write to `target` the files of the first folder, every safetensors the mean of all folders'.

    shares: how much each folder counts for, together 1; equal ones by default. Means are taken in
    float32 and kept in the number type of the first. Raises UserError where a folder lacks a file
    or a tensor, or has one of another shape.
    """
    from safetensors.torch import load_file, save_file

    shutil.copytree(folders[0], target, dirs_exist_ok=True)
    if len(folders) == 1:
        return
    shares = shares or [1 / len(folders)] * len(folders)
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
            key: sum(
                (w * s[key].float() for w, s in zip(shares, states, strict=True)),
                start=torch.zeros(first.shape),
            ).to(first.dtype)
            for key, first in states[0].items()
        }
        save_file(mean, path, metadata={"format": "pt"})
