"""The denoiser call and its wrappers: classifier-free guidance, gradient guidance, clamping, gray.

A denoiser is `denoise(x_t, t) -> Denoised`; a wrapper takes one and gives one. They compose in
any order, and neither the sampling loop nor the solvers know which are there. Nothing here knows
prompts or CLIP.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lr_edit.backbones.base import Diffusion, Prediction
from lr_edit.editors.options import Normalize, SamplingOptions
from lr_edit.images import luma


@dataclass(frozen=True)
class Denoised:
    """What is known of a noisy sample.

    plain: what the model says, which a multistep solver may remember. guided: what to step with;
    the same object where nothing guides. losses: the guidance losses [N] by name.
    """

    plain: Prediction
    guided: Prediction
    losses: dict[str, Tensor] = field(default_factory=dict)


Denoise = Callable[[Tensor, int], Denoised]
"""(x_t [N, 3, S, S], timestep) -> what is known of it."""

Loss = Callable[[Tensor, Tensor], tuple[Tensor, dict[str, Tensor]]]
"""(x0, what the terms look at), both [N, 3, S, S] -> total loss [N] and its parts."""


def model_denoiser(
    diffusion: Diffusion,
    condition: Tensor,
    null: Tensor,
    cfg: float,
    source: Tensor,
    mask: Tensor,
) -> Denoise:
    """The model with classifier-free guidance: eps = eps_null + cfg (eps_cond - eps_null).

    condition and null [1, L, D] come from `Diffusion.embed`; source [1, 3, S, S]; mask [1, 1, S,
    S]. cfg 1 asks for the condition alone and 0 for the null prompt alone, one forward each;
    otherwise both halves share one forward of twice the batch. Ho and Salimans (2022), in the
    form of GLIDE.
    """
    halves = {0.0: [null], 1.0: [condition]}.get(cfg, [null, condition])

    def denoise(x_t: Tensor, t: int) -> Denoised:
        count = len(x_t)
        total = count * len(halves)
        prediction = diffusion.predict(
            torch.cat([x_t] * len(halves)) if len(halves) > 1 else x_t,
            torch.full((total,), t, device=x_t.device, dtype=torch.long),
            torch.cat([half.expand(count, -1, -1) for half in halves]),
            source.expand(total, -1, -1, -1),
            mask.expand(total, -1, -1, -1),
        )
        x0, eps = prediction.x0.float(), prediction.eps.float()
        if len(halves) > 1:
            x0, eps = (low + cfg * (high - low) for low, high in (x0.chunk(2), eps.chunk(2)))
        plain = Prediction(x0, eps)
        return Denoised(plain, plain)

    return denoise


def guided(
    denoise: Denoise,
    loss: Loss,
    abar: Sequence[float],
    options: SamplingOptions,
    timesteps: frozenset[int] | None = None,
) -> Denoise:
    """Moves x0 and eps down the gradient of a loss, at the given timesteps (None: at all).

    abar is the model's own schedule, indexed by timestep. With g the normalised gradient and s
    options.guidance_scale:

    unet: g = dL/dx_t through the model, from the one forward that also gave x0, and
    eps <- eps + s sqrt(1 - abar) g, x0 accordingly (Dhariwal and Nichol, 2021, algorithm 2).
    straight: g = dL/dx0, the model is never differentiated, and
    x0 <- x0 - s sqrt(1 - abar) g, while eps stays (MPGD; He et al., 2024).

    The loss is shown x0, or the mixture x0 sqrt(1 - abar) + x_t (1 - sqrt(1 - abar)) of Blended
    Diffusion's released code.
    """

    def denoise_guided(x_t: Tensor, t: int) -> Denoised:
        if timesteps is not None and t not in timesteps:
            return denoise(x_t, t)
        sigma = (1 - abar[t]) ** 0.5
        through_model = options.gradient == "unet"
        with torch.set_grad_enabled(through_model):
            x = x_t.detach().requires_grad_(through_model)
            plain = denoise(x, t).plain
        with torch.enable_grad():
            x0 = plain.x0 if through_model else plain.x0.detach().requires_grad_()
            seen = x0 * sigma + x * (1 - sigma) if options.guide_on == "mixture" else x0
            total, losses = loss(x0, seen)
            (slope,) = torch.autograd.grad(total.sum(), x if through_model else x0)
        push = -options.guidance_scale * sigma * normalized(slope, options.normalize, options.tau)
        plain = Prediction(plain.x0.detach(), plain.eps.detach())
        if through_model:
            moved = Prediction(plain.x0 + push * sigma / _signal(abar[t]), plain.eps - push)
        else:
            moved = Prediction(plain.x0 + push, plain.eps)
        return Denoised(plain, moved, losses)

    return denoise_guided


def normalized(slope: Tensor, mode: Normalize, tau: float) -> Tensor:
    """The gradients g [N, ...]: unit is g / rms(g), clip g min(1, tau / rms(g)), none g itself."""
    if mode == "none":
        return slope
    rms = slope.square().mean(dim=tuple(range(1, slope.ndim)), keepdim=True).sqrt()
    rms = rms.clamp(min=1e-20)
    return slope / rms if mode == "unit" else slope * (tau / rms).clamp(max=1)


def projected(
    denoise: Denoise, project: Callable[[Tensor], Tensor], abar: Sequence[float]
) -> Denoise:
    """Replaces x0 by project(x0), and eps so that sqrt(abar) x0 + sqrt(1 - abar) eps stays."""

    def denoise_projected(x_t: Tensor, t: int) -> Denoised:
        ratio = _signal(abar[t]) / (1 - abar[t]) ** 0.5

        def moved(prediction: Prediction) -> Prediction:
            x0 = project(prediction.x0)
            return Prediction(x0, prediction.eps + (prediction.x0 - x0) * ratio)

        denoised = denoise(x_t, t)
        plain = moved(denoised.plain)
        unguided = denoised.guided is denoised.plain
        return Denoised(plain, plain if unguided else moved(denoised.guided), denoised.losses)

    return denoise_projected


def clamped(x0: Tensor) -> Tensor:
    """x0 within [-1, 1]."""
    return x0.clamp(-1, 1)


def gray_projection(x0: Tensor) -> Tensor:
    """The luma of x0 [N, 3, S, S] in all three channels."""
    return luma(x0).expand_as(x0)


def _signal(alpha: float) -> float:
    """sqrt(abar), kept away from 0, where a guided x0 would have no bound.

    Below it the picture has less than 2 % weight in x_t, and a step there moves next to nothing.
    """
    return max(alpha**0.5, 0.02)
