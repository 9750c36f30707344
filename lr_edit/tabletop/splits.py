"""Which scenes are for training, validation and testing, and what each part of a test asks.

Every scene and phrase is a function of split, part and index alone; splits never share a seed.
"""

import random

from lr_edit.errors import UserError
from lr_edit.tabletop.language import Phrase, referring, say
from lr_edit.tabletop.matching import matches
from lr_edit.tabletop.predicates import Described
from lr_edit.tabletop.scene import UNSEEN_PAIRS, Scene, Thing, sample_scene
from lr_edit.tabletop.words import SYNONYMS, vary

SPLITS = ("train", "validation", "test")
# What each part asks: kinds of phrases, each as likely as it is often named.
PART_KINDS = {
    "attribute": ("attribute",),
    "relation": ("relation", "relation", "ordinal"),
    "several": ("several",),
    "absent": ("absent",),
    "grayscale": ("noun", "relation", "ordinal", "several"),
    "unseen": ("attribute",),
    "crowded": ("noun", "attribute", "relation", "ordinal", "several"),
    "edit_prompt": ("edit_prompt",),
}
PARTS = tuple(PART_KINDS)
TRIES = 500
CROWDED_LEAST, CROWDED_SPACING = 5, 0.6


def scene_for(split: str, part: str | None, index: int) -> Scene:
    """Scene number `index` of a split: of the split at large (part None) or of one of PARTS.

    A part's scene admits its `part_phrase`. "crowded": five or six things, close together.
    "unseen": one of them is of a held-out colour, which happens in no other part. Raises UserError
    for an unknown split or part, and for "unseen" in "train".
    """
    _check(split, part)
    if part is None:
        return sample_scene(f"{split} {index}")
    for attempt in range(TRIES):
        scene = _sample_part(f"{split} {part} {index} {attempt}", part)
        if scene is not None and part_phrase(part, scene, index) is not None:
            return scene
    raise RuntimeError(f"no scene of part {part} in {TRIES} attempts at index {index}")


def part_phrase(part: str, scene: Scene, index: int) -> Phrase | None:
    """The phrase asked of scene number `index` of a part, or None where the scene admits none.

    Attributes, relations and ranks are needed to tell the thing from others (not so in "unseen",
    where colour and noun of the held-out pair are named). "grayscale" has no colour words; its
    picture is to be turned gray.
    """
    _check("test", part)
    rng = random.Random(f"phrase {part} {index}")
    kind = rng.choice(PART_KINDS[part])
    if part == "unseen":
        return _unseen_phrase(scene, rng)
    needed = kind in ("attribute", "relation", "ordinal")
    return referring(scene, rng, kind, needed=needed, colours=part != "grayscale")


def _sample_part(seed: str, part: str) -> Scene | None:
    """A scene as the part wants it, or None where this seed gives another."""
    if part == "crowded":
        scene = sample_scene(seed, count=6, spacing=CROWDED_SPACING)
        return scene if len(scene.things) >= CROWDED_LEAST else None
    if part == "unseen":
        scene = sample_scene(seed, unseen=True)
        return scene if any(map(_is_unseen, scene.things)) else None
    return sample_scene(seed)


def _is_unseen(thing: Thing) -> bool:
    return (thing.colour, thing.noun) in UNSEEN_PAIRS


def _unseen_phrase(scene: Scene, rng: random.Random) -> Phrase | None:
    """The held-out thing by colour and noun (or a synonym), where these fit nothing else."""
    chosen = [i for i, thing in enumerate(scene.things) if _is_unseen(thing)]
    if not chosen:
        return None
    thing = scene.things[rng.choice(chosen)]
    said = Described(vary(thing.noun, SYNONYMS, rng), thing.colour)
    found = matches(scene, said)
    if found is None or len(found) != 1:
        return None
    return Phrase(say(said, rng), found, "attribute")


def _check(split: str, part: str | None) -> None:
    if split not in SPLITS:
        raise UserError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    if part is not None and part not in PARTS:
        raise UserError(f"unknown part {part!r}: choose one of {', '.join(PARTS)}")
    if (split, part) == ("train", "unseen"):
        raise UserError("part 'unseen' is kept out of training: choose split validation or test")
