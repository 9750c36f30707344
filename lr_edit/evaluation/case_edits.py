"""Which edits of test scenes are made, drawn by split and index alone: replace edits, and those of
colour in a split of their own; no pixels."""

import random
from collections.abc import Sequence
from dataclasses import replace

from lr_edit.errors import UserError
from lr_edit.instruction import parse
from lr_edit.tabletop.edits import SceneEdit, sample_edit, swap
from lr_edit.tabletop.scene import NATURAL, Scene
from lr_edit.tabletop.splits import part_phrase, scene_for
from lr_edit.tabletop.words import plural

PLAIN, SEVERAL, RECOLOUR = "plain", "several", "recolour"
SPLITS = (PLAIN, "attribute", "relation", "unseen", "crowded")
"""The test split at large, and those of its parts whose phrases mean one thing."""

ALL_SPLITS = (*SPLITS, SEVERAL, RECOLOUR)

_TRIES = 40
_STRIDE = 1_000_000


def propose_edits(split: str, index: int, attempt: int = 0) -> list[SceneEdit]:
    """A replace edit on scene number `index`, or on another from the second attempt on.

    In a part it is the part's own phrase that says what to change, so that "relation" does need
    one. In "several" there is one for each thing meant, and a last one that does all. In "recolour"
    a thing gets another colour. None at all where this scene admits none.
    """
    number = index + attempt * _STRIDE
    rng = random.Random(f"evaluate {split} {number}")
    if split == RECOLOUR:
        return recolouring(scene_for("test", None, number), rng)
    part = None if split == PLAIN else split
    scene = scene_for("test", part, number)
    phrase = part_phrase(part, scene, number) if part else None
    if phrase is not None and split == SEVERAL:
        return replacing_all(scene, rng, phrase.targets, phrase.text)
    if phrase is None or len(phrase.targets) != 1:
        edit = sample_edit(scene, rng, "replace")
    else:
        edit = _replacing(scene, rng, phrase.targets[0], phrase.text)
    return [edit] if edit is not None else []


def _replacing(scene: Scene, rng: random.Random, index: int, phrase: str) -> SceneEdit | None:
    """A replace edit of thing `index`, called by that phrase."""
    for _ in range(_TRIES):
        edit = sample_edit(scene, rng, "replace")
        if edit is not None and edit.source_index == index:
            find = phrase if phrase.startswith("the ") else f"the {phrase}"
            words = f"replace {find} with {edit.paint}"
            return replace(edit, find=find, instruction=words)
    return None


def recolouring(scene: Scene, rng: random.Random) -> list[SceneEdit]:
    """A thing gets another colour; what it becomes is called as it was, as an instruction has it:
    "turn the toadstool white" => "a white toadstool"."""
    edit = sample_edit(scene, rng, "recolour")
    return [] if edit is None else [replace(edit, paint=parse(edit.instruction).paint)]


def replacing_all(
    scene: Scene, rng: random.Random, targets: Sequence[int], find: str
) -> list[SceneEdit]:
    """Things become the like of one another: an edit for each, then one for all, in the plural."""
    edit = _replacing(scene, rng, targets[0], find)
    if edit is None:
        return []
    new = edit.target.things[targets[0]]
    if any(scene.things[k].noun == new.noun for k in targets):
        return []
    named = new.colour != NATURAL[new.noun]
    paint = f"{new.colour} {plural(new.noun)}" if named else plural(new.noun)
    changed = [replace(scene.things[k], noun=new.noun, colour=new.colour) for k in targets]
    each = [
        replace(edit, target=swap(scene, k, thing), source_index=k, target_index=k)
        for k, thing in zip(targets, changed, strict=True)
    ]
    target = scene
    for k, thing in zip(targets, changed, strict=True):
        target = swap(target, k, thing)
    words = f"replace {find} with {paint}"
    whole = replace(each[0], target=target, find=find, paint=paint, instruction=words)
    return [*each, whole]


def check_splits(splits: Sequence[str]) -> None:
    """Raises UserError unless all are among ALL_SPLITS, and there is one."""
    unknown = [split for split in splits if split not in ALL_SPLITS]
    if unknown or not splits:
        raise UserError(
            f"splits are {', '.join(splits) or 'none'}: give some of {', '.join(ALL_SPLITS)}"
        )
