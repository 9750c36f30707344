"""Predicates drawn at random, one way for each kind of phrase; whether they are true is not asked.

A proposer takes a scene, an rng, the index of the thing meant, and whether colours may be named.
"""

import random
from collections.abc import Callable
from dataclasses import replace

from lr_edit.tabletop.matching import matches
from lr_edit.tabletop.predicates import (
    RELATIONS,
    Becoming,
    Contradictory,
    Described,
    Every,
    Predicate,
    Ranked,
    Related,
    Together,
)
from lr_edit.tabletop.scene import (
    COLOURS,
    MATERIALS,
    NOUNS,
    ONLY,
    SIZES,
    Scene,
    Thing,
    allowed_colours,
)
from lr_edit.tabletop.words import PEOPLE, RANKS, SYNONYMS, vary, word_for

ATTRIBUTE_CHANCES = {"colour": 0.7, "material": 0.25, "size": 0.25}


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


def _propose_contradiction(
    scene: Scene, rng: random.Random, index: int, colours: bool
) -> Predicate | None:
    """A thing as it is and, in one breath, of another colour, material or size, in any order."""
    if not scene.things:
        return None
    thing = scene.things[index]
    if thing.noun in ONLY or thing.noun in PEOPLE:
        return None
    name = rng.choices(("colour", "material", "size"), (6 if colours else 0, 2, 2))[0]
    values = {"colour": COLOURS, "material": MATERIALS, "size": tuple(SIZES)}[name]
    own = getattr(thing, name)
    said = Described(vary(thing.noun, SYNONYMS, rng), **{name: own})
    other = replace(said, **{name: rng.choice([value for value in values if value != own])})
    return Contradictory(*rng.sample((said, other), 2))


def _propose_edit_prompt(
    scene: Scene, rng: random.Random, index: int, colours: bool
) -> Predicate | None:
    """The thing in another colour, of another material, or both; now and then its own colour."""
    thing = scene.things[index]
    return _wanted(thing.noun, rng, colours, thing.colour if rng.random() < 0.3 else None)


def _propose_edit_absent(
    scene: Scene, rng: random.Random, index: int, colours: bool
) -> Predicate | None:
    """Something that may not be there, often coloured like a thing that is; or a thing as it is."""
    draw, noun = rng.random(), rng.choice(NOUNS)
    if draw < 0.3 or not scene.things:
        return _wanted(noun, rng, colours)
    thing = scene.things[index]
    if draw < 0.6:
        return _wanted(noun, rng, colours, thing.colour)
    return _wanted(thing.noun, rng, colours, thing.colour, thing.material)


def _wanted(
    noun: str,
    rng: random.Random,
    colours: bool,
    colour: str | None = None,
    material: str | None = None,
) -> Predicate | None:
    """A thing of the noun, of a colour, a material or both; any where they are not given.

    None where that says nothing clear: what comes in its own colours only is left out, and so are
    children of some material, whose colour is that of the clothes.
    """
    named = rng.choices(("colour", "material", "both"), (6, 2, 3))[0] if colours else "material"
    if noun in ONLY or (noun in PEOPLE and named != "colour"):
        return None
    colour = colour or rng.choice(allowed_colours(noun))
    material = material or rng.choice(MATERIALS)
    return Becoming(
        Described(
            vary(noun, SYNONYMS, rng),
            colour if named != "material" else None,
            material if named != "colour" else None,
        )
    )


PROPOSERS: dict[str, Callable[[Scene, random.Random, int, bool], Predicate | None]] = {
    "noun": _propose_noun,
    "attribute": _propose_attribute,
    "relation": _propose_relation,
    "ordinal": _propose_ordinal,
    "several": _propose_several,
    "absent": _propose_absent,
    "contradiction": _propose_contradiction,
    "edit_prompt": _propose_edit_prompt,
    "edit_absent": _propose_edit_absent,
}
