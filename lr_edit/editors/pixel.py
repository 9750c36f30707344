"""The guided editor: a pixel diffusion model, a guidance loss, and a background that stays.

Joshi and Aditya, section 3.3, on Blended Diffusion (Avrahami et al., 2022). Everything numerical
is in the modules beside this one; here they are put together.
"""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial

import torch
from torch import Generator, Tensor

from lr_edit.backbones.base import Diffusion, ImageTextEncoder, PerceptualDistance
from lr_edit.editors.denoisers import (
    Denoise,
    clamped,
    gray_projection,
    guided,
    model_denoiser,
    projected,
)
from lr_edit.editors.editor import Edit, Editor, OnStep, Progress
from lr_edit.editors.options import SamplingOptions, WindowOptions
from lr_edit.editors.sampling import (
    Sample,
    background,
    initial_noise,
    noised,
    sample,
    unblended,
)
from lr_edit.editors.schedulers import Solver, trailing_timesteps
from lr_edit.editors.window import Window, close_window, match_color, open_window
from lr_edit.errors import UserError
from lr_edit.guidance.augment import homographies
from lr_edit.guidance.options import AugmentOptions, Distance, GuidanceWeights, ViewOptions
from lr_edit.guidance.terms import (
    ClipTerm,
    GuidanceTerm,
    L2Term,
    LpipsTerm,
    RangeTerm,
    TextCache,
    weighted_sum,
)

_LARGEST_SEED = 2**32 - 1  # torch's CPU generator uses no more bits than that


