"""The sampling loop and the blending of the background; nothing here knows models or guidance."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from lr_edit.editors.denoisers import Denoise
from lr_edit.editors.editor import OnStep, Progress
from lr_edit.editors.schedulers import Solver

Blend = Callable[[Tensor, float], Tensor]
"""(sample [N, C, S, S], its abar) -> the sample with its background put back at that level."""


class Sample(NamedTuple):
    """The end of a run: x0 [N, C, S, S], the same before the last blend, the last losses."""

    pictures: Tensor
    unblended: Tensor
    losses: dict[str, Tensor]


def initial_noise(
    generators: Sequence[Generator], size: int, device: torch.device, channels: int = 3
) -> Tensor:
    """Standard normal noise [N, channels, size, size], candidate k's from generator k alone."""
    noise = [torch.randn(channels, size, size, generator=g, device=g.device) for g in generators]
    return torch.stack(noise).to(device)


def noised(source: Tensor, noise: Tensor, abar: float) -> Tensor:
    """x_t = sqrt(abar) x_0 + sqrt(1 - abar) eps (Ho et al., 2020, eq. 4)."""
    return abar**0.5 * source + (1 - abar) ** 0.5 * noise


def background(source: Tensor, mask: Tensor, noise: Tensor) -> Blend:
    """Blended Diffusion, algorithm 2: x * m + noised(source) * (1 - m), at the sample's own level.

    The noise [N, C, S, S] is one draw a candidate for the whole run. With it also the start of the
    sample, both sides of a soft edge carry the same noise, and mixing them loses no variance.
    """

    def blend(x: Tensor, abar: float) -> Tensor:
        return x * mask + noised(source, noise, abar) * (1 - mask)

    return blend


def unblended(x: Tensor, abar: float) -> Tensor:
    """The blend that leaves the sample as it is."""
    return x


def unchanged(x: Tensor) -> Tensor:
    """x itself: the picture of a sample that is one."""
    return x


@torch.no_grad()
def sample(
    denoise: Denoise,
    solver: Solver,
    x: Tensor,
    blend: Blend,
    generators: Sequence[Generator],
    on_step: OnStep | None = None,
    picture: Callable[[Tensor], Tensor] = unchanged,
) -> Sample:
    """Runs every step of the solver from x [N, C, S, S] at the solver's first level.

    What comes back is the sample after the last step, last guidance included, not an earlier
    estimate. generators, one a candidate, feed stochastic solvers. Progress counts this run
    alone; picture makes its previews of x0.
    """
    began = time.perf_counter()
    losses: dict[str, Tensor] = {}
    x = raw = blend(x, solver.levels[0])
    for i, t in enumerate(solver.timesteps):
        denoised = denoise(x, t)
        raw = solver.step(i, x, denoised, generators)
        x = blend(raw, solver.levels[i + 1])
        losses = denoised.losses or losses
        if on_step is not None:
            preview = partial(_preview, picture, blend, denoised.guided.x0)
            seconds = time.perf_counter() - began
            on_step(Progress(i + 1, len(solver), t, preview, denoised.losses, seconds))
    return Sample(x, raw, losses)


@torch.no_grad()
def _preview(picture: Callable[[Tensor], Tensor], blend: Blend, x0: Tensor) -> Tensor:
    """An estimate x0 in its surroundings, as a picture in [-1, 1]."""
    return picture(blend(x0, 1.0)).clamp(-1, 1)
