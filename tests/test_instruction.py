import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lr_edit.errors import UserError
from lr_edit.instruction import Instruction, check_phrase, parse
from lr_edit.phrase import indefinite, recoloured

PATIENT = settings(deadline=None)  # a busy machine is no failure

UNDERSTOOD = {
    "replace the red apple with an orange": ("the red apple", "an orange"),
    "Replace the football by the orange.": ("the football", "an orange"),
    "swap the truck for a camper van": ("the truck", "a camper van"),
    "exchange the girl for the boy": ("the girl", "a boy"),
    "turn the cat into a dog": ("the cat", "a dog"),
    "change the girl to a boy": ("the girl", "a boy"),
    "make the cat a dog": ("the cat", "a dog"),
    "make the cat into my dog!": ("the cat", "a dog"),
    "turn the sofa red": ("the sofa", "a red sofa"),
    "make the big green sofa dark blue": ("the big green sofa", "a big dark blue sofa"),
    "turn the sofa to red": ("the sofa", "a red sofa"),
    "change the color of the car to black and white": ("the car", "a black and white car"),
    "paint my old car orange": ("my old car", "an old orange car"),
    "make the orange blue": ("the orange", "a blue orange"),
    "make the orange mug blue": ("the orange mug", "a blue mug"),
    "please turn the second apple from the left yellow": (
        "the second apple from the left",
        "a yellow apple",
    ),
    "make the cat and the dog green": ("the cat and the dog", "a green cat and a green dog"),
    "remove the cup": ("the cup", ""),
    "Erase the cup from the picture, please": ("the cup", ""),
    "delete the cup on the table": ("the cup on the table", ""),
    "the apple -> an orange": ("the apple", "an orange"),
    "football → orange": ("football", "an orange"),
    "the truck=>the camper van": ("the truck", "a camper van"),
    "the sofa -> red": ("the sofa", "a red sofa"),
    # A separator may be part of a phrase.
    "replace the man with the hat with a dog": ("the man with the hat", "a dog"),
    "replace the apple with a mug with a handle": ("the apple", "a mug with a handle"),
    'replace "the apple with a leaf" with “an orange”': ("the apple with a leaf", "an orange"),
    "make the man with a hat a dog": ("the man with a hat", "a dog"),
    "change the cup next to the box to the dog": ("the cup next to the box", "a dog"),
    "change the cup to the left of the box to red": ("the cup to the left of the box", "a red cup"),
    "make the wall behind a chair green": ("the wall behind a chair", "a green wall"),
    "make the man holding a cup a robot": ("the man holding a cup", "a robot"),
    "change the car from red to blue": ("the car", "a blue car"),
    "change the colour of the car from dark red to blue": ("the car", "a blue car"),
    "paint the wall in blue": ("the wall", "a blue wall"),
    # Several.
    "turn the two cats red": ("the two cats", "red cats"),
    "make a few green apples red": ("a few green apples", "red apples"),
    # Other scripts.
    "replace 赤いりんご with オレンジ": ("赤いりんご", "オレンジ"),
}

NOT_UNDERSTOOD = (
    "the apple", "remove", "make red", "turn into a dog", "-> dog", "the apple ->", "a -> b -> c",
    "replace the apple", "replace the apple with", 'replace "" with a dog', "make the cat happy",
    "add a cat", "make it red", "make the man wear a hat", "???", "replace with with with",
)  # fmt: skip


@pytest.mark.parametrize("text", UNDERSTOOD)
def test_parse(text):
    find, paint = UNDERSTOOD[text]
    assert parse(text) == Instruction(find, paint)
    assert parse(f"  {text.upper()} ") == Instruction(find, paint)


@pytest.mark.parametrize("text", NOT_UNDERSTOOD)
def test_what_is_not_understood_shows_the_forms(text):
    with pytest.raises(UserError, match=r"'replace X with Y'.*'X -> Y'") as error:
        parse(text)
    assert "\n" not in str(error.value)


