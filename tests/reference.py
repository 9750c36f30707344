"""Networks that are compared with public code: weights made of names and shapes, stored outputs."""

import json
import math
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file

GOLDEN = Path(__file__).parent / "golden"
Shapes = dict[str, list[int]]


def uniform(shape: list[int], generator: torch.Generator, spread: float = 1.0) -> torch.Tensor:
    """Numbers of standard deviation `spread`; unlike randn's, the same bits everywhere."""
    return (torch.rand(shape, generator=generator) * 2 - 1) * (spread * 3**0.5)


def golden(name: str) -> dict[str, torch.Tensor]:
    """What the public code gave."""
    return load_file(GOLDEN / f"{name}.safetensors")


def stored(name: str, entry: str = "shapes") -> Shapes:
    """Names and shapes of the public network's weights, from the metadata of a golden file."""
    with safe_open(GOLDEN / f"{name}.safetensors", "pt") as file:
        return json.loads(file.metadata()[entry])


def drawn(shapes: Shapes, seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights of these names and shapes; nothing is zero and no two numbers are equal."""
    generator, state = torch.Generator().manual_seed(seed), {}
    for key, shape in sorted(shapes.items()):
        if key.endswith("bias"):
            state[key] = uniform(shape, generator, 0.1)
        elif len(shape) < 2:
            state[key] = 1 + uniform(shape, generator, 0.1)
        else:  # A convolution sums over all but its first axis, other weights over their last.
            summed = math.prod(shape[1:] if len(shape) == 4 else shape[-1:])
            state[key] = uniform(shape, generator, summed**-0.5)
    return state


def pictures(side: int, seed: int = 100) -> torch.Tensor:
    """Two pictures [2, 3, side, side] in [-1, 1]."""
    return uniform([2, 3, side, side], torch.Generator().manual_seed(seed), 3**-0.5)
