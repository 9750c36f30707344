"""Solvers: which timesteps are visited, and the steps between them, by diffusers' schedulers.

A scheduler is built on the respaced schedule, so that its step i -> i - 1 is exactly the step
from one visited timestep to the next whatever their spacing; the model's own timesteps are looked
up in a table.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from lr_edit.editors.denoisers import Denoised
from lr_edit.editors.options import SolverName
from lr_edit.errors import UserError

_SMALLEST_ALPHA = 1e-9  # keeps the signal-to-noise ratio finite where a schedule ends in noise


def trailing_timesteps(total: int, steps: int, strength: float = 1.0) -> tuple[int, ...]:
    """`steps` timesteps, descending and evenly spaced, from strength * total - 1 on.

    The "trailing" spacing of Lin et al. (2024), table 2: the first visited step is the noisiest,
    which few steps need. strength in (0, 1] is the share of the schedule that is run; all `steps`
    lie within it. Raises UserError when it has fewer timesteps than that.
    """
    if not 0 < strength <= 1:
        raise UserError(f"strength is {strength}; give a number above 0 (unchanged) up to 1 (new)")
    start = round(strength * total)
    if not 1 <= steps <= start:
        raise UserError(
            f"steps is {steps}; with strength {strength} give 1 to {start} of the {total} timesteps"
        )
    return tuple((2 * start * (steps - i) + steps) // (2 * steps) - 1 for i in range(steps))


class Solver:
    """One run of a diffusers scheduler over chosen timesteps; it remembers, so build one a run.

    ddpm: ancestral sampling (Ho et al., 2020). ddim: deterministic (Song et al., 2021, eta = 0).
    dpmsolver: DPM-Solver++ 2M (Lu et al., 2022).
    """

    def __init__(self, name: SolverName, alphas_cumprod: Tensor, timesteps: Sequence[int]) -> None:
        """alphas_cumprod [T] is the model's schedule; timesteps descend strictly within [0, T)."""
        inside = [t for t in sorted(set(timesteps), reverse=True) if 0 <= t < len(alphas_cumprod)]
        if not timesteps or inside != list(timesteps):
            raise UserError(
                f"timesteps are {list(timesteps)}; give a strictly descending list within "
                f"0 to {len(alphas_cumprod) - 1}"
            )
        alphas = alphas_cumprod.detach().double().cpu()[list(timesteps)].clamp(min=_SMALLEST_ALPHA)
        self.timesteps = tuple(int(t) for t in timesteps)
        self.levels: tuple[float, ...] = (*alphas.tolist(), 1.0)
        self._stochastic = name == "ddpm"
        self._scheduler = _scheduler(name, alphas.flip(0))

    def __len__(self) -> int:
        """The number of steps."""
        return len(self.timesteps)

    def step(
        self, i: int, x: Tensor, denoised: Denoised, generators: Sequence[Generator]
    ) -> Tensor:
        """The sample after step i, at levels[i + 1], from x [N, 3, S, S] at levels[i].

        The scheduler sees the model's plain prediction, so guidance stays out of a multistep
        history. What guidance changed is added as DDIM would carry it (Song et al., 2021, eq.
        12): sqrt(abar') * dx0 + sqrt(1 - abar' - sigma^2) * deps. For ddpm and ddim this equals
        stepping with the guided prediction itself.
        """
        plain, guided = denoised.plain, denoised.guided
        index = len(self) - 1 - i
        output = self._scheduler.step(plain.x0, index, x, generator=list(generators))
        if guided is plain:
            return output.prev_sample
        now, then = self.levels[i], self.levels[i + 1]
        variance = (1 - then) / (1 - now) * (1 - now / then) if self._stochastic else 0.0
        toward_noise = max(1 - then - variance, 0.0) ** 0.5
        shift = then**0.5 * (guided.x0 - plain.x0) + toward_noise * (guided.eps - plain.eps)
        return output.prev_sample + shift


def _scheduler(name: SolverName, alphas: Tensor) -> Any:
    """A diffusers scheduler whose timesteps 0 .. n-1 have exactly the falling abar [n] given."""
    from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler

    count = len(alphas)
    ratios = alphas / torch.cat([torch.ones(1, dtype=alphas.dtype), alphas[:-1]])
    common = {
        "num_train_timesteps": count,
        "trained_betas": (1 - ratios).tolist(),
        "prediction_type": "sample",
    }
    if name == "ddpm":
        scheduler: Any = DDPMScheduler(clip_sample=False, **common)
    elif name == "ddim":
        scheduler = DDIMScheduler(clip_sample=False, **common)
    elif name == "dpmsolver":
        scheduler = DPMSolverMultistepScheduler(final_sigmas_type="zero", **common)
    else:
        raise UserError(f"solver is {name!r}; give ddpm, ddim or dpmsolver")
    # The product of float32 betas loses digits that 1 - abar near the clean end needs.
    scheduler.alphas_cumprod = alphas.float()
    if name == "ddim":
        scheduler.set_timesteps(count)
    elif name == "dpmsolver":
        scheduler.set_timesteps(timesteps=list(range(count - 1, -1, -1)))
    return scheduler
