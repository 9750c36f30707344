"""Phrases that refer to exactly what they say: predicates proposed, checked, put into words.

A phrase is drawn as a predicate; it is spoken only when the predicate selects exactly one thing
(for "several" a set, for "absent" nothing) beyond argument. It knows no pixels.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from lr_edit.tabletop.predicates import (
    RELATIONS,
    Described,
    Every,
    Predicate,
    Ranked,
    Related,
    Together,
    descriptions,
    matches,
)
from lr_edit.tabletop.scene import COLOURS, MATERIALS, NOUNS, Scene, Thing
from lr_edit.tabletop.words import (
    COLOUR_WORDS,
    COUNTS,
    MATERIAL_WORDS,
    PEOPLE,
    RANKS,
    SIZE_WORDS,
    is_held_out,
    listed,
    plural,
    vary,
    word_for,
)

KINDS = ("noun", "attribute", "relation", "ordinal", "several", "absent")
SINGLE_KINDS = KINDS[:4]
TRIES = 40
ATTRIBUTE_CHANCES = {"colour": 0.7, "material": 0.25, "size": 0.25}
RELATION_WORDS = {
    "left": ("left of", "to the left of"),
    "right": ("right of", "to the right of"),
    "behind": ("behind",),
    "front": ("in front of",),
    "nearest": ("nearest to", "closest to", "nearest"),
}


@dataclass(frozen=True)
class Phrase:
    """Words, the ascending indices into `scene.things` they refer to, and their kind (KINDS)."""

    text: str
    targets: tuple[int, ...]
    kind: str


def referring(
    scene: Scene,
    rng: random.Random,
    kind: str,
    *,
    target: int | None = None,
    needed: bool = False,
    colours: bool = True,
) -> Phrase | None:
    """A phrase of one of KINDS, or None where none was found.

    target: the thing it must refer to. needed: the plain words without attribute, relation or rank
    fit more than one thing. colours: False leaves colour words out. Held-out pairs are named only
    where such a thing stands there.
    """
    if not scene.things and kind != "absent":
        return None
    for _ in range(TRIES):
        index = rng.randrange(max(len(scene.things), 1)) if target is None else target
        predicate = _PROPOSERS[kind](scene, rng, index, colours)
        found = None if predicate is None else matches(scene, predicate)
        if predicate is None or found is None or not _fits(kind, found, target):
            continue
        if needed and not _is_needed(scene, predicate):
            continue
        if kind == "absent" and any(_names_held_out(part) for part in descriptions(predicate)):
            continue
        text = say(predicate, rng, len(found))
        bare = isinstance(predicate, Described) and rng.random() < 0.15
        return Phrase(text.removeprefix("the ") if bare else text, found, kind)
    return None


def phrases(scene: Scene, rng: random.Random, colours: bool = True) -> list[Phrase]:
    """One phrase of every kind that the scene admits, each text once.

    Attributes and relations are needed to tell the things apart wherever one is found quickly.
    """
    found: dict[str, Phrase] = {}
    for kind in KINDS:
        needed = kind in ("attribute", "relation") and rng.random() < 0.6
        phrase = referring(scene, rng, kind, needed=needed, colours=colours)
        if phrase is None and needed:
            phrase = referring(scene, rng, kind, colours=colours)
        if phrase is not None:
            found.setdefault(phrase.text, phrase)
    return list(found.values())


def phrase_for(scene: Scene, rng: random.Random, index: int) -> Phrase | None:
    """A phrase of any single kind that refers to thing `index`, or None where none was found."""
    for kind in rng.sample(SINGLE_KINDS, k=len(SINGLE_KINDS)):
        phrase = referring(scene, rng, kind, target=index)
        if phrase is not None:
            return phrase
    return None


def noun_phrase(said: Described, rng: random.Random | None = None, many: bool = False) -> str:
    """A description without article: "small shiny red apple", "girl in red"; varied with rng."""
    before = [
        vary(said.size, SIZE_WORDS, rng) if said.size else "",
        vary(said.material, MATERIAL_WORDS, rng) if said.material else "",
    ]
    noun = plural(said.word) if many else said.word
    colour = vary(said.colour, COLOUR_WORDS, rng) if said.colour else ""
    if colour and said.word in PEOPLE and (rng is None or rng.random() < 0.5):
        return " ".join(filter(None, (*before, noun, "in", colour)))
    return " ".join(filter(None, (*before, colour, noun)))


def say(predicate: Predicate, rng: random.Random, count: int = 1) -> str:
    """The predicate in words; count: how many things it selects (plurals may name it)."""
    match predicate:
        case Described():
            return f"the {noun_phrase(predicate, rng)}"
        case Together(parts):
            return listed([f"the {noun_phrase(part, rng)}" for part in parts])
        case Related(subject, relation, landmark):
            link = rng.choice(RELATION_WORDS[relation])
            return f"the {noun_phrase(subject, rng)} {link} the {noun_phrase(landmark, rng)}"
        case Ranked(subject, end, rank):
            return _say_ranked(noun_phrase(subject, rng), end, rank, rng)
        case Every(subject):
            return _say_every(subject, count, rng)


def _say_ranked(subject: str, end: str, rank: int, rng: random.Random) -> str:
    if end in ("near", "far"):
        word, link = {"near": ("closest", "to"), "far": ("farthest", "from")}[end]
        other = "nearest" if end == "near" else "farthest"
        return rng.choice(
            (
                f"the {subject} {word} {link} the camera",
                f"the {subject} {other} {link} the camera",
                f"the {word} {subject}",
            )
        )
    forms = [f"the {RANKS[rank]} {subject} from the {end}"]
    if rank == 0:
        forms += [f"the {end}most {subject}", f"the {subject} on the far {end}"]
    return rng.choice(forms)


def _say_every(subject: Described, count: int, rng: random.Random) -> str:
    things = noun_phrase(subject, rng, many=True)
    forms = [f"all the {things}", f"all {things}", f"the {things}"]
    forms.append(f"every {noun_phrase(subject, rng)}")
    if count >= 2:
        forms.append(f"the {COUNTS[count]} {things}")
    if count == 2:
        forms.append(f"both {things}")
    return rng.choice(forms)


def _fits(kind: str, found: tuple[int, ...], target: int | None) -> bool:
    if kind == "absent":
        return not found
    if kind == "several":
        return len(found) > 1
    return len(found) == 1 and target in (None, found[0])


def _is_needed(scene: Scene, predicate: Predicate) -> bool:
    """Whether fewer words would leave open which thing is meant."""
    said = descriptions(predicate)[0]
    plain = Described(said.word) if predicate == said else said
    return len(matches(scene, plain) or ()) > 1


def _names_held_out(said: Described) -> bool:
    return is_held_out(said.colour, said.word)


def _describe(thing: Thing, rng: random.Random, least: int, colours: bool) -> Described:
    """The thing by a word that covers it and a few of its attributes, at least `least` of them."""
    chances = {name: p for name, p in ATTRIBUTE_CHANCES.items() if colours or name != "colour"}
    if thing.colour == thing.noun:
        chances.pop("colour", None)
    chosen = {name for name, p in chances.items() if rng.random() < p}
    if len(chosen) < least:
        chosen.add(rng.choice(tuple(chances)))
    return Described(word_for(thing.noun, rng), **{name: getattr(thing, name) for name in chosen})


def _briefly(thing: Thing, rng: random.Random, colours: bool) -> Described:
    """The thing by a word and sometimes its colour, as inside a longer phrase."""
    with_colour = colours and thing.colour != thing.noun and rng.random() < 0.4
    return Described(word_for(thing.noun, rng), thing.colour if with_colour else None)


def _propose_noun(scene: Scene, rng: random.Random, index: int, colours: bool) -> Predicate:
    return Described(word_for(scene.things[index].noun, rng))


def _propose_attribute(scene: Scene, rng: random.Random, index: int, colours: bool) -> Predicate:
    return _describe(scene.things[index], rng, 1, colours)


def _propose_relation(
    scene: Scene, rng: random.Random, index: int, colours: bool
) -> Predicate | None:
    others = [i for i in range(len(scene.things)) if i != index]
    if not others:
        return None
    subject = _briefly(scene.things[index], rng, colours)
    if rng.random() < 0.2:
        return Ranked(subject, rng.choice(("near", "far")))
    landmark = _briefly(scene.things[rng.choice(others)], rng, colours)
    return Related(subject, rng.choice(RELATIONS), landmark)


def _propose_ordinal(
    scene: Scene, rng: random.Random, index: int, colours: bool
) -> Predicate | None:
    subject = _briefly(scene.things[index], rng, colours)
    count = len(matches(scene, subject) or ())
    if count < 2:
        return None
    return Ranked(subject, rng.choice(("left", "right")), rng.randrange(count))


def _propose_several(
    scene: Scene, rng: random.Random, index: int, colours: bool
) -> Predicate | None:
    if rng.random() < 0.5:
        return Every(_describe(scene.things[index], rng, 0, colours))
    if len(scene.things) < 2:
        return None
    chosen = rng.sample(scene.things, rng.choice((2, 2, 3)) if len(scene.things) > 2 else 2)
    return Together(tuple(_briefly(thing, rng, colours) for thing in chosen))


def _propose_absent(scene: Scene, rng: random.Random, index: int, colours: bool) -> Predicate:
    """A thing of another colour, noun, material or place than any there."""
    foreign = Described(word_for(rng.choice(NOUNS), rng))
    draw = rng.random()
    if draw < 0.3 or not scene.things:
        colour = rng.choice(COLOURS) if colours and rng.random() < 0.5 else None
        return Described(foreign.word, colour)
    said = _briefly(scene.things[index], rng, colours)
    if draw < 0.6 and colours:
        return Described(said.word, rng.choice(COLOURS))
    if draw < 0.7:
        return Described(said.word, said.colour, rng.choice(MATERIALS))
    if draw < 0.78:
        return Related(said, rng.choice(RELATIONS), foreign)
    if draw < 0.84:
        beyond = len(matches(scene, said) or ())
        return Ranked(said, rng.choice(("left", "right")), min(beyond, len(RANKS) - 1))
    if draw < 0.88:
        return Every(foreign)
    other = _briefly(rng.choice(scene.things), rng, colours)
    return Related(said, rng.choice(RELATIONS[:4]), other)


_PROPOSERS: dict[str, Callable[[Scene, random.Random, int, bool], Predicate | None]] = {
    "noun": _propose_noun,
    "attribute": _propose_attribute,
    "relation": _propose_relation,
    "ordinal": _propose_ordinal,
    "several": _propose_several,
    "absent": _propose_absent,
}
