"""infer.py edit: one picture, edited, and all that is known about it in a folder."""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lr_edit.cli.settings import UNNAMED, EditSettings, edit_settings
from lr_edit.output import output_folder

if TYPE_CHECKING:  # most of these load torch, and --help and wrong options do not wait for it
    from torch import Tensor

    from lr_edit.cli.bars import Bars
    from lr_edit.cli.trace import Trace
    from lr_edit.edit import EditResult
    from lr_edit.images import Picture
    from lr_edit.models import ModelSet
    from lr_edit.regions.closest import Namer
    from lr_edit.regions.region import Region, RegionProposer

_STAGES = {"region": "finding the region", "sampling": "painting", "ranking": "ranking"}
_REPORT = "report.json"
_ALWAYS = ("region.png", "sheet.png", _REPORT)
_STALE = ("candidates/[0-9][0-9]*_score[+-]*.png", "edit.png", "trace.png", "change.png")
READING_REMEDY = "scale the picture down, or give --device cpu"
WRITING_REMEDY = "scale the picture down, or give a smaller --count"


@dataclass(frozen=True)
class Request:
    """A request whose files are read and whose models are known, but not yet loaded."""

    settings: EditSettings
    picture: "Picture"
    mask: "Tensor | None"
    models: "ModelSet"
    device: str


def run(arguments: Sequence[str]) -> None:
    """Edits as the command line says, and prints where the results are.

    Raises UserError for whatever the person got wrong: nothing is written then.
    """
    settings = edit_settings(arguments)
    from lr_edit.cli.bars import Bars, quiet_libraries

    stale, files = left_and_made(settings)
    with (
        output_folder(settings.output, settings.overwrite, stale, files) as folder,
        quiet_libraries(),
        Bars() as bars,
    ):
        bars.stage("starting")
        began = time.perf_counter()
        from lr_edit.cli.region_results import write_region
        from lr_edit.cli.results import write_results

        request = read_request(settings)
        seconds = {"starting": time.perf_counter() - began}
        if settings.region_only:
            told = write_region(folder, request, locate(request, bars))
        else:
            trace = new_trace(settings)
            result = edit(request, bars, seconds, trace)
            bars.stage("writing")
            told = write_results(folder, request, result, seconds, trace)
    if request.picture.notice and not settings.region_only:
        print(f"infer.py: {request.picture.notice}", file=sys.stderr)
    print(f"{told}\n{Path(settings.output) / 'sheet.png'} shows them side by side")


