"""What things may be wished to become: how often, and what is certain of it."""

import random

import pytest
from tabletop_reader import COLOURS

from lr_edit.phrase import only_recoloured
from lr_edit.tabletop.language import Phrase, referring
from lr_edit.tabletop.scene import UNSEEN_PAIRS, sample_scene
from lr_edit.tabletop.wishes import some_wish
from lr_edit.tabletop.words import PEOPLE, nouns_of

SCENE = sample_scene("wishes", count=4)


def said(kind: str = "noun") -> Phrase:
    phrase = referring(SCENE, random.Random(0), kind)
    assert phrase is not None
    return phrase


def drawn(phrase: Phrase, share: float = 1.0, colours: bool = True) -> list[tuple[str, bool]]:
    return [some_wish(SCENE, phrase, random.Random(k), share, colours) for k in range(300)]


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.4, 90, 150), (1.0, 300, 300)])
def test_the_share_is_kept(share: float, least: int, most: int) -> None:
    wishes = [text for text, _ in drawn(said(), share) if text]
    assert least <= len(wishes) <= most


@pytest.mark.parametrize("kind", ["noun", "attribute", "several"])
def test_another_colour_keeps_the_things_in_their_places(kind: str) -> None:
    recolours = 0
    for seed in range(40):
        scene = sample_scene(f"wishes {seed}", count=4)
        phrase = referring(scene, random.Random(seed), kind)
        if phrase is None:
            continue
        for text, stays in (some_wish(scene, phrase, random.Random(k), 1.0) for k in range(6)):
            things = [scene.things[k] for k in phrase.targets]
            if stays:
                recolours += 1
                assert only_recoloured(phrase.text, text), (phrase.text, text)
                (colour,) = set(text.split(" ")) & COLOURS - {"orange"} or {"orange"}
                for thing in things:
                    assert thing.colour != colour and thing.noun not in PEOPLE
                    assert (colour, thing.noun) not in UNSEEN_PAIRS
    assert recolours > 20


def test_of_what_is_not_there_nothing_is_certain() -> None:
    assert all(text and not stays for text, stays in drawn(said("absent")))


def test_without_colours_none_is_wished_for() -> None:
    for text, stays in drawn(said(), colours=False):
        assert not stays and not COLOURS & set(text.split(" ")[1:-1]), text


def test_an_edit_prompt_is_a_wish_already() -> None:
    assert set(drawn(said("edit_prompt"))) == {("", False)}


def test_held_out_pairs_are_not_wished_for() -> None:
    coloured = 0
    for text, _ in drawn(said()):
        _, colour, *word = text.split(" ")
        if word and colour in COLOURS:
            coloured += 1
            assert not {(colour, noun) for noun in nouns_of(" ".join(word))} & UNSEEN_PAIRS, text
    assert coloured > 100
