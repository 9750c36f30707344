"""How the models of a configuration are loaded and their work is timed; which, see `bench_rows`."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from lr_edit.backbones.base import Diffusion, Segmentation, Segmenter
from lr_edit.backbones.devices import device_named
from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.backbones.perceptual import LpipsDistance
from lr_edit.backbones.segformer import SegformerSegmenter
from lr_edit.editors.editor import Progress
from lr_edit.editors.guided import GuidedEditor
from lr_edit.editors.options import GradientMode, SamplingOptions
from lr_edit.evaluation.random_models import Sizes
from lr_edit.guidance.options import AugmentOptions, ViewOptions
from lr_edit.regions.segformer_clip import SegformerClipProposer

GRID, VIEWS, CFG = 4, 2, 7.5
Load = Callable[[Path, str], Diffusion]
"""Folder of all weights, device => the model."""


@dataclass(frozen=True)
class Ready:
    """A configuration that has been loaded.

    networks: what holds its parameters. seconds: that many timings, after one that does not count.
    side: of the guided step's picture in pixels; None where a region is timed.
    """

    networks: tuple[object, ...]
    seconds: Callable[[int], list[float]]
    side: int | None


class Gridded(Segmenter):
    """A segmenter at work, whose labels are then a grid of GRID × GRID all the same.

    With random weights the number of segments, and so CLIP's work, would be chance.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter

    def segment(self, images: Tensor) -> Segmentation:
        labels = self.segmenter.segment(images).labels
        rows, columns = (torch.arange(side) * GRID // side for side in labels.shape[-2:])
        grid = (rows[:, None] * GRID + columns).to(labels)
        return Segmentation(grid.expand_as(labels), tuple(map(str, range(GRID**2))))


def editing(
    load: Load, gradient: GradientMode, bf16: bool = False
) -> Callable[[Path, Sizes, str], Ready]:
    """Loads a model with CLIP and LPIPS for guided steps of one candidate at the model's size."""

    def loaded(place: Path, sizes: Sizes, device: str) -> Ready:
        diffusion = load(place, device)
        clip = OpenClipEncoder(f"local-dir:{place / 'clip'}", device=device)
        perceptual = LpipsDistance(sizes.lpips, device=device)
        side = diffusion.size
        picture = _picture(side, device)
        region = torch.zeros_like(picture[:, :1])
        region[..., side * 3 // 8 : side * 5 // 8, side * 3 // 8 : side * 5 // 8] = 1

        def seconds(rounds: int) -> list[float]:
            ends: list[float] = []

            def told(progress: Progress) -> None:
                wait(device)
                ends.append(time.perf_counter())

            options = SamplingOptions(
                steps=rounds + 1, strength=0.5, cfg=CFG, gradient=gradient, bf16=bf16
            )
            editor = GuidedEditor(
                diffusion, clip, perceptual, sampling=options, views=ViewOptions(side=sizes.view),
                augment=AugmentOptions(copies=VIEWS),
            )  # fmt: skip
            editor.edit(picture, region, "a mug", seeds=[0], on_step=told)
            return [end - begin for begin, end in pairwise(ends)]

        return Ready((diffusion, clip, perceptual), seconds, side)

    return loaded


def finding(place: Path, sizes: Sizes, device: str) -> Ready:
    """Loads SegFormer and CLIP, to find a region of a picture of the large side."""
    segmenter = SegformerSegmenter(str(place / "segformer"), device)
    clip = OpenClipEncoder(f"local-dir:{place / 'clip'}", device=device)
    proposer = SegformerClipProposer(Gridded(segmenter), clip)
    picture = _picture(sizes.sides[1], device)

    def seconds(rounds: int) -> list[float]:
        taken = []
        for _ in range(rounds + 1):
            began = time.perf_counter()
            proposer.propose(picture, "a mug")
            wait(device)
            taken.append(time.perf_counter() - began)
        return taken[1:]

    return Ready((segmenter, clip), seconds, None)


def import_libraries() -> None:
    """What loading imports, so that it is not counted as loading."""
    import lpips  # noqa: F401
    import open_clip  # noqa: F401
    import torchvision  # noqa: F401
    from diffusers import (  # noqa: F401
        AutoencoderKL,
        AutoencoderTiny,
        DDPMScheduler,
        UNet2DConditionModel,
        UNet2DModel,
    )
    from transformers import (  # noqa: F401
        CLIPTextModel,
        CLIPTextModelWithProjection,
        CLIPTokenizer,
        SegformerForSemanticSegmentation,
        SegformerImageProcessor,
    )


def parameters(holder: object) -> int:
    """The parameters of a network, or of all in the attributes of this project's objects."""
    if isinstance(holder, nn.Module):
        return sum(parameter.numel() for parameter in holder.parameters())
    if isinstance(holder, (tuple, list)):
        return sum(map(parameters, holder))
    ours = type(holder).__module__.startswith("lr_edit")
    return sum(map(parameters, getattr(holder, "__dict__", {}).values())) if ours else 0


def wait(device: str) -> None:
    """Until a GPU has done what it was given."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def _picture(side: int, device: str) -> Tensor:
    """A picture of noise [1, 3, side, side]: what it shows costs nothing."""
    noise = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    return (2 * noise - 1).to(device_named(device))