def left_and_made(settings: EditSettings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Patterns of what an earlier run may have left in the output folder, none where it has no
    report of one, and the names of what this run may write there."""
    earlier = os.path.isfile(os.path.join(settings.output, _REPORT))
    own = ["change.png"] if settings.region_only else ["candidates/", "edit.png"]
    own += ["trace.png"] if settings.trace else []
    return _STALE if earlier else (), (*_ALWAYS, *own)


def read_request(settings: EditSettings) -> Request:
    """The picture, the mask and the names of the models, all checked before any weights load."""
    import torch

    from lr_edit.backbones.devices import device_named
    from lr_edit.backbones.memory import enough_memory
    from lr_edit.files import load_mask, load_picture
    from lr_edit.models import load_models

    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    with enough_memory(READING_REMEDY):
        picture = load_picture(settings.image)
        mask = None if settings.mask is None else load_mask(settings.mask, picture.size)
    device = str(device_named(settings.device))
    return Request(settings, picture, mask, load_models(settings.models, device), device)


def new_trace(settings: EditSettings) -> "Trace | None":
    """What will listen to the edit, where --trace asks for it."""
    if not settings.trace:
        return None
    from lr_edit.cli.trace import Trace

    sampling = settings.sampling
    return Trace(sampling.steps if sampling.timesteps is None else len(sampling.timesteps))


def edit(
    request: Request, bars: "Bars", seconds: dict[str, float], trace: "Trace | None" = None
) -> "EditResult":
    """The edit itself; `seconds` gets the time of every stage, `trace` listens to every step."""
    from lr_edit.builders import build_critics, build_editor
    from lr_edit.cli.bars import in_turn
    from lr_edit.edit import edit_image

    settings, models = request.settings, request.models
    began = time.perf_counter()
    load_parts(settings, models, bars)
    seconds["loading"] = time.perf_counter() - began
    result = edit_image(
        pixels_of(request),
        settings.instruction.find,
        settings.instruction.paint,
        reading=settings.instruction.reading,
        force=settings.force,
        namer=build_namer(models),
        proposer=build_proposer(settings, models, request.mask),
        editor=build_editor(models, settings),
        critics=build_critics(models, settings, paints(settings)),
        seeds=settings.seeds,
        gray=request.picture.gray,
        on_step=bars.on_step if trace is None else in_turn(bars.on_step, trace.on_step),
        on_stage=lambda stage: bars.stage(_STAGES[stage]),
    )
    seconds.update(result.seconds)
    return result


def locate(request: Request, bars: "Bars") -> "Region":
    """The region alone."""
    from lr_edit.edit import find_region

    settings, models = request.settings, request.models
    load_parts(settings, models, bars)
    bars.stage(_STAGES["region"])
    return find_region(
        pixels_of(request),
        settings.instruction.find,
        build_proposer(settings, models, request.mask),
        settings.instruction.reading,
        settings.force,
        build_namer(models),
        settings.instruction.paint,
    )


def pixels_of(request: Request) -> "Tensor":
    """The picture [1, 3, H, W] on the device; UserError where it has no room there."""
    from lr_edit.backbones.memory import enough_memory

    with enough_memory(READING_REMEDY):
        return request.picture.pixels.to(request.device)


def load_parts(settings: EditSettings, models: "ModelSet", bars: "Bars") -> None:
    """Loads what this edit needs of the models, and nothing else."""
    from lr_edit.builders import finds_again
    from lr_edit.proposers import FROM_MODELS

    finds = FROM_MODELS[settings.proposer].needs if settings.mask is None else ()
    needed = {part: part in finds for part in (*finds, "clip", "diffusion")}
    needed["region"] = "region" in finds or takes_shadow(settings, models)
    if not settings.region_only:
        guides = not models.has("inpainter")
        needed |= {
            "clip": needed["clip"] or (guides and settings.weights.clip > 0),
            "perceptual": guides and settings.weights.lpips > 0,
            "diffusion": needed["diffusion"] or guides,
            "inpainter": not guides,
        }
        ranks = "scorer" if models.has("scorer") else "clip"
        needed[ranks] = needed.get(ranks, False) or models.has(ranks)
        again = finds_again(models, settings, paints(settings))
        needed["region"] = needed["region"] or again
    parts = [part for part, wanted in needed.items() if wanted]
    bars.stage("loading models", len(parts))
    for part in models.loading(parts):
        bars.advance(part)


def paints(settings: EditSettings) -> bool:
    """Whether something is painted, and not only taken away."""
    return bool(settings.instruction.paint.strip())


def build_proposer(
    settings: EditSettings, models: "ModelSet", mask: "Tensor | None"
) -> "RegionProposer":
    """What finds the region; `mask` is what --mask showed."""
    from lr_edit.proposers import FROM_MODELS
    from lr_edit.regions.fixed import MaskProposer
    from lr_edit.regions.shadowed import ShadowedMaskProposer

    if mask is None:
        return FROM_MODELS[settings.proposer].make(models)
    if takes_shadow(settings, models):
        return ShadowedMaskProposer(mask, models.region)
    return MaskProposer(mask)


def takes_shadow(settings: EditSettings, models: "ModelSet") -> bool:
    """Whether the shadow of what --mask shows is looked for: where it is said what that is, no
    option says how far the region reaches, and a region network is there."""
    from lr_edit.editors.options import WindowOptions

    named = settings.mask is not None and settings.instruction.find != UNNAMED
    shaped = settings.given.get("grow") is not None or settings.window.grow != WindowOptions().grow
    return named and not shaped and models.has("region")


def build_namer(models: "ModelSet") -> "Namer | None":
    """What tells what a picture shows, its networks loaded when they are asked."""
    if not (models.has("segmenter") and models.has("clip")):
        return None
    from lr_edit.regions.closest import closest_things

    return lambda image, phrase: closest_things(models.segmenter, models.clip)(image, phrase)
