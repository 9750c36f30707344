"""Every word and turn of speech of the tabletop world, as sentences to make a tokenizer from."""

import random
from collections.abc import Iterable, Iterator

from lr_edit.tabletop.captions import (
    CAPTIONS,
    OBJECT_CAPTIONS,
    before_backdrop,
    caption,
    object_text,
)
from lr_edit.tabletop.language import RELATION_WORDS, phrases
from lr_edit.tabletop.scene import COLOURS, MATERIALS, SIZES, sample_scene
from lr_edit.tabletop.words import (
    BACKDROP_NAMES,
    COLOUR_WORDS,
    COUNTS,
    MATERIAL_WORDS,
    PEOPLE,
    RANKS,
    SIZE_WORDS,
    SURFACE_WORDS,
    all_words,
    plural,
    with_article,
)


def corpus(scenes: int = 2000) -> Iterator[str]:
    """Sentences that hold every word of this world, then captions and phrases of sampled scenes."""
    for word in all_words():
        yield from _about(word)
    for template in (*CAPTIONS, *OBJECT_CAPTIONS):
        yield template.format(things="nothing", where="", before="", a="a", the="the", bare="")
    yield from _flat(SURFACE_WORDS.values())
    yield from map(before_backdrop, BACKDROP_NAMES)
    for index in range(scenes):
        rng, scene = random.Random(f"corpus {index}"), sample_scene(f"corpus {index}")
        yield caption(scene, rng)
        yield from (phrase.text for phrase in phrases(scene, rng))
        yield from (object_text(thing, rng) for thing in scene.things)


def _about(word: str) -> Iterator[str]:
    """The word with every attribute, relation, rank and number."""
    colours = [*COLOURS, *_flat(COLOUR_WORDS.values())]
    details = [*MATERIALS, *SIZES, *_flat(MATERIAL_WORDS.values()), *_flat(SIZE_WORDS.values())]
    links = [*_flat(RELATION_WORDS.values()), "farthest from"]
    yield with_article(word)
    yield from (f"the {colour} {word}" for colour in colours)
    yield from (with_article(f"{detail} {word}") for detail in details)
    yield from (f"the {word} {link} the camera" for link in links)
    yield from (f"the {rank} {word} from the {end}" for rank in RANKS for end in ("left", "right"))
    yield from (f"{many} {plural(word)}" for many in (*COUNTS[2:], "all the", "both"))
    yield f"every {word}, the leftmost {word} and the rightmost {word} on the far left"
    if word in PEOPLE:
        yield from (f"{with_article(word)} in {colour}" for colour in colours)


def _flat(groups: Iterable[Iterable[str]]) -> list[str]:
    return [word for group in groups for word in group]
