"""The guided editor: a diffusion model, a guidance loss, and a background that stays.

Joshi and Aditya, section 3.3, on Blended Diffusion (Avrahami et al., 2022) and, for models of
latents, Blended Latent Diffusion (2023). Everything numerical is in the modules beside this one;
here they are put together.
"""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial

import torch
from torch import Generator, Tensor

from lr_edit.backbones.base import Diffusion, ImageTextEncoder, PerceptualDistance
from lr_edit.backbones.devices import fast_bfloat16
from lr_edit.backbones.latent import LatentDiffusion
from lr_edit.backbones.memory import enough_memory
from lr_edit.editors.canvas import Canvas, canvas_background, pixel_canvas, seen_on
from lr_edit.editors.denoisers import Denoise, guided, model_denoiser, projected
from lr_edit.editors.editor import (
    LARGEST_SEED,
    Edit,
    Editor,
    OnStep,
    check_request,
    over_batches,
)
from lr_edit.editors.latent import latent_canvas
from lr_edit.editors.options import SamplingOptions, WindowOptions
from lr_edit.editors.sampling import Sample, initial_noise, noised, sample, unblended
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

_REMEDY = (
    "put checkpointing: true in the init_args of `diffusion` in the model set, or give a smaller "
    "--count, --sampling.gradient straight, or --device cpu"
)


class GuidedEditor(Editor):
    """Edits with a diffusion model of pixels or latents, text-conditional or not, guided or not."""

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
        nothing else; a model of latents may ask for fewer.
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
        latent = diffusion if isinstance(diffusion, LatentDiffusion) else None
        self.batch = min(max_batch, latent.batch) if latent else max_batch
        self._codec = latent.codec if latent else None
        self._remedy = latent.remedy if latent else _REMEDY
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
        complete: bool = False,
        recolour: bool = False,
        on_step: OnStep | None = None,
    ) -> Edit:
        """See Editor.edit. Also works within inference mode.

        Raises UserError for a prompt of which a model would not read the end.
        """
        check_request(image, region, prompt, seeds)
        self.diffusion.check_length(prompt)
        if self.clip is not None and self.weights.clip > 0:
            self.clip.check_length(prompt)
        began = time.perf_counter()
        with torch.inference_mode(False), torch.no_grad(), enough_memory(self._remedy):
            window = open_window(image, region, self.diffusion.size, self.window, complete)
            canvas = self._canvas(window, gray, recolour)
            samples = [
                self._paint(window, canvas, prompt, seeds, first, on_step)
                for first in range(0, len(seeds), self.batch)
            ]
            patches = torch.cat([canvas.picture(part.pictures) for part in samples])
            if self.window.match_color:
                raw = torch.cat([canvas.picture(part.unblended) for part in samples])
                patches = match_color(patches, raw, window)
            candidates, weight = close_window(image, patches.clamp(-1, 1), window)
        losses = {
            name: torch.cat([part.losses[name] for part in samples]) for name in samples[0].losses
        }
        seconds = time.perf_counter() - began
        return Edit(candidates, tuple(seeds), weight, window.box, losses, seconds)

    def _canvas(self, window: Window, gray: bool, recolour: bool) -> Canvas:
        """The window as the model sees it. Latents have no lightness that could be kept."""
        if self._codec is None:
            options = self.sampling
            kept = options.lightness if recolour else 0.0
            return pixel_canvas(window, options.clamp, gray, kept, options.evenness)
        return latent_canvas(window, self._codec, self.sampling.shrink, gray)

    def _paint(
        self,
        window: Window,
        canvas: Canvas,
        prompt: str,
        seeds: Sequence[int],
        first: int,
        on_step: OnStep | None,
    ) -> Sample:
        """Samples the batch of candidates that begins at `first`."""
        options, source = self.sampling, canvas.source
        solver = self._solver()
        generators = [Generator().manual_seed(s) for s in seeds[first : first + self.batch]]
        view_generators = [_branch(generator) for generator in generators]
        noise = initial_noise(generators, source.shape[-1], source.device, source.shape[1])
        whole = options.timesteps is None and options.strength == 1
        start = noise if whole else noised(source, noise, solver.levels[0])
        blend = canvas_background(canvas, noise, solver.levels) if options.blend else unblended
        with self._autocast(source.device):
            denoise = self._denoiser(window, canvas, prompt, solver.timesteps, view_generators)
            report = on_step and partial(over_batches, on_step, first, len(seeds), self.batch)
            return sample(denoise, solver, start, blend, generators, report, canvas.view)

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
        canvas: Canvas,
        prompt: str,
        timesteps: tuple[int, ...],
        view_generators: Sequence[Generator],
    ) -> Denoise:
        """The model with every wrapper that the options ask for."""
        options = self.sampling
        abar = self.diffusion.alphas_cumprod.double().tolist()
        cfg = options.cfg if self.diffusion.text_conditional else 0.0
        condition, null = self.diffusion.embed([prompt, options.negative]).split(1)
        denoise = model_denoiser(self.diffusion, condition, null, cfg, canvas.shown, canvas.hole)
        if self.weights.active:
            terms = self._terms(view_generators)
            loss = partial(
                weighted_sum, terms, source=window.source, mask=window.mask, prompt=prompt
            )
            seen = seen_on(canvas, loss, self.weights.range > 0)
            steered = frozenset(timesteps[: max(len(timesteps) - options.unguided_steps, 0)])
            denoise = guided(denoise, seen, abar, options, steered)
        for limit in canvas.limits:
            denoise = projected(denoise, limit, abar)
        return denoise

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
        """bfloat16 for the networks, when asked for or fast."""
        wanted = self.sampling.bf16
        return torch.autocast(
            device.type, torch.bfloat16, enabled=fast_bfloat16(device) if wanted is None else wanted
        )


def _branch(generator: Generator) -> Generator:
    """A second stream for a candidate, so that its noise is the same whatever else is drawn."""
    return Generator().manual_seed(int(torch.randint(LARGEST_SEED, (), generator=generator)))
