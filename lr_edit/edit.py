"""edit_image(): two phrases and a picture => region => candidates => a ranked result with figures.

Command line and evaluation both call this. It knows neither files nor model names.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from torch import Tensor

from lr_edit.backbones.memory import enough_memory
from lr_edit.editors.editor import Edit, Editor, OnStep
from lr_edit.editors.separate import edit_separately
from lr_edit.errors import NothingFits, UserError
from lr_edit.images import to_uint8
from lr_edit.instruction import Reading
from lr_edit.masks import separated
from lr_edit.phrase import names_several, one_of, only_recoloured
from lr_edit.ranked import REMOVED, Candidate, Critics, ranked
from lr_edit.regions.closest import Namer
from lr_edit.regions.region import Region, RegionProposer

_REGION_REMEDY = "give the region with --mask, another --proposer, or --device cpu"
_SAMPLING_REMEDY = "give a smaller --count, or --device cpu"
_RANKING_REMEDY = "give a smaller --ranking.copies or --count, or --device cpu"

Stage = Literal["region", "sampling", "ranking"]
OnStage = Callable[[Stage], None]


@dataclass(frozen=True)
class EditResult:
    """What became of a picture.

    region: where the phrase was found. weight: [1, 1, H, W] in [0, 1], how much of each pixel was
    repainted: the region grown, with a soft rim; `weight > 0` lays a candidate over its picture.
    candidates: best first. prompt: what the editor was asked to paint. seconds: wall time by stage.
    figures: confidence of the region; region_share and painted_share of the picture; and
    changed_outside, the number of pixels of 8 bits that differ where weight is 0.
    """

    region: Region
    weight: Tensor
    candidates: tuple[Candidate, ...]
    prompt: str
    seconds: dict[str, float] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def best(self) -> Candidate:
        """The candidate of the highest score."""
        return self.candidates[0]


def edit_image(
    image: Tensor,
    find: str,
    paint: str,
    *,
    reading: Reading = "refer",
    force: bool = False,
    namer: Namer | None = None,
    proposer: RegionProposer,
    editor: Editor,
    critics: Critics,
    seeds: Sequence[int],
    gray: bool = False,
    on_step: OnStep | None = None,
    on_stage: OnStage | None = None,
) -> EditResult:
    """Finds a thing in image [1, 3, H, W], repaints it, and ranks one candidate for every seed.

    paint: what it becomes; "" takes it away. Several things may become several, see `one_by_one`;
    what is named and only changes its colour keeps its shadow, and its shape if the editor can.
    reading, force, namer: see `find_region`. critics: rank the candidates. gray: the picture has no
    colour. image and all models are on one device. on_stage is called as each stage begins.

    Raises NothingFits when nothing fits `find`, UserError where memory runs out, with what helps in
    that stage, and whatever proposer and editor raise.
    """
    seconds: dict[str, float] = {}
    with _stage("region", seconds, on_stage):
        region = find_region(image, find, proposer, reading, force, namer, paint)
    with _stage("sampling", seconds, on_stage), enough_memory(_SAMPLING_REMEDY):
        recolour = reading == "refer" and only_recoloured(find, paint)
        whole = recolour or region.change is not None
        # What is recoloured keeps its shadow.
        painted = region.mask if recolour else region.to_edit
        regions, prompt = one_by_one(painted, find, paint)
        edit = edit_separately(
            editor,
            image,
            regions,
            prompt,
            seeds=seeds,
            gray=gray,
            complete=whole,
            recolour=recolour,
            on_step=on_step,
        )
    with _stage("ranking", seconds, on_stage), enough_memory(_RANKING_REMEDY):
        candidates = ranked(edit, image, prompt, critics)
        figures = {
            "confidence": region.confidence,
            "region_share": float(region.mask.mean()),
            "painted_share": float(edit.mask.mean()),
            "changed_outside": float(_most_changed(edit, image)),
        }
    return EditResult(region, edit.mask, candidates, prompt, seconds, figures)


def one_by_one(region: Tensor, find: str, paint: str) -> tuple[list[Tensor], str]:
    """What is painted, and where: the regions [1, 1, H, W] one by one, all with one prompt.

    Several things that become several ("both mugs" => "two bottles"), or nothing, are painted each
    for itself, as far as they lie apart; whatever becomes one thing is painted as one.
    """
    if not paint.strip():
        return separated(region) if names_several(find) else [region], REMOVED
    one = one_of(paint)
    if one != paint and names_several(find):
        return separated(region), one
    return [region], paint


def find_region(
    image: Tensor,
    find: str,
    proposer: RegionProposer,
    reading: Reading = "refer",
    force: bool = False,
    namer: Namer | None = None,
    paint: str = "",
) -> Region:
    """Where `find` is in image [1, 3, H, W].

    reading: how the phrase is meant. force: take what comes nearest, even if the proposer thinks
    that nothing fits. namer: tells what the picture shows instead, if it can. paint: what it
    becomes, for proposers that read that. Raises NothingFits otherwise, UserError where memory runs
    out, and whatever the proposer raises.
    """
    with enough_memory(_REGION_REMEDY):
        region = proposer.propose(image, find, reading, paint)
        if region.present or (force and bool((region.mask > 0).any())):
            return region
    shown = _shown(image, find, namer)
    seen = f"; it shows {', '.join(shown)}" if shown else ""
    raise NothingFits(
        f"nothing in the picture fits {find!r} (confidence {region.confidence:.2f}){seen}: name "
        "something that is there, give a mask, or take the nearest with --force"
    )


def _shown(image: Tensor, find: str, namer: Namer | None) -> tuple[str, ...]:
    """What the namer says; nothing where it cannot, for want of weights or memory: that nothing
    fits is the answer, and this a mere help."""
    if namer is None:
        return ()
    try:
        with enough_memory(_REGION_REMEDY):
            return namer(image, find)
    except UserError:
        return ()


def changed_outside(before: np.ndarray, after: np.ndarray, weight: Tensor) -> int:
    """How many pixels [H, W] or [H, W, C] differ where weight [1, 1, H, W] is 0."""
    differs = (before != after).reshape(*before.shape[:2], -1).any(axis=2)
    return int((differs & (weight[0, 0] == 0).cpu().numpy()).sum())


def _most_changed(edit: Edit, source: Tensor) -> int:
    """The largest `changed_outside` among the candidates."""
    before = to_uint8(source)[0].cpu().numpy()
    return max(
        changed_outside(before, to_uint8(one[None])[0].cpu().numpy(), edit.mask)
        for one in edit.candidates
    )


@contextmanager
def _stage(name: Stage, seconds: dict[str, float], on_stage: OnStage | None) -> Iterator[None]:
    """Tells that a stage begins, and notes how long it took."""
    if on_stage is not None:
        on_stage(name)
    began = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - began
