"""The tabletop's edits as a Hugging Face dataset: instruction, masks and the exact target."""

import json
import os
import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lr_edit.errors import UserError
from lr_edit.images import mask_to_pil, to_pil
from lr_edit.tabletop.edits import KINDS, SceneEdit, sample_edit
from lr_edit.tabletop.hub import stored
from lr_edit.tabletop.masks import EditMasks, edit_masks, recognisable
from lr_edit.tabletop.render import Rendering, render
from lr_edit.tabletop.splits import scene_for

if TYPE_CHECKING:
    from datasets import Dataset

WORDS = ("kind", "instruction", "find", "paint")


def build_edits(
    split: str,
    count: int,
    size: int = 128,
    cache_dir: str | os.PathLike[str] = ".cache/datasets",
    kinds: Sequence[str] = KINDS,
) -> "Dataset":
    """An edit of each of the first `count` scenes of a split, as an Arrow dataset.

    Columns: source, target (RGB: before, and exactly what should come out); object_mask (255 where
    the thing that changes is; nowhere for "add" and "background"), edit_mask (255 where the target
    differs: old and new silhouettes and their shadows); kind, instruction, find, paint as in
    `SceneEdit`; source_scene, target_scene (JSON for `scene_from_dict`). Pictures are decoded on
    access. kinds: those of `KINDS` that take turns; a scene that does not admit one, or where it
    would hardly be seen, gets the next, so that scenes which admit none are left out. Raises
    UserError for an unknown split or kind.
    """
    from datasets import Features, Image, Value

    scene_for(split, None, 0)
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise UserError(f"got kinds {list(kinds)}, expected some of {', '.join(KINDS)}")
    pictures = {name: Image() for name in ("source", "target", "object_mask", "edit_mask")}
    words = {name: Value("string") for name in (*WORDS, "source_scene", "target_scene")}
    arguments = {"split": split, "count": count, "size": size, "kinds": list(kinds)}
    return stored(edit_rows, Features({**pictures, **words}), arguments, cache_dir)


def edit_rows(split: str, count: int, size: int, kinds: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows that `build_edits` stores, with PIL pictures."""
    for index in range(count):
        turn = index % len(kinds)
        for kind in (*kinds[turn:], *kinds[:turn]):
            rng = random.Random(f"edit {split} {index} {kind}")
            edit = sample_edit(scene_for(split, None, index), rng, kind)
            if edit is None:
                continue
            before, after = render([edit.source], size), render([edit.target], size)
            masks = edit_masks(before, after, [edit.source_index], [edit.target_index])
            if visible(edit, masks):
                yield edit_row(edit, before, after, masks)
                break


def visible(edit: SceneEdit, masks: EditMasks) -> bool:
    """Whether the edit can be seen, and its thing in either picture that it is in."""
    seen = [masks.place]
    seen += [masks.thing] if edit.source_index is not None else []
    seen += [masks.arrived] if edit.target_index is not None else []
    return all(bool(recognisable(mask)) for mask in seen)


def edit_row(
    edit: SceneEdit, before: Rendering, after: Rendering, masks: EditMasks
) -> dict[str, Any]:
    """One row of an edit, rendered before and after, one picture each."""
    return {
        "source": to_pil(before.images)[0],
        "target": to_pil(after.images)[0],
        "object_mask": mask_to_pil(masks.thing),
        "edit_mask": mask_to_pil(masks.place),
        **{word: getattr(edit, word) for word in WORDS},
        "source_scene": json.dumps(edit.source.to_dict()),
        "target_scene": json.dumps(edit.target.to_dict()),
    }
