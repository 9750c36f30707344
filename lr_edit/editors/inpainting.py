"""The unguided editor: a whole inpainting pipeline paints, and only the region of it is taken.

The window, its colours and the final composite are those of the guided editor; λ have no effect.
"""

import time
from collections.abc import Sequence
from functools import partial

import torch
from torch import Generator, Tensor

from lr_edit.backbones.latent import Inpainter
from lr_edit.backbones.memory import enough_memory
from lr_edit.editors.denoisers import gray_projection
from lr_edit.editors.editor import (
    Edit,
    Editor,
    OnStep,
    Progress,
    check_request,
    over_batches,
)
from lr_edit.editors.options import SamplingOptions, WindowOptions
from lr_edit.editors.window import Window, close_window, match_color, open_window


class InpaintingEditor(Editor):
    """Edits with an inpainter that samples by itself.

    Of the sampling options it uses steps, strength, cfg and negative: solver, blending and guidance
    are the pipeline's own affair.
    """

    def __init__(
        self,
        inpainter: Inpainter,
        sampling: SamplingOptions | None = None,
        window: WindowOptions | None = None,
    ) -> None:
        """Options left out take their classes' defaults."""
        self.inpainter = inpainter
        self.sampling = sampling or SamplingOptions()
        self.window = window or WindowOptions()

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
        """See Editor.edit. Candidates are painted one after the other, a recoloured thing anew;
        there are no losses."""
        check_request(image, region, prompt, seeds)
        began = time.perf_counter()
        with torch.no_grad(), enough_memory(self.inpainter.remedy):
            window = open_window(image, region, self.inpainter.size, self.window, complete)
            reports = [
                on_step and partial(over_batches, on_step, k, len(seeds), 1)
                for k in range(len(seeds))
            ]
            patches = torch.cat(
                [
                    self._painted(window, prompt, seed, report)
                    for seed, report in zip(seeds, reports, strict=True)
                ]
            )
            if gray:
                patches = gray_projection(patches)
            if self.window.match_color:
                patches = match_color(patches, patches, window)
            candidates, weight = close_window(image, patches.clamp(-1, 1), window)
        seconds = time.perf_counter() - began
        return Edit(candidates, tuple(seeds), weight, window.box, {}, seconds)

    def _painted(self, window: Window, prompt: str, seed: int, on_step: OnStep | None) -> Tensor:
        """One candidate's window [1, 3, S, S]."""
        options, began = self.sampling, time.perf_counter()

        def told(step: int, t: int) -> None:
            if on_step is not None:
                seconds = time.perf_counter() - began
                on_step(Progress(min(step, options.steps), options.steps, t, blank, {}, seconds))

        def blank() -> Tensor:  # a pipeline does not tell its estimate
            return window.source * (1 - window.hole)

        return self.inpainter.paint(
            window.source,
            window.hole,
            prompt,
            Generator().manual_seed(seed),
            negative=options.negative,
            steps=options.steps,
            cfg=options.cfg,
            strength=options.strength,
            on_step=told,
        )
