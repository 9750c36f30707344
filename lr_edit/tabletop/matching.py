"""Which things of a scene a predicate is true of; no sentences.

A fact counts only where nobody would argue: positions must differ by a clear margin on the screen.
Where one needed fact is not clear the answer is None, and such a phrase is never spoken.
"""

import math
from collections.abc import Iterable

from lr_edit.tabletop.predicates import (
    Becoming,
    Contradictory,
    Described,
    Every,
    Predicate,
    Ranked,
    Related,
    Together,
    descriptions,
)
from lr_edit.tabletop.scene import Scene, Thing, screen_position
from lr_edit.tabletop.words import ARGUABLE, SECOND_COLOURS, nouns_of

ASIDE = 0.15  # left and right: least difference of u, where the picture is 2 wide
DEEP = 0.45  # near and far: least difference of depth, world units
APART = 1.3  # nearest to something: least ratio of the second distance to the first
LARGER = 1.15  # sizes: least ratio of apparent sizes


def matches(scene: Scene, predicate: Predicate) -> tuple[int, ...] | None:
    """Ascending indices of the things that the predicate selects; None where that is arguable."""
    match predicate:
        case Described():
            return _described(scene, predicate)
        case Every(subject):
            return _described(scene, subject)
        case Together(parts):
            return _together(scene, parts)
        case Becoming(wanted):
            return _becoming(scene, wanted)
        case Contradictory(subject, other):
            colours = (subject.colour, other.colour)
            partly = (_is_partly(t, c) for t in scene.things for c in colours)
            return None if any(partly) else ()
        case Ranked(subject, end, rank):
            return _ranked(scene, subject, end, rank)
        case Related(subject, "nearest", landmark):
            return _nearest(scene, subject, landmark)
        case Related(subject, relation, landmark):
            return _related(scene, subject, relation, landmark)


def mentioned(scene: Scene, predicate: Predicate) -> tuple[tuple[int, ...], ...]:
    """For each of MENTIONS the ascending indices of the things that these words alone fit.

    Of "the red mug left of the lamp" all mugs, all red mugs, and the lamp. Words of which it is
    arguable what they fit count as fitting nothing.
    """
    subject, *others = descriptions(predicate)
    together = isinstance(predicate, Together)
    subjects, landmarks = ((subject, *others), ()) if together else ((subject,), others)
    nouns = [Described(said.word) for said in subjects]
    return tuple(_any_of(scene, words) for words in (nouns, subjects, landmarks))


def _any_of(scene: Scene, words: Iterable[Described]) -> tuple[int, ...]:
    return tuple(sorted({i for said in words for i in _described(scene, said) or ()}))


def holds(scene: Scene, relation: str, index: int, other: int) -> bool | None:
    """Whether thing `index` is left of, right of, behind or in front of thing `other`.

    None where the two are too close to say.
    """
    position, origin = (screen_position(scene, scene.things[i]) for i in (index, other))
    sideways = relation in ("left", "right")
    axis, margin = (0, ASIDE) if sideways else (2, DEEP)
    difference = position[axis] - origin[axis]
    if abs(difference) < margin:
        return None
    return (difference > 0) == (relation in ("right", "behind"))


def _described(scene: Scene, said: Described) -> tuple[int, ...] | None:
    nouns = nouns_of(said.word)
    if ARGUABLE.get(said.word, frozenset()) & {thing.noun for thing in scene.things}:
        return None
    named = [i for i, thing in enumerate(scene.things) if thing.noun in nouns]
    if any(_is_partly(scene.things[i], said.colour) for i in named):
        return None
    if said.size is not None and not _size_is_clear(scene, said, named):
        return None
    return tuple(
        i
        for i in named
        if said.colour in (None, scene.things[i].colour)
        and said.material in (None, scene.things[i].material)
        and said.size in (None, scene.things[i].size)
    )


def _becoming(scene: Scene, wanted: Described) -> tuple[int, ...] | None:
    named, done = _described(scene, Described(wanted.word)), _described(scene, wanted)
    if named is None or done is None:
        return None
    return tuple(i for i in named if i not in done)


def _is_partly(thing: Thing, colour: str | None) -> bool:
    return colour != thing.colour and colour in SECOND_COLOURS.get(thing.noun, ())


def _size_is_clear(scene: Scene, said: Described, named: list[int]) -> bool:
    """Sizes compare things of one noun; alone, a thing can only be called what it is."""
    if len(nouns_of(said.word)) > 1:
        return False
    apparent: dict[str, list[float]] = {"small": [], "large": []}
    for i in named:
        thing = scene.things[i]
        apparent[thing.size].append(thing.scale / screen_position(scene, thing)[2])
    if apparent["small"] and apparent["large"]:
        return min(apparent["large"]) > LARGER * max(apparent["small"])
    return not named or bool(apparent[said.size or ""])


def _together(scene: Scene, parts: tuple[Described, ...]) -> tuple[int, ...] | None:
    chosen: set[int] = set()
    for part in parts:
        found = _described(scene, part)
        if found is None or len(found) != 1 or chosen & set(found):
            return None
        chosen.update(found)
    return tuple(sorted(chosen))


def _ranked(scene: Scene, subject: Described, end: str, rank: int) -> tuple[int, ...] | None:
    found = _described(scene, subject)
    if found is None or rank >= len(found):
        return None if found is None else ()
    axis, margin = (0, ASIDE) if end in ("left", "right") else (2, DEEP)
    sign = 1.0 if end in ("left", "near") else -1.0
    places = {i: sign * screen_position(scene, scene.things[i])[axis] for i in found}
    order = sorted(found, key=places.__getitem__)
    neighbours = order[max(rank - 1, 0) : rank] + order[rank + 1 : rank + 2]
    if any(abs(places[i] - places[order[rank]]) < margin for i in neighbours):
        return None
    return (order[rank],)


def _candidates(
    scene: Scene, subject: Described, landmark: Described
) -> tuple[list[int], int | None] | None:
    """The subject's things and the landmark they are compared with (None: there is none).

    None altogether where either is arguable, or the landmark could be several or the subject.
    """
    found, marks = _described(scene, subject), _described(scene, landmark)
    if found is None or marks is None or len(marks) > 1 or (found and found == marks):
        return None
    return [i for i in found if i not in marks], marks[0] if marks else None


def _related(
    scene: Scene, subject: Described, relation: str, landmark: Described
) -> tuple[int, ...] | None:
    compared = _candidates(scene, subject, landmark)
    if compared is None or compared[1] is None:
        return None if compared is None else ()
    found, mark = compared[0], compared[1]
    verdicts = {i: holds(scene, relation, i, mark) for i in found}
    if None in verdicts.values():
        return None
    return tuple(i for i, verdict in verdicts.items() if verdict)


def _nearest(scene: Scene, subject: Described, landmark: Described) -> tuple[int, ...] | None:
    compared = _candidates(scene, subject, landmark)
    if compared is None or compared[1] is None:
        return None if compared is None else ()
    mark = scene.things[compared[1]]
    things = [(i, scene.things[i]) for i in compared[0]]
    distances = sorted((math.hypot(t.x - mark.x, t.y - mark.y), i) for i, t in things)
    if len(distances) > 1 and distances[1][0] < APART * distances[0][0]:
        return None
    return tuple(i for _, i in distances[:1])
