"""One thing or several, as a phrase has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lr_edit.phrase import names_several, one_of
from lr_edit.plurals import plural


@pytest.mark.parametrize(
    "phrase",
    [
        "both mugs", "all girls in white", "every object", "the two cats", "oranges",
        "the girl and the lamp", "the mug, the red car and the boat", "each of the boxes",
        "the books on the table", "3 apples", "these people",
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
