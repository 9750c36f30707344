"""What an edit leaves in its folder: pictures, a sheet, and a report of everything."""

import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from lr_edit.backbones.memory import enough_memory
from lr_edit.builders import build_editor
from lr_edit.cli.edit import WRITING_REMEDY, Request
from lr_edit.crop import mask_box
from lr_edit.edit import EditResult, changed_outside
from lr_edit.editors.guided import GuidedEditor
from lr_edit.evaluation.machine import peak_rss_mb, provenance
from lr_edit.files import save_image
from lr_edit.images import composite, mask_to_pil
from lr_edit.output import replacing, write_json
from lr_edit.ranked import Candidate
from lr_edit.sheet import Tile, marked, sheet

if TYPE_CHECKING:  # what it draws with is loaded for those who want it
    from lr_edit.cli.trace import Trace

_LIBRARIES = (
    "torch", "torchvision", "lightning", "diffusers", "transformers", "open_clip_torch", "lpips",
    "jsonargparse", "safetensors", "numpy", "pillow", "scipy",
)  # fmt: skip
_ALTERNATIVES = 8  # of the region that are reported


@enough_memory(WRITING_REMEDY)
def write_results(
    folder: Path,
    request: Request,
    result: EditResult,
    seconds: dict[str, float],
    trace: "Trace | None" = None,
) -> str:
    """Writes everything to `folder` and says in two lines what came out.

    edit.png, candidates/ (best first), region.png (white = found; fit for --mask), sheet.png and
    report.json. The pictures have the mode, size and colour profile of the one that was edited.
    trace: what listened to the edit, for trace.png and a part of report.json. Raises UserError
    where memory runs out, and where the folder cannot be written to.
    """
    began = time.perf_counter()
    touched = (result.weight > 0).float().cpu()
    pictures = [composite(request.picture, c.image, touched) for c in result.candidates]
    original = np.asarray(request.picture.original)
    figures = dict(result.figures)
    figures["changed_outside"] = max(
        changed_outside(original, np.asarray(picture), touched) for picture in pictures
    )
    names = [
        f"candidates/{rank:02d}_score{candidate.score:+.2f}.png"
        for rank, candidate in enumerate(result.candidates, 1)
    ]
    (folder / "candidates").mkdir()
    for name, picture in zip(names, pictures, strict=True):
        save_image(picture, folder / name)
    save_image(pictures[0], folder / "edit.png")
    save_image(mask_to_pil(result.region.mask), folder / "region.png")
    save_image(_sheet(request, result, pictures), folder / "sheet.png")
    if trace is not None:
        save_image(trace.sheet(), folder / "trace.png")
    seconds["writing"] = time.perf_counter() - began
    report = _report(request, result, figures, names, seconds)
    report |= {} if trace is None else {"trace": trace.report()}
    with replacing(folder / "report.json") as path:
        write_json(path, report)
    return _summary(request, result, figures)


def _summary(request: Request, result: EditResult, figures: dict[str, float]) -> str:
    output = Path(request.settings.output)
    count = len(result.candidates)
    best = f"the best of {count} candidates" if count > 1 else "the only candidate"
    return (
        f"{output / 'edit.png'} is {best}: {_scores(result.best)}; "
        f"{figures['changed_outside']:.0f} pixels changed outside the region"
    )


def _sheet(request: Request, result: EditResult, pictures: list[Image.Image]) -> Image.Image:
    """Source and region, then the candidates, best first."""
    instruction, original = request.settings.instruction, request.picture.original
    region, figures = mask_to_pil(result.region.mask), result.figures
    title = (
        f"“{instruction.find}” becomes “{instruction.paint}”"
        if instruction.paint
        else f"“{instruction.find}” is removed"
    )
    found = (
        f"confidence {result.region.confidence:.2f} · {figures['region_share']:.1%} of the picture"
    )
    size = "{} x {} pixels".format(*original.size)
    tiles = [
        Tile(original, "source", size),
        Tile(marked(original, region, mask_to_pil(result.weight)), "region", found),
    ]
    for rank, (candidate, picture) in enumerate(zip(result.candidates, pictures, strict=True), 1):
        name = "edit" if rank == 1 else f"candidate {rank}"
        tiles.append(Tile(picture, f"{name} · seed {candidate.seed}", _scores(candidate)))
    return sheet(title, tiles)


def _scores(candidate: Candidate) -> str:
    return " · ".join(f"{name} {value:.3f}" for name, value in candidate.scores.items())


def _report(
    request: Request,
    result: EditResult,
    figures: dict[str, float],
    names: list[str],
    seconds: dict[str, float],
) -> dict[str, Any]:
    """Everything that went in and came out, as JSON values."""
    region = result.region
    alternatives = [
        {"label": a.label, "score": a.score} for a in region.alternatives[:_ALTERNATIVES]
    ]
    candidates = [
        {"file": name, "seed": c.seed, "score": c.score, **c.scores}
        for name, c in zip(names, result.candidates, strict=True)
    ]
    box = mask_box(region.mask)
    return {
        "find": request.settings.instruction.find,
        "paint": request.settings.instruction.paint,
        "prompt": result.prompt,
        "picture": {"size": request.picture.size, "mode": request.picture.original.mode},
        "figures": figures,
        "region": {
            "confidence": region.confidence, "present": region.present, "box": box,
            "alternatives": alternatives,
        },
        "candidates": candidates,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "settings": {
            **request.settings.given, "proposer": request.settings.proposer, **_at_once(request),
        },
        "seeds": request.settings.seeds,
        **provenance(torch.device(request.device)),
        "peak_rss_mb": peak_rss_mb(),
        "versions": versions(),
    }  # fmt: skip


def _at_once(request: Request) -> dict[str, int]:
    """How many candidates are sampled at once, where the guided editor decides it."""
    editor = build_editor(request.models, request.settings)
    if not isinstance(editor, GuidedEditor):
        return {}
    return {"max_batch": editor.batch}


def versions() -> dict[str, str | None]:
    """The versions of the libraries that results may depend on; None where one is not there."""
    found: dict[str, str | None] = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
