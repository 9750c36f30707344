"""Words for whole scenes and for single things that stand in them; it knows no pixels."""

import random
from collections.abc import Collection

from lr_edit.tabletop.language import noun_phrase
from lr_edit.tabletop.predicates import Described
from lr_edit.tabletop.scene import (
    COLOURS,
    MATERIALS,
    NATURAL,
    NOUNS,
    Scene,
    Thing,
)
from lr_edit.tabletop.words import (
    BACKDROP_NAMES,
    SURFACE_WORDS,
    SYNONYMS,
    is_held_out,
    listed,
    vary,
    with_article,
)

ATTRIBUTES = ("size", "material", "colour")
CAPTIONS = (
    "{things}", "{things} {where}", "{things} {where}, {before}", "{things} {before}",
    "a picture of {things}", "a photo of {things} {where}", "a scene with {things} {where}",
    "a toy scene with {things}, {before}",
)  # fmt: skip
OBJECT_CAPTIONS = (
    "{a}", "{a}", "{the}", "{bare}", "a photo of {a}", "a photo of {the}", "a picture of {a}",
    "a toy: {a}", "a close-up of {a}",
)  # fmt: skip


def describe(
    thing: Thing,
    attributes: Collection[str] = ATTRIBUTES,
    *,
    word: str | None = None,
    rng: random.Random | None = None,
    article: bool = True,
) -> str:
    """A thing in words with the attributes named in ATTRIBUTES: "a small shiny red apple".

    word: used instead of the noun. rng: varies the words of attributes; None keeps the plain ones.
    """
    said = Described(word or thing.noun, **{name: getattr(thing, name) for name in attributes})
    words = noun_phrase(said, rng)
    return with_article(words) if article else words


def caption(scene: Scene, rng: random.Random) -> str:
    """A sentence about the whole scene, its things in random order and more or less detail."""
    things = rng.sample(scene.things, k=len(scene.things))
    chances = {"size": 0.2, "material": 0.2, "colour": rng.choice((0.3, 0.9))}
    said = [describe(t, _some(t, chances, rng), word=_word(t, rng), rng=rng) for t in things]
    return rng.choice(CAPTIONS).format(
        things=listed(said) if said else "nothing",
        where=rng.choice(SURFACE_WORDS[scene.surface]),
        before=before_backdrop(scene.backdrop),
    )


def before_backdrop(backdrop: str) -> str:
    """Where things are that stand before a backdrop: "under a blue sky", "in front of …"."""
    return f"{'under' if 'sky' in backdrop else 'in front of'} {BACKDROP_NAMES[backdrop]}"


def object_caption(thing: Thing, rng: random.Random) -> tuple[str, frozenset[str]]:
    """A caption for a picture of this thing alone, and which of ATTRIBUTES it names.

    The natural colour often goes unsaid and another hardly ever, as people speak: so "an apple"
    mostly means a red one.
    """
    colour = 0.45 if thing.colour == NATURAL[thing.noun] else 0.93
    chances = {"size": 0.1, "material": 0.3, "colour": colour}
    chosen = [name for name, chance in chances.items() if rng.random() < chance]
    words = describe(thing, chosen, word=_word(thing, rng), rng=rng, article=False)
    text = rng.choice(OBJECT_CAPTIONS).format(a=with_article(words), the=f"the {words}", bare=words)
    return text, frozenset(chosen)


def object_text(thing: Thing, rng: random.Random) -> str:
    """The words of `object_caption` alone."""
    return object_caption(thing, rng)[0]


def attribute_variants(thing: Thing, rng: random.Random, count: int = 16) -> tuple[list[str], int]:
    """`count` phrases (2 to 32) and the index of the one that is right.

    Each other phrase differs from it in colour, in noun or, where named, in material. Sizes are
    left out, since a crop does not show them; so are held-out pairs other than the thing's own.
    """
    names = ATTRIBUTES[1:] if rng.random() < 0.5 else ATTRIBUTES[2:]
    right = Described(thing.noun, **{name: getattr(thing, name) for name in names})
    wrong = [Described(thing.noun, c, right.material) for c in COLOURS if c != thing.colour]
    if right.material:
        wrong += [Described(thing.noun, right.colour, m) for m in MATERIALS if m != right.material]
    wrong = [said for said in wrong if not is_held_out(said.colour, said.word)]
    nouns = [n for n in NOUNS if n != thing.noun and not is_held_out(thing.colour, n)]
    others = [
        Described(noun, right.colour, right.material) for noun in rng.sample(nouns, len(nouns))
    ]
    chosen = [*(wrong + others)[: count - 1], right]
    rng.shuffle(chosen)
    return [with_article(noun_phrase(said)) for said in chosen], chosen.index(right)


def _word(thing: Thing, rng: random.Random) -> str:
    return vary(thing.noun, SYNONYMS, rng)


def _some(thing: Thing, chances: dict[str, float], rng: random.Random) -> list[str]:
    """Attributes drawn by their chances; a thing called after its colour does not repeat it."""
    return [
        name
        for name, chance in chances.items()
        if rng.random() < chance and not (name == "colour" and thing.colour == thing.noun)
    ]