class PixelEditor(Editor):
    """Edits with a pixel diffusion model, text-conditional or not, guided or not."""

    def __init__(
        self,
        diffusion: Diffusion,
        clip: ImageTextEncoder | None = None,
        perceptual: PerceptualDistance | None = None,
        weights: GuidanceWeights | None = None,
        sampling: SamplingOptions | None = None,
        window: WindowOptions | None = None,
        views: ViewOptions | None = None,
        augment: AugmentOptions | None = None,
        distance: Distance = "spherical",
        max_batch: int = 8,
    ) -> None:
        """Options left out take their classes' defaults; all models are on one device.

        clip and perceptual are needed when their weight is not 0, else UserError. distance: of
        the CLIP loss. max_batch: candidates sampled at once, which bounds memory and changes
        nothing else.
        """
        self.diffusion = diffusion
        self.clip = clip
        self.perceptual = perceptual
        self.weights = weights or GuidanceWeights()
        self.sampling = sampling or SamplingOptions()
        self.window = window or WindowOptions()
        self.views = views or ViewOptions()
        self.augment = augment or AugmentOptions()
        self.distance = distance
        self.max_batch = max_batch
        if max_batch < 1:
            raise UserError(f"max_batch is {max_batch}; give 1 or more")
        for name, model in (("clip", clip), ("lpips", perceptual)):
            if getattr(self.weights, name) > 0 and model is None:
                raise UserError(
                    f"weights.{name} is {getattr(self.weights, name)}, but these models have no "
                    f"network for it; set weights.{name} to 0"
                )
        self._text = TextCache(clip) if clip is not None else None
        self._solver()  # tells impossible steps now, and imports diffusers outside any edit

    def edit(
        self,
        image: Tensor,
        region: Tensor,
        prompt: str,
        *,
        seeds: Sequence[int],
        gray: bool = False,
        on_step: OnStep | None = None,
    ) -> Edit:
        """See Editor.edit. Also works within inference mode."""
        _check(image, region, prompt, seeds)
        began = time.perf_counter()
        with torch.inference_mode(False), torch.no_grad():
            window = open_window(image, region, self.diffusion.size, self.window)
            samples = [
                self._paint(window, prompt, seeds, first, gray, on_step)
                for first in range(0, len(seeds), self.max_batch)
            ]
            patches = torch.cat([part.pictures for part in samples])
            if self.window.match_color:
                raw = torch.cat([part.unblended for part in samples])
                patches = match_color(patches, raw, window)
            candidates, weight = close_window(image, patches.clamp(-1, 1), window)
        losses = {
            name: torch.cat([part.losses[name] for part in samples]) for name in samples[0].losses
        }
        seconds = time.perf_counter() - began
        return Edit(candidates, tuple(seeds), weight, window.box, losses, seconds)

    def _paint(
        self,
        window: Window,
        prompt: str,
        seeds: Sequence[int],
        first: int,
        gray: bool,
        on_step: OnStep | None,
    ) -> Sample:
        """Samples the batch of candidates that begins at `first`."""
        options, device = self.sampling, window.source.device
        solver = self._solver()
        generators = [Generator().manual_seed(s) for s in seeds[first : first + self.max_batch]]
        view_generators = [_branch(generator) for generator in generators]
        noise = initial_noise(generators, self.diffusion.size, device)
        whole = options.timesteps is None and options.strength == 1
        start = noise if whole else noised(window.source, noise, solver.levels[0])
        blend = background(window.source, window.mask, noise) if options.blend else unblended
        with self._autocast(device):
            denoise = self._denoiser(window, prompt, solver.timesteps, view_generators, gray)
            report = on_step and partial(_report, on_step, first, len(seeds), self.max_batch)
            return sample(denoise, solver, start, blend, generators, report)

    def _solver(self) -> Solver:
        """A fresh solver; what a multistep one remembers belongs to one batch."""
        options, schedule = self.sampling, self.diffusion.alphas_cumprod
        timesteps = options.timesteps
        if timesteps is None:
            timesteps = trailing_timesteps(len(schedule), options.steps, options.strength)
        return Solver(options.solver, schedule, timesteps)

    def _denoiser(
        self,
        window: Window,
        prompt: str,
        timesteps: tuple[int, ...],
        view_generators: Sequence[Generator],
        gray: bool,
    ) -> Denoise:
        """The model with every wrapper that the options ask for."""
        options = self.sampling
        abar = self.diffusion.alphas_cumprod.double().tolist()
        cfg = options.cfg if self.diffusion.text_conditional else 0.0
        condition, null = self.diffusion.embed([prompt, ""]).split(1)
        denoise = model_denoiser(self.diffusion, condition, null, cfg, window.source, window.hole)
        if self.weights.active:
            terms = self._terms(view_generators)
            loss = partial(
                weighted_sum, terms, source=window.source, mask=window.mask, prompt=prompt
            )
            steered = frozenset(timesteps[: max(len(timesteps) - options.unguided_steps, 0)])
            denoise = guided(denoise, loss, abar, options, steered)
        if options.clamp:
            denoise = projected(denoise, clamped, abar)
        return projected(denoise, gray_projection, abar) if gray else denoise

    def _terms(self, generators: Sequence[Generator]) -> dict[str, tuple[float, GuidanceTerm]]:
        """The terms whose weight is not 0, by name; the generators draw CLIP's views."""
        weights = self.weights
        terms: dict[str, tuple[float, GuidanceTerm]] = {}
        if weights.clip > 0 and self.clip is not None and self._text is not None:
            draw = partial(homographies, self.augment, generators)
            term = ClipTerm(self.clip, self._text, self.distance, self.views, draw)
            terms["clip"] = (weights.clip, term)
        if weights.lpips > 0 and self.perceptual is not None:
            terms["lpips"] = (weights.lpips, LpipsTerm(self.perceptual))
        if weights.l2 > 0:
            terms["l2"] = (weights.l2, L2Term())
        if weights.range > 0:
            terms["range"] = (weights.range, RangeTerm())
        return terms

    def _autocast(self, device: torch.device) -> AbstractContextManager[None]:
        """bfloat16 for the networks, when asked for."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.sampling.bf16)


def _branch(generator: Generator) -> Generator:
    """A second stream for a candidate, so that its noise is the same whatever else is drawn."""
    return Generator().manual_seed(int(torch.randint(_LARGEST_SEED, (), generator=generator)))


def _report(on_step: OnStep, first: int, count: int, batch: int, progress: Progress) -> None:
    """Passes on the progress of one batch, counted over all of them."""
    batches = -(-count // batch)
    done = first // batch * progress.steps + progress.step
    on_step(replace(progress, step=done, steps=batches * progress.steps, first=first))


def _check(image: Tensor, region: Tensor, prompt: str, seeds: Sequence[int]) -> None:
    """Raises UserError for what no editor can work with."""
    if image.ndim != 4 or image.shape[:2] != (1, 3):
        raise UserError(f"the image has shape {tuple(image.shape)}; give [1, 3, H, W]")
    if region.shape != (1, 1, *image.shape[2:]):
        raise UserError(
            f"the region has shape {tuple(region.shape)}; give [1, 1, H, W] of the image's size, "
            f"{image.shape[3]}x{image.shape[2]}"
        )
    if not prompt.strip():
        raise UserError("the prompt is blank; say what the region should show")
    if not seeds:
        raise UserError("there are no seeds; give one for every candidate")
    if not all(0 <= seed <= _LARGEST_SEED for seed in seeds):
        raise UserError(f"seeds are {list(seeds)}; give whole numbers from 0 to {_LARGEST_SEED}")
