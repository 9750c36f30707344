"""Test edits with everything known: source, exact target, the thing's mask and the edit's mask.

Replace edits on scenes kept for testing; each is a function of split and index alone. Nothing here
knows models.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from rich.progress import track
from torch import Tensor

from lr_edit.errors import UserError
from lr_edit.images import from_uint8, to_uint8
from lr_edit.tabletop.edits import SceneEdit, sample_edit
from lr_edit.tabletop.masks import edit_masks, recognisable, shadow_mask
from lr_edit.tabletop.render import render
from lr_edit.tabletop.scene import Scene, Thing
from lr_edit.tabletop.splits import part_phrase, scene_for

PLAIN = "plain"
SPLITS = (PLAIN, "attribute", "relation", "unseen", "crowded")
"""The test split at large, and those of its parts whose phrases mean one thing."""

_TRIES = 40
_STRIDE = 1_000_000
_RENDERED_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class Case:
    """One edit to make: a picture, two phrases, and the truth.

    source, target: [1, 3, H, W] in [-1, 1], rounded to 8 bits as files are. thing, arrived, place:
    as `EditMasks` has them, [1, 1, H, W]; cast: the shadow that the thing casts in the source.
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

    @property
    def wanted(self) -> Thing:
        """What should stand there afterwards."""
        assert self.edit.target_index is not None  # every edit here replaces a thing
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
        drawn = [(k, propose_edit(*wanted[k], attempt)) for k in missing]
        edits = {k: edit for k, edit in drawn if edit is not None}
        for k, case in zip(edits, render_edits(list(edits.values()), size), strict=True):
            if is_visible(case):
                found[k] = replace(case, number=k, split=wanted[k][0])
        if len(found) == count:
            return [found[k] for k in range(count)]
    raise RuntimeError(f"{count - len(found)} of {count} edits not found in {_TRIES} attempts")


def propose_edit(split: str, index: int, attempt: int = 0) -> SceneEdit | None:
    """A replace edit on scene number `index`, or on another from the second attempt on.

    In a part it is the part's own phrase that says what to change, so that "relation" does need
    one. None where this scene admits none.
    """
    number = index + attempt * _STRIDE
    part = None if split == PLAIN else split
    scene = scene_for("test", part, number)
    rng = random.Random(f"evaluate {split} {number}")
    phrase = part_phrase(part, scene, number) if part else None
    if phrase is None or len(phrase.targets) != 1:
        return sample_edit(scene, rng, "replace")
    return _replacing(scene, rng, phrase.targets[0], phrase.text)


def _replacing(scene: Scene, rng: random.Random, index: int, phrase: str) -> SceneEdit | None:
    """A replace edit of thing `index`, called by that phrase."""
    for _ in range(_TRIES):
        edit = sample_edit(scene, rng, "replace")
        if edit is not None and edit.source_index == index:
            find = phrase if phrase.startswith("the ") else f"the {phrase}"
            words = f"replace {find} with {edit.paint}"
            return replace(edit, find=find, instruction=words)
    return None


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


def check_splits(splits: Sequence[str]) -> None:
    """Raises UserError unless all are among SPLITS, and there is one."""
    unknown = [split for split in splits if split not in SPLITS]
    if unknown or not splits:
        raise UserError(
            f"splits are {', '.join(splits) or 'none'}: give some of {', '.join(SPLITS)}"
        )


def _render(edits: Sequence[SceneEdit], size: int) -> list[Case]:
    """The cases of a few edits in one batch."""
    sources = render([edit.source for edit in edits], size)
    targets = render([edit.target for edit in edits], size)
    indices = ([e.source_index for e in edits], [e.target_index for e in edits])
    masks = edit_masks(sources, targets, *indices)
    before, after = (from_uint8(to_uint8(rendering.images)) for rendering in (sources, targets))
    cast = shadow_mask(sources, indices[0])
    tensors = (before, after, masks.thing, masks.arrived, masks.place, cast)
    batches = (tensor.split(1) for tensor in tensors)
    return [Case(0, PLAIN, edit, *parts) for edit, *parts in zip(edits, *batches, strict=True)]
