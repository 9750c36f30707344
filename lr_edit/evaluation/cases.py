"""Test edits with everything known: source, exact target, the thing's mask and the edit's mask.

Edits that replace or recolour a thing, on scenes kept for testing; each is a function of split and
index alone. Nothing here knows models.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from rich.progress import track
from torch import Tensor

from lr_edit.evaluation.case_edits import PLAIN, SPLITS, check_splits, propose_edits
from lr_edit.images import from_uint8, to_uint8
from lr_edit.tabletop.edits import SceneEdit
from lr_edit.tabletop.masks import edit_masks, recognisable, shadow_mask
from lr_edit.tabletop.render import render
from lr_edit.tabletop.scene import Thing

_TRIES = 40
_RENDERED_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class Case:
    """One edit to make: a picture, two phrases, and the truth.

    source, target: [1, 3, H, W] in [-1, 1], rounded to 8 bits as files are. thing, arrived, place:
    as `EditMasks` has them, [1, 1, H, W]; cast: the shadow that the thing casts in the source. In
    split "several" they are those of all things that are replaced, every one by the like of
    `wanted`, and `places` has the place of each.
    """

    number: int
    split: str
    edit: SceneEdit
    source: Tensor
    target: Tensor
    thing: Tensor
    arrived: Tensor
    place: Tensor
    cast: Tensor
    places: tuple[Tensor, ...]

    @property
    def wanted(self) -> Thing:
        """What should stand there afterwards."""
        assert self.edit.target_index is not None  # every edit here leaves a thing there
        return self.edit.target.things[self.edit.target_index]


def sample_cases(
    count: int, splits: Sequence[str] = SPLITS, size: int = 128, first: int = 0
) -> list[Case]:
    """`count` cases at `size` pixels a side, the splits taking turns.

    first: the index of the first scene in each split; others give other scenes. Raises UserError
    for an unknown split.
    """
    check_splits(splits)
    wanted = [(splits[k % len(splits)], first + k // len(splits)) for k in range(count)]
    found: dict[int, Case] = {}
    for attempt in range(_TRIES):
        missing = [k for k in range(count) if k not in found]
        drawn = [(k, propose_edits(*wanted[k], attempt)) for k in missing]
        edits = {k: chosen for k, chosen in drawn if chosen}
        flat = [edit for chosen in edits.values() for edit in chosen]
        rendered = iter(render_edits(flat, size))
        for k, chosen in edits.items():
            cases = [next(rendered) for _ in chosen]
            if all(map(is_visible, cases)):
                found[k] = replace(together(cases), number=k, split=wanted[k][0])
        if len(found) == count:
            return [found[k] for k in range(count)]
    raise RuntimeError(f"{count - len(found)} of {count} edits not found in {_TRIES} attempts")


def together(cases: Sequence[Case]) -> Case:
    """The case of `replacing_all`, from those of its edits; the only one as it is."""
    *each, whole = cases
    if not each:
        return whole

    def union(masks: Sequence[Tensor]) -> Tensor:
        return torch.stack(tuple(masks)).amax(0)

    return replace(
        whole,
        thing=union([case.thing for case in each]),
        arrived=union([case.arrived for case in each]),
        place=union([case.place for case in cases]),
        cast=union([case.cast for case in each]),
        places=tuple(case.place for case in each),
    )


def render_edits(edits: Sequence[SceneEdit], size: int = 128) -> list[Case]:
    """The cases of replace edits, rendered some at a time."""
    starts = range(0, len(edits), _RENDERED_AT_ONCE)
    shown = track(starts, "Rendering", transient=True, disable=len(starts) < 2)
    return [
        case for start in shown for case in _render(edits[start : start + _RENDERED_AT_ONCE], size)
    ]


def is_visible(case: Case) -> bool:
    """Whether the thing can be recognised before and after."""
    return bool(recognisable(torch.cat((case.thing, case.arrived))).all())


def _render(edits: Sequence[SceneEdit], size: int) -> list[Case]:
    """The cases of a few edits in one batch."""
    sources = render([edit.source for edit in edits], size)
    targets = render([edit.target for edit in edits], size)
    indices = ([e.source_index for e in edits], [e.target_index for e in edits])
    masks = edit_masks(sources, targets, *indices)
    before, after = (from_uint8(to_uint8(rendering.images)) for rendering in (sources, targets))
    cast = shadow_mask(sources, indices[0])
    places = [(place,) for place in masks.place.split(1)]
    tensors = (before, after, masks.thing, masks.arrived, masks.place, cast)
    batches = (tensor.split(1) for tensor in tensors)
    return [Case(0, PLAIN, *parts) for parts in zip(edits, *batches, places, strict=True)]
