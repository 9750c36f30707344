"""What a thing may be wished to become, in words, and whether that shows what changes.

A recoloured thing keeps its place and its shadow, so what changes is the thing alone. What another
thing would change is known only where it was rendered, see `lr_edit.tabletop.pairs`.
"""

import random
from collections.abc import Sequence

from lr_edit.phrase import recoloured
from lr_edit.tabletop.language import Phrase, noun_phrase
from lr_edit.tabletop.predicates import Described
from lr_edit.tabletop.scene import NOUNS, UNSEEN_PAIRS, Scene, allowed_colours
from lr_edit.tabletop.words import PEOPLE, with_article


def some_wish(
    scene: Scene, phrase: Phrase, rng: random.Random, share: float, colours: bool = True
) -> tuple[str, bool]:
    """What the things of a phrase are to become, and whether they keep their shapes in that.

    share: how many of the phrases come with a wish; of the others it is "". Half of the wishes are
    for another colour, where there are things to have one and colours are said; all others are for
    anything. Edit prompts are wishes themselves and come with none. Held-out pairs are wished for
    by nobody.
    """
    if phrase.reading == "edit" or rng.random() >= share:
        return "", False
    others = free_colours(scene, phrase.targets) if colours else []
    if others and rng.random() < 0.5:
        return recoloured(phrase.text, rng.choice(others)), True
    return any_wish(rng, colours), False


def free_colours(scene: Scene, targets: Sequence[int]) -> list[str]:
    """The colours that all these things may have, and none of them has; people keep theirs."""
    things = [scene.things[k] for k in targets]
    if not things or any(thing.noun in PEOPLE for thing in things):
        return []
    kinds = (set(allowed(thing.noun)) - {thing.colour} for thing in things)
    return sorted(set.intersection(*kinds))


def any_wish(rng: random.Random, colours: bool = True) -> str:
    """A thing in a colour of its own or, half of the time as long as colours are said, another."""
    noun = rng.choice(NOUNS)
    others = allowed(noun) if colours else []
    coloured = bool(others) and rng.random() < 0.5
    return with_article(noun_phrase(Described(noun, rng.choice(others) if coloured else None)))


def allowed(noun: str) -> list[str]:
    """Colours that a thing may have, its name's own left out."""
    pairs = ((colour, noun) for colour in allowed_colours(noun) if colour != noun)
    return [colour for colour, name in pairs if (colour, name) not in UNSEEN_PAIRS]
