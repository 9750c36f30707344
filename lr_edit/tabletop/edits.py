"""Edits of a scene: the scene before and after, and the instruction in words; it knows no pixels.

The things of both scenes stand at the same indices; only one that is added or removed is the last.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from lr_edit.tabletop.captions import describe
from lr_edit.tabletop.language import SINGLE_KINDS, phrase_for, referring
from lr_edit.tabletop.matching import holds
from lr_edit.tabletop.predicates import RELATIONS
from lr_edit.tabletop.scene import (
    BACKDROPS,
    NATURAL,
    NOUNS,
    SURFACES,
    UNSEEN_PAIRS,
    Scene,
    Thing,
    allowed_colours,
    sample_place,
    sample_thing,
)
from lr_edit.tabletop.words import BACKDROP_NAMES, PEOPLE, SURFACE_WORDS, SYNONYMS, vary

KINDS = ("replace", "recolour", "remove", "add", "move", "background")
REPLACE = (
    "replace {find} with {paint}", "change {find} to {paint}", "turn {find} into {paint}",
    "change {find} into {paint}", "swap {find} for {paint}",
)  # fmt: skip
RECOLOUR = ("turn {find} {colour}", "make {find} {colour}", "paint {find} {colour}")
REMOVE = ("remove {find}", "delete {find}", "erase {find}", "take away {find}")
ADD = ("add {paint} {where}", "put {paint} {where}")
MOVE = ("move {find} {where}", "put {find} {where}")
BACKGROUND = ("replace {find} with {paint}", "change {find} to {paint}")
TRIES = 4
PLACE_WORDS = {
    "left": "to the left of", "right": "to the right of", "behind": "behind",
    "front": "in front of",
}  # fmt: skip


@dataclass(frozen=True)
class SceneEdit:
    """One edit of KINDS: `target` is `source` after following the instruction.

    find: phrase for the thing that changes ("" for add). paint: phrase for what stands there
    afterwards ("" for remove). source_index, target_index: that thing in the two scenes, None where
    it is not there (add, remove) or no thing changes (background).
    """

    kind: str
    source: Scene
    target: Scene
    instruction: str
    find: str
    paint: str
    source_index: int | None
    target_index: int | None


def sample_edit(
    scene: Scene, rng: random.Random, kind: str, unseen: bool = False
) -> SceneEdit | None:
    """An edit of one of KINDS, or None where the scene admits none.

    The source is the scene itself, for remove with the thing to go moved to the end. unseen: the
    result may show a held-out pair.
    """
    for _ in range(TRIES):
        edit = _SAMPLERS[kind](scene, rng, unseen)
        if edit is not None:
            return edit
    return None


def swap(scene: Scene, index: int, thing: Thing) -> Scene:
    """The scene with another thing at an index."""
    return replace(scene, things=(*scene.things[:index], thing, *scene.things[index + 1 :]))


def _found(scene: Scene, rng: random.Random) -> tuple[int, str] | None:
    """A thing of the scene and a phrase, article and all, that refers to it."""
    if not scene.things:
        return None
    index = rng.randrange(len(scene.things))
    phrase = phrase_for(scene, rng, index)
    return None if phrase is None else (index, _with_the(phrase.text))


def _with_the(text: str) -> str:
    return text if text.startswith("the ") else f"the {text}"


def _replace(scene: Scene, rng: random.Random, unseen: bool) -> SceneEdit | None:
    found = _found(scene, rng)
    if found is None:
        return None
    index, find = found
    thing = scene.things[index]
    noun = rng.choice([n for n in NOUNS if n != thing.noun])
    colours = [
        c for c in allowed_colours(noun) if c != noun and (unseen or (c, noun) not in UNSEEN_PAIRS)
    ]
    named = bool(colours) and rng.random() < 0.5
    changed = replace(thing, noun=noun, colour=rng.choice(colours) if named else NATURAL[noun])
    paint = describe(changed, ("colour",) if named else (), word=vary(noun, SYNONYMS, rng))
    words = rng.choice(REPLACE).format(find=find, paint=paint)
    target = swap(scene, index, changed)
    return SceneEdit("replace", scene, target, words, find, paint, index, index)


def _recolour(scene: Scene, rng: random.Random, unseen: bool) -> SceneEdit | None:
    found = _found(scene, rng)
    if found is None:
        return None
    index, find = found
    thing = scene.things[index]
    colours = [
        c
        for c in allowed_colours(thing.noun)
        if c != thing.colour and (unseen or (c, thing.noun) not in UNSEEN_PAIRS)
    ]
    if not colours or thing.noun in PEOPLE:
        return None
    changed = replace(thing, colour=rng.choice(colours))
    words = rng.choice(RECOLOUR).format(find=find, colour=changed.colour)
    paint = describe(changed, ("colour",))
    target = swap(scene, index, changed)
    return SceneEdit("recolour", scene, target, words, find, paint, index, index)


def _remove(scene: Scene, rng: random.Random, unseen: bool) -> SceneEdit | None:
    if not scene.things:
        return None
    index = rng.randrange(len(scene.things))
    rest = scene.things[:index] + scene.things[index + 1 :]
    source = replace(scene, things=(*rest, scene.things[index]))
    phrase = phrase_for(source, rng, len(rest))
    if phrase is None:
        return None
    find = _with_the(phrase.text)
    words = rng.choice(REMOVE).format(find=find)
    return SceneEdit(
        "remove", source, replace(scene, things=rest), words, find, "", len(rest), None
    )


def _add(scene: Scene, rng: random.Random, unseen: bool) -> SceneEdit | None:
    thing = sample_place(rng, scene, sample_thing(rng, rng.choice(NOUNS), unseen))
    if thing is None:
        return None
    index = len(scene.things)
    target = replace(scene, things=(*scene.things, thing))
    places = _places(scene, target, index, rng)
    paint = describe(thing, ("colour",) if thing.colour != thing.noun else ())
    words = rng.choice(ADD).format(paint=paint, where=rng.choice(places)) if places else ""
    words = words or f"add {paint}"
    return SceneEdit("add", scene, target, words, "", paint, None, index)


def _move(scene: Scene, rng: random.Random, unseen: bool) -> SceneEdit | None:
    found = _found(scene, rng)
    if found is None:
        return None
    index, find = found
    thing = scene.things[index]
    rest = replace(scene, things=scene.things[:index] + scene.things[index + 1 :])
    moved = sample_place(rng, rest, thing)
    if moved is None:
        return None
    target = swap(scene, index, replace(moved, heading=thing.heading))
    places = _places(scene, target, index, rng, unlike_source=True)
    if not places:
        return None
    words = rng.choice(MOVE).format(find=find, where=rng.choice(places))
    paint = describe(thing, ("colour",) if thing.colour != thing.noun else ())
    return SceneEdit("move", scene, target, words, find, paint, index, index)


def _places(
    source: Scene, target: Scene, index: int, rng: random.Random, unlike_source: bool = False
) -> list[str]:
    """Words for where thing `index` of the target stands, by things that both scenes name clearly.

    unlike_source: leave out what was true of it already.
    """
    words = []
    for other in range(len(source.things)):
        phrase = None
        if other != index:
            phrase = referring(source, rng, rng.choice(SINGLE_KINDS[:2]), target=other)
        for relation in RELATIONS[:4]:
            before = unlike_source and holds(source, relation, index, other) is not False
            if phrase is not None and not before and holds(target, relation, index, other):
                words.append(f"{PLACE_WORDS[relation]} {_with_the(phrase.text)}")
    return words


def _background(scene: Scene, rng: random.Random, unseen: bool) -> SceneEdit | None:
    if rng.random() < 0.5:
        surface = rng.choice([s for s in SURFACES if s != scene.surface])
        find, paint = "the table", SURFACE_WORDS[surface][0].removeprefix("on ")
        target = replace(scene, surface=surface)
    else:
        backdrop = rng.choice([b for b in BACKDROPS if b != scene.backdrop])
        find, paint = "the background", BACKDROP_NAMES[backdrop]
        target = replace(scene, backdrop=backdrop)
    words = rng.choice(BACKGROUND).format(find=find, paint=paint)
    return SceneEdit("background", scene, target, words, find, paint, None, None)


_SAMPLERS: dict[str, Callable[[Scene, random.Random, bool], SceneEdit | None]] = {
    "replace": _replace,
    "recolour": _recolour,
    "remove": _remove,
    "add": _add,
    "move": _move,
    "background": _background,
}
