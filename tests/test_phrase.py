"""One thing or several, as a phrase has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lr_edit.phrase import names_several, one_of, only_recoloured, recoloured
from lr_edit.plurals import plural


@pytest.mark.parametrize(
    "phrase",
    [
        "both mugs", "all girls in white", "every object", "the two cats", "oranges",
        "the girl and the lamp", "the mug, the red car and the boat", "each of the boxes",
        "the books on the table", "3 apples", "these people",
        "BOTH MUGS", "Two Bottles.", " Every  object", "The girl and The lamp", "some mugs",
        "some of the books", "Some deer", "some skis", "some glasses of water",
        "some black and white cats",
    ],
)  # fmt: skip
def test_several(phrase: str) -> None:
    assert names_several(phrase)


@pytest.mark.parametrize(
    "phrase",
    [
        "the mug", "a black and white cat", "the dog between the cat and the mug", "the glasses",
        "the boy in a hat and a scarf", "sunglasses",
        "the clothes", "grass", "the bus", "the mug left of the boxes", "a duck",
        "The Mug", "GRASS", "some grass", "some water", "Some green grass", "some of the water",
        "some water in glasses", "some bread and some cheese",
    ],
)  # fmt: skip
def test_one(phrase: str) -> None:
    assert not names_several(phrase)
    assert one_of(phrase) == phrase


@pytest.mark.parametrize(
    ("several", "one"),
    [
        ("oranges", "an orange"), ("two red oranges", "a red orange"), ("boxes", "a box"),
        ("white camper vans", "a white camper van"), ("people in coats", "a person in coats"),
        ("both of the puppies", "a puppy"), ("apples and lemons", "apples and lemons"),
        ("Two bottles", "a bottle"), ("Both Red Mugs.", "a red mug"), ("ORANGES", "an orange"),
        ("some mugs", "a mug"), ("Some of the red boxes", "a red box"), ("some deer", "a deer"),
    ],
)  # fmt: skip
def test_one_of_several(several: str, one: str) -> None:
    assert one_of(several) == one


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("sunglasses", "sunglasses"), ("french fries", "french fries"), ("tomato", "tomatoes"),
        ("roller skates", "roller skates"), ("lens", "lenses"), ("glass", "glasses"),
        ("camera", "cameras"), ("watch", "watches"), ("hot dog", "hot dogs"),
    ],
)  # fmt: skip
def test_many(one: str, many: str) -> None:
    assert plural(one) == many


NOUNS = ("apple", "box", "mushroom", "lorry", "knife", "ring", "boat", "camper-van", "child")


@given(st.sampled_from(NOUNS))
def test_the_one_of_a_plural_is_the_thing(noun: str) -> None:
    assert one_of(plural(noun)).split(" ")[1] == noun


@pytest.mark.parametrize(
    ("find", "paint"),
    [
        ("the mug", "a blue mug"), ("the big red mug left of the box", "a blue mug"),
        ("the orange", "a dark green orange"), ("the closest apple", "a navy blue apple"),
        ("the black and white cat", "a gray cat"), ("both left mugs", "blue mugs"),
        ("the cat and the dog", "a red cat and a red dog"), ("My Car", " a bright  red car. "),
        ("the mug on the table", "a red mug on the table"), ("the big car", "a big red car"),
        ("the glass of water", "a red glass of water"), ("the shiny mug", "a shiny red mug"),
    ],
)  # fmt: skip
def test_the_same_in_another_colour(find: str, paint: str) -> None:
    assert only_recoloured(find, paint)


@pytest.mark.parametrize(
    ("find", "paint"),
    [
        ("the mug", "a mug"), ("the mug", "a blue bottle"), ("the lemon", "an orange"),
        ("the car", "a red sports car"), ("the cat and the dog", "a red dog"), ("the mug", ""),
        ("the mug", "a blue mug and a red cat"), ("the region", "a blue mug"),
        ("the mug on the blue table", "a mug on a red table"), ("the mug", "a big blue mug"),
        ("the mug", "a blue mug with a cat on it"), ("the dog", "a black dog lying down"),
        ("the glass of water", "a red glass of wine"), ("the mug", "three blue mugs"),
        ("both mugs", "a blue mug"), ("the hot dog", "a brown dog"), ("the toy car", "a red car"),
        ("", ""), ("the mug", "red"),
    ],
)  # fmt: skip
def test_more_than_another_colour(find: str, paint: str) -> None:
    assert not only_recoloured(find, paint)


@given(
    st.sampled_from(NOUNS), st.sampled_from(("red", "dark blue", "black and white", "navy blue"))
)
def test_a_thing_that_is_turned_another_colour_is_recoloured(noun: str, colour: str) -> None:
    for place in ("left", "closest", "second"):
        for find in (f"the {place} {noun}", f"the {place} small green {noun} behind the cat"):
            assert only_recoloured(find, recoloured(find, colour))
    assert only_recoloured(f"both {plural(noun)}", recoloured(f"both {plural(noun)}", colour))


def test_long_runs_of_colours_are_read_at_once() -> None:
    assert not only_recoloured("the mug", "navy-" * 57 + "x mug")
    assert not only_recoloured("the mug", "navy blue " * 25 + "navy-")


def test_a_navy_mug_and_a_navy_blue_one_are_mugs() -> None:
    for colour in ("navy", "navy blue"):
        assert recoloured(f"the {colour} mug", "red") == "a red mug"


def test_some_of_what_is_not_counted_stays_some_in_another_colour() -> None:
    assert recoloured("some grass", "red") == "some red grass"
    assert recoloured("some mugs", "red") == "red mugs"
    assert only_recoloured("some grass", "some red grass")