ADJECTIVES = st.sampled_from(["", "red ", "shiny ", "small blue ", "old "])
NOUNS = st.sampled_from(["apple", "camper van", "orange", "glass", "dog", "umbrella"])
THINGS = st.builds("{}{}".format, ADJECTIVES, NOUNS)


@PATIENT
@given(THINGS, THINGS, st.sampled_from(["the", "a", "my", "this"]))
def test_every_form_with_two_things_says_the_same(one, other, article):
    found = f"the {one}"
    wanted = Instruction(found, indefinite(f"the {other}"))
    other = f"{article} {other}"
    forms = (
        f"replace {found} with {other}", f"swap {found} for {other}", f"turn {found} into {other}",
        f"change {found} to {other}", f"{found} -> {other}", f'turn "{found}" into "{other}".',
    )  # fmt: skip
    for form in forms:
        form = form.replace(" a o", " an o").replace(" a u", " an u")
        assert parse(form) == wanted


@PATIENT
@given(st.text(max_size=80))
def test_any_text_is_parsed_or_refused_in_one_line(text):
    try:
        found = parse(text)
    except UserError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert found.find.strip() == found.find != ""


WORDS = ["turn", "make", "the", "a", "with", "to", "into", "red", "->", "apple", '"', "'", "and"]


@PATIENT
@given(st.lists(st.sampled_from(WORDS)))
def test_any_heap_of_words_is_parsed_or_refused(words):
    try:
        found = parse(" ".join(words))
    except UserError:
        return
    assert found.find and found.paint
    assert '"' not in found.find + found.paint


@PATIENT
@given(THINGS, st.sampled_from(["red", "orange", "dark green", "black and white"]))
def test_recolouring_twice_is_recolouring_once(thing, colour):
    once = recoloured(f"the {thing}", colour)
    assert colour in once
    assert recoloured(recoloured(f"the {thing}", "pink"), colour) == once


def test_recolouring_leaves_out_where_it_stands():
    for phrase in ("the leftmost green apple", "the apple behind the red mug", "an apple"):
        assert recoloured(phrase, "yellow") == "a yellow apple"
    assert recoloured("all the big balls", "red") == "big red balls"
    assert recoloured("the red and white ball", "blue") == "a blue ball"


def test_indefinite():
    cases = {
        "the apple": "an apple", "the hour": "an hour", "the unicorn": "a unicorn",
        "a orange": "an orange", "my cats": "cats", "the glass": "a glass", "grass": "grass",
        "all of the mugs": "mugs", "two dogs": "two dogs",
    }  # fmt: skip
    assert {phrase: indefinite(phrase) for phrase in cases} == cases


@pytest.mark.parametrize("text", ["", "  ", "\t\n", "\u200b", "\u00a0\u3000"])
def test_an_empty_phrase_is_refused(text):
    with pytest.raises(UserError, match="the prompt is empty"):
        check_phrase(text, "prompt")


@pytest.mark.parametrize("text", ["an\napple", "an\x00apple", "\x1b[31mred", "\udcff", "a\u2028b"])
def test_control_characters_are_refused_and_not_echoed(text):
    with pytest.raises(UserError, match="control") as error:
        check_phrase(text, "prompt")
    assert str(error.value).isprintable()


def test_an_overlong_phrase_is_refused():
    assert check_phrase("x" * 300, "prompt") == "x" * 300
    with pytest.raises(UserError, match="301 characters: at most 300"):
        check_phrase("x" * 301, "prompt")
    with pytest.raises(UserError, match="at most 5"):
        check_phrase("an apple", "prompt", limit=5)


@pytest.mark.parametrize("text", ["красное яблоко", "苹果", "تفاحة", "🍎", "un café très noir"])
def test_any_script_passes(text):
    assert check_phrase(f" {text}\n", "prompt") == text


def test_no_torch_is_needed():
    code = "import sys, lr_edit.instruction; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
