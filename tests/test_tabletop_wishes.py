"""What things may be wished to become: how often, and what is certain of it."""

import random

import pytest
from tabletop_reader import COLOURS

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


def test_another_colour_keeps_the_thing_in_its_place() -> None:
    phrase = said()
    thing = SCENE.things[phrase.targets[0]]
    painted = [text for text, stays in drawn(phrase) if stays]
    assert (100 <= len(painted) <= 200) == (thing.noun not in PEOPLE)
    for text in painted:
        article, colour, *word = text.split(" ")
        assert article in ("a", "an") and colour in COLOURS - {thing.colour}
        assert thing.noun in nouns_of(" ".join(word))


@pytest.mark.parametrize("kind", ["several", "absent"])
def test_of_several_things_or_none_nothing_is_certain(kind: str) -> None:
    assert not any(stays for _, stays in drawn(said(kind)))
    assert all(text for text, _ in drawn(said(kind)))


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
