"""What a thing that a phrase names may be wished to become, and whether that shows what changes.

A recoloured thing keeps its place and its shadow, so what changes is the thing alone. What another
thing would change is known only where it was rendered, see `lr_edit.tabletop.pairs`.
"""

import random
from dataclasses import replace

from lr_edit.tabletop.captions import describe
from lr_edit.tabletop.language import Phrase
from lr_edit.tabletop.scene import NOUNS, Scene, Thing, allowed_colours
from lr_edit.tabletop.words import PEOPLE, SYNONYMS, is_held_out, vary, with_article


def some_wish(
    scene: Scene, phrase: Phrase, rng: random.Random, share: float, colours: bool = True
) -> tuple[str, bool]:
    """What the things of a phrase are to become, and whether they keep their shapes in that.

    share: how many of the phrases come with a wish; of the others it is "". Half of the wishes for
    one thing are for another colour of it, as long as colours are said; all others are for
    anything. Edit prompts are wishes themselves and come with none. Held-out pairs are wished for
    by nobody.
    """
    if phrase.reading == "edit" or rng.random() >= share:
        return "", False
    if colours and len(phrase.targets) == 1 and rng.random() < 0.5:
        painted = _repainted(scene.things[phrase.targets[0]], rng)
        if painted:
            return painted, True
    return _anything(rng, colours), False


def _repainted(thing: Thing, rng: random.Random) -> str:
    """A thing in another colour, in words; "" for one that has no other."""
    others = _colours(thing.noun, thing.colour)
    if not others or thing.noun in PEOPLE:
        return ""
    word = vary(thing.noun, SYNONYMS, rng)
    return describe(replace(thing, colour=rng.choice(others)), ("colour",), word=word)


def _anything(rng: random.Random, colours: bool) -> str:
    """Any noun with its article, half of the time with a colour."""
    noun = rng.choice(NOUNS)
    others = _colours(noun, noun)
    colour = rng.choice(others) if colours and others and rng.random() < 0.5 else ""
    return with_article(f"{colour} {vary(noun, SYNONYMS, rng)}".strip())


def _colours(noun: str, but: str) -> list[str]:
    """The colours that things of a noun may have, other than `but`."""
    return [c for c in allowed_colours(noun) if c != but and not is_held_out(c, noun)]
