"""The choices of a guided edit as frozen, checked records; their defaults live here alone."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from lr_edit.errors import UserError

SolverName = Literal["ddpm", "ddim", "dpmsolver"]
GradientMode = Literal["unet", "straight"]
GuideOn = Literal["mixture", "x0"]
Normalize = Literal["unit", "clip", "none"]


@dataclass(frozen=True)
class SamplingOptions:
    """How candidates are sampled and guided.

    Attributes:
        solver: ddpm (ancestral), ddim (deterministic) or dpmsolver (DPM-Solver++ 2M).
        steps: steps really run, whatever the strength.
        strength: share of the noise schedule that is run: 1 paints from pure noise, less from the
            noised source.
        timesteps: an own strictly descending list of timesteps, in place of steps and strength.
        cfg: classifier-free guidance; 1 the prompt alone, 0 no prompt; models without text ignore
            it.
        gradient: where the guidance loss is differentiated: "unet", with respect to x_t through the
            model, or "straight", with respect to x0 alone (MPGD): cheaper, weaker.
        guide_on: the loss looks at the "mixture" of x0 and x_t (Blended Diffusion) or at "x0".
        guidance_scale: how far the gradient moves a sample; times sqrt(1 - abar), the
            sin(pi t / 2T) of a cosine schedule. With normalize "none" the lambdas set the strength:
            take 1.
        normalize: a sample's gradient g becomes "unit" g / rms(g), "clip" g min(1, tau / rms(g)),
            or stays.
        tau: the largest rms of "clip".
        unguided_steps: how many of the last steps go without the loss, which has least to say
            there.
        clamp: keep x0 within [-1, 1] at every step; latents have no such limits.
        blend: put the noised background back at every step; without it only the final picture is
            composited.
        shrink: latent models: a region whose middle is fewer latent cells than this from its rim is
            widened to it at first, and drawn in over the steps; 0 for none.
        lightness: models of pixels: where only a colour is to change, the source's lightness stays
            as far as it is finer than this share of the model's size, and with it the thing's
            shape; 0 paints the thing anew.
        evenness: and then what had one colour gets one colour: how far apart two colours, over
            their lightness, may be to count as one; 0 leaves each pixel its own.
        negative: the null prompt of classifier-free guidance: what the region should not show.
        bf16: run the networks in bfloat16 autocast; None where the device is fast at it.
    """

    solver: SolverName = "ddpm"
    steps: int = 25
    strength: float = 1.0
    timesteps: tuple[int, ...] | None = None
    cfg: float = 3.0
    gradient: GradientMode = "straight"
    guide_on: GuideOn = "mixture"
    guidance_scale: float = 0.05
    normalize: Normalize = "unit"
    tau: float = 0.05
    unguided_steps: int = 0
    clamp: bool = True
    blend: bool = True
    shrink: int = 4
    lightness: float = 0.1
    evenness: float = 0.15
    negative: str = ""
    bf16: bool | None = None

    def __post_init__(self) -> None:
        _one_of("sampling.solver", self.solver, get_args(SolverName))
        _one_of("sampling.gradient", self.gradient, get_args(GradientMode))
        _one_of("sampling.guide_on", self.guide_on, get_args(GuideOn))
        _one_of("sampling.normalize", self.normalize, get_args(Normalize))
        _at_least("sampling.steps", self.steps, 1)
        _at_least("sampling.cfg", self.cfg, 0)
        _at_least("sampling.guidance_scale", self.guidance_scale, 0)
        _at_least("sampling.tau", self.tau, 0)
        _at_least("sampling.unguided_steps", self.unguided_steps, 0)
        _at_least("sampling.shrink", self.shrink, 0)
        _at_least("sampling.evenness", self.evenness, 0)
        if not 0 <= self.lightness <= 1:
            raise UserError(
                f"sampling.lightness is {self.lightness}; give a share of the side from 0 to 1"
            )
        if not 0 < self.strength <= 1:
            raise UserError(
                f"sampling.strength is {self.strength}; give a number above 0, up to 1 (paint anew)"
            )


@dataclass(frozen=True)
class WindowOptions:
    """The square that is cut from the picture, edited at the model's size, and put back.

    Attributes:
        context: surroundings on each side, as a share of the region's longer side; as little as
            half of it where the picture would be shrunk otherwise.
        minimum: least side in pixels of the picture.
        grow: how far the region is widened, in pixels at the model's size, so that the old thing's
            shadow goes with it.
        margin: the same of a region that is known to hold all that changes, the shadow too.
        feather: width of the soft rim inside the widened region, in pixels at the model's size.
        match_color: shift the result's colour by how the model missed the source on a ring around
            it.
    """

    context: float = 0.3
    minimum: int = 44
    grow: int = 5
    margin: int = 3
    feather: int = 2
    match_color: bool = True

    def __post_init__(self) -> None:
        _at_least("window.context", self.context, 0)
        _at_least("window.minimum", self.minimum, 1)
        _at_least("window.grow", self.grow, 0)
        _at_least("window.margin", self.margin, 0)
        _at_least("window.feather", self.feather, 0)


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UserError(f"{name} is {value!r}; give one of {', '.join(choices)}")


def _at_least(name: str, value: float, least: float) -> None:
    if not (math.isfinite(value) and value >= least):
        raise UserError(f"{name} is {value}; give a number of at least {least}")
