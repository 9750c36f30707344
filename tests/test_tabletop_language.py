"""Every phrase is true of exactly the things it names, by an independent reading of its words."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tabletop_reader import COLOURS, becoming, described, fitting, read

from lr_edit.tabletop.captions import attribute_variants, caption, describe, object_text
from lr_edit.tabletop.corpus import corpus
from lr_edit.tabletop.language import (
    EDIT_KINDS,
    KINDS,
    SINGLE_KINDS,
    phrase_for,
    phrases,
    referring,
)
from lr_edit.tabletop.matching import holds, matches, mentioned
from lr_edit.tabletop.predicates import (
    Becoming,
    Described,
    Ranked,
    Related,
    Together,
)
from lr_edit.tabletop.scene import (
    UNSEEN_PAIRS,
    Camera,
    Light,
    Scene,
    Thing,
    sample_scene,
    sample_thing,
)
from lr_edit.tabletop.words import listed, plural, with_article

SCENES = [sample_scene(f"language {i}") for i in range(250)]
seeds = st.integers(0, 10**9)


def scene_of(*things: Thing) -> Scene:
    """The things seen straight from the front."""
    return Scene(things, "wood", "gray wall", Camera(0.0, 0.5, 8.0), Light(0.5, 1.0, 0.6))


def thing(noun: str, colour: str, x: float = 0.0, y: float = 0.0, size: str = "large") -> Thing:
    return Thing(noun, colour, "matte", size, x, y, 0.0)


@pytest.mark.parametrize(
    ("kind", "needed"),
    [
        *((kind, False) for kind in KINDS),
        ("attribute", True),
        ("relation", True),
        ("ordinal", True),
    ],
)
def test_phrases_say_what_they_refer_to(kind: str, needed: bool) -> None:
    spoken = 0
    for number, scene in enumerate(SCENES):
        phrase = referring(scene, random.Random(number), kind, needed=needed)
        if phrase is None:
            continue
        spoken += 1
        assert phrase.kind == kind
        assert read(scene, phrase.text) == set(phrase.targets), phrase.text
    assert spoken > len(SCENES) / 3


@given(seeds)
def test_phrases_of_any_scene(seed: int) -> None:
    scene = sample_scene(seed)
    for phrase in phrases(scene, random.Random(seed)):
        assert read(scene, phrase.text) == set(phrase.targets), phrase.text
        count = len(phrase.targets)
        assert count == 1 if phrase.kind in SINGLE_KINDS else count != 1


@given(seeds)
def test_what_is_meant_is_among_what_the_words_fit(seed: int) -> None:
    rng = random.Random(seed)
    scene = rng.choice(SCENES)
    for phrase in phrases(scene, rng):
        noun, description, landmark = map(set, phrase.mentions)
        assert description <= noun and set(phrase.targets) <= description
        assert phrase.kind in ("relation", "absent") or not landmark
        assert not landmark & set(phrase.targets)
        if phrase.kind in ("noun", "attribute", "several"):
            assert description == set(phrase.targets)


def test_what_single_words_fit() -> None:
    scene = scene_of(thing("mug", "red", -1), thing("mug", "blue", 1), thing("lamp", "red"))
    mug, blue, lamp = Described("mug"), Described("mug", "blue"), Described("lamp")
    for predicate, expected in (
        (blue, ((0, 1), (1,), ())),
        (Related(blue, "left", lamp), ((0, 1), (1,), (2,))),
        (Related(Described("cat"), "left", mug), ((), (), (0, 1))),
        (Ranked(mug, "left"), ((0, 1), (0, 1), ())),
        (Together((blue, lamp)), ((0, 1, 2), (1, 2), ())),
        (Becoming(blue), ((0, 1), (1,), ())),
    ):
        assert mentioned(scene, predicate) == expected


@given(seeds)
def test_phrase_for_names_the_thing_asked(seed: int) -> None:
    scene = sample_scene(seed)
    for index in range(len(scene.things)):
        phrase = phrase_for(scene, random.Random(seed), index)
        assert phrase is None or read(scene, phrase.text) == {index}


def test_nearly_every_thing_can_be_named() -> None:
    found = [
        phrase_for(scene, random.Random(number), index) is not None
        for number, scene in enumerate(SCENES)
        for index in range(len(scene.things))
    ]
    assert sum(found) > 0.97 * len(found)


def test_needed_means_that_fewer_words_would_not_do() -> None:
    for number, scene in enumerate(SCENES):
        phrase = referring(scene, random.Random(number), "attribute", needed=True)
        if phrase is not None:
            _, nouns = described(phrase.text)
            assert sum(nouns is None or t.noun in nouns for t in scene.things) > 1


def test_without_colours_no_colour_is_said() -> None:
    for number, scene in enumerate(SCENES):
        for phrase in phrases(scene, random.Random(number), colours=False):
            words = re.sub(r"\boranges?\b(?! \w)", "", phrase.text)
            words = re.sub(
                r"\borange\b(?= (behind|in|left|right|to|nearest|closest|and|far|on))", "", words
            )
            assert not COLOURS & set(re.findall(r"\w+", words)) - {"orange"}, phrase.text


def test_absent_phrases_are_of_several_sorts_and_never_name_held_out_pairs() -> None:
    texts = []
    for number, scene in enumerate(SCENES):
        for attempt in range(8):
            phrase = referring(scene, random.Random(f"{number} {attempt}"), "absent")
            assert phrase is not None and phrase.targets == ()
            texts.append(phrase.text)
    held_out = re.compile("|".join(rf"\b{colour} {noun}s?\b" for colour, noun in UNSEEN_PAIRS))
    assert not [text for text in texts if held_out.search(text)]
    for sort in ("left of", "from the", "behind", "all", "red"):
        assert any(sort in text for text in texts), sort


@given(seeds, st.booleans())
def test_an_edit_prompt_means_the_one_thing_that_is_not_yet_so(seed: int, colours: bool) -> None:
    scene = sample_scene(seed)
    phrase = referring(scene, random.Random(seed), "edit_prompt", colours=colours)
    if phrase is not None:
        assert phrase.reading == "edit" and len(phrase.targets) == 1
        assert becoming(scene, phrase.text) == set(phrase.targets), phrase.text
        assert colours or not COLOURS & set(phrase.text.split())


@given(seeds)
def test_an_absent_edit_prompt_leaves_nothing_to_do(seed: int) -> None:
    scene = sample_scene(seed)
    phrase = referring(scene, random.Random(seed), "edit_absent")
    assert phrase is not None and phrase.reading == "edit" and phrase.targets == ()
    assert becoming(scene, phrase.text) == set(), phrase.text


def test_edit_prompts_are_of_several_sorts_and_never_name_held_out_pairs() -> None:
    held_out = re.compile("|".join(rf"\b{colour} {noun}\b" for colour, noun in UNSEEN_PAIRS))
    for kind, least in zip(EDIT_KINDS, (0.9, 1), strict=True):
        drawn = [referring(scene, random.Random(n), kind) for n, scene in enumerate(SCENES)]
        texts = [phrase.text for phrase in drawn if phrase is not None]
        assert len(texts) >= least * len(SCENES)
        for sort in (r"a [a-z]+ [a-z]+", "make it a .*", ".* that is .*", ".* in red", ".*shiny.*"):
            assert any(re.fullmatch(sort, text) for text in texts), sort
        assert not [text for text in texts if held_out.search(text)]
        words = re.compile(r"\b(small|large|little|big|child|kid|person|fruit|lemon|thing)\b")
        assert not [text for text in texts if words.search(text)]


def test_contradictions_never_name_held_out_pairs() -> None:
    said = 0
    for number in range(600):
        scene = sample_scene(f"train {number}")
        phrase = referring(scene, random.Random(number), "contradiction")
        if phrase is None:
            continue
        said += 1
        words = set(phrase.text.split())
        for colour, noun in UNSEEN_PAIRS:
            assert not {colour, *noun.split()} <= words, phrase.text
    assert said > 500


def test_contradictions_say_two_things_of_one_and_mean_nothing() -> None:
    drawn = [referring(scene, random.Random(n), "contradiction") for n, scene in enumerate(SCENES)]
    said = [phrase for phrase in drawn if phrase is not None]
    assert len(said) > 0.8 * len(SCENES)
    values = [
        {"shiny", "glossy"}, {"matte", "dull"}, {"small", "little"}, {"large", "big"},
        {"purple", "violet"}, *({colour} for colour in COLOURS - {"purple", "violet"}),
    ]  # fmt: skip
    excluding = {"material": range(2), "size": range(2, 4), "colour": range(4, len(values))}
    found = set()
    for phrase in said:
        words = set(phrase.text.split())
        assert phrase.targets == () and phrase.reading == "refer"
        twice = [
            n for n, group in excluding.items() if sum(bool(values[k] & words) for k in group) > 1
        ]
        assert len(twice) == 1, phrase.text
        found |= {*twice}
    assert found == set(excluding)
    assert any(any(phrase.mentions[1]) for phrase in said)
    gray = [referring(scene, random.Random(0), "contradiction", colours=False) for scene in SCENES]
    assert not COLOURS & {word for phrase in gray if phrase for word in phrase.text.split()}


def test_what_an_edit_prompt_means() -> None:
    mugs = scene_of(thing("mug", "red"), thing("mug", "blue", x=1))
    assert matches(mugs, Becoming(Described("mug", "blue"))) == (0,)
    assert matches(mugs, Becoming(Described("cup", "red"))) == (1,)
    assert matches(mugs, Becoming(Described("mug", "blue", "matte"))) == (0,)
    assert matches(mugs, Becoming(Described("mug", "green"))) == (0, 1)
    assert matches(mugs, Becoming(Described("mug", material="matte"))) == ()
    assert matches(mugs, Becoming(Described("apple", "red"))) == ()
    assert matches(scene_of(thing("truck", "red")), Becoming(Described("truck", "white"))) is None


def test_what_could_become_so_twice_is_not_asked() -> None:
    mugs = scene_of(thing("mug", "red"), thing("mug", "brown", x=1))
    for seed in range(60):
        phrase = referring(mugs, random.Random(seed), "edit_prompt")
        assert phrase is not None and {"red", "brown"} & set(phrase.text.split()), phrase


def test_synonyms_and_groups_are_heard() -> None:
    texts = " ".join(
        phrase.text for n, scene in enumerate(SCENES) for phrase in phrases(scene, random.Random(n))
    )
    for word in ("RV", "soccer ball", "fruit", "vehicle", "animal", "puppy", "cup", "violet"):
        assert word in texts


def test_what_is_arguable_is_not_said() -> None:
    close = scene_of(thing("mug", "red"), thing("box", "blue", x=0.1, y=1.5))
    assert matches(close, Related(Described("mug"), "left", Described("box"))) is None
    assert matches(close, Related(Described("mug"), "front", Described("box"))) == (0,)
    assert holds(close, "left", 0, 1) is None
    assert holds(close, "behind", 0, 1) is False
    row = scene_of(*(thing("mug", "red", x=x) for x in (-1.5, 0.0, 0.1)))
    assert matches(row, Ranked(Described("mug"), "left", 0)) == (0,)
    assert matches(row, Ranked(Described("mug"), "left", 1)) is None
    assert matches(row, Ranked(Described("mug"), "right", 2)) == (0,)
    assert matches(row, Ranked(Described("mug"), "left", 3)) == ()


def test_sizes_must_show_on_the_screen() -> None:
    clear = scene_of(thing("mug", "red", x=-1), thing("mug", "red", x=1, size="small"))
    assert matches(clear, Described("mug", size="small")) == (1,)
    far = scene_of(thing("mug", "red", y=2.2), thing("mug", "red", y=-1.7, size="small"))
    assert matches(far, Described("mug", size="small")) is None
    alone = scene_of(thing("mug", "red"))
    assert matches(alone, Described("mug", size="large")) == (0,)
    assert matches(alone, Described("mug", size="small")) is None


def test_a_part_of_another_colour_is_arguable() -> None:
    scene = scene_of(thing("truck", "red"), thing("apple", "white", x=1))
    assert matches(scene, Described("truck", "white")) is None
    assert matches(scene, Described("thing", "white")) is None
    assert matches(scene, Described("apple", "white")) == (1,)


def test_an_empty_scene_has_only_absent_phrases() -> None:
    said = phrases(scene_of(), random.Random(0))
    assert {phrase.kind for phrase in said} == {"absent"}
    assert referring(scene_of(), random.Random(0), "edit_prompt") is None
    assert referring(scene_of(), random.Random(0), "edit_absent") is not None


@given(seeds)
def test_captions_read_well(seed: int) -> None:
    rng, scene = random.Random(seed), sample_scene(seed)
    texts = [caption(scene, rng), *(object_text(thing, rng) for thing in scene.things)]
    for text in texts:
        assert text == text.strip() and "  " not in text and "{" not in text
        for article, word in re.findall(r"\b(an?) (\w+)", text):
            assert (article == "an") == (word[0] in "aeio" or word == "RV"), text


def test_describe() -> None:
    apple = Thing("apple", "red", "shiny", "small", 0, 0, 0)
    assert describe(apple) == "a small shiny red apple"
    assert describe(apple, ("colour",), article=False) == "red apple"
    assert (
        describe(Thing("girl", "pink", "matte", "large", 0, 0, 0), ["colour"]) == "a girl in pink"
    )
    assert with_article("RV") == "an RV" and with_article("orange mug") == "an orange mug"


def test_plurals_and_lists() -> None:
    words = ("mug", "box", "lorry", "puppy", "child", "snowman", "camper van", "person")
    many = ("mugs", "boxes", "lorries", "puppies", "children", "snowmen", "camper vans", "people")
    assert tuple(map(plural, words)) == many
    assert [listed(list("abc"[:n])) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]


@given(seeds)
def test_one_variant_is_right_and_each_other_differs_in_one_attribute(seed: int) -> None:
    rng = random.Random(seed)
    alone = scene_of(sample_thing(rng, rng.choice(["apple", "girl", "football", "orange"])))
    texts, right = attribute_variants(alone.things[0], rng)
    assert len(set(texts)) == 16
    assert [bool(fitting(alone, text)) for text in texts] == [i == right for i in range(16)]
    said, nouns = described(texts[right])
    for text in texts[:right] + texts[right + 1 :]:
        other, other_nouns = described(text)
        assert other.keys() == said.keys()
        assert (nouns != other_nouns) + sum(said[k] != other[k] for k in said) == 1


def test_the_corpus_holds_every_word() -> None:
    known = {word for text in corpus(scenes=0) for word in re.findall(r"\w+", text)}
    for number, scene in enumerate(SCENES):
        rng = random.Random(number)
        said = [caption(scene, rng), *(phrase.text for phrase in phrases(scene, rng))]
        said += [object_text(thing, rng) for thing in scene.things]
        for text in said:
            assert not set(re.findall(r"\w+", text)) - known, text


def test_equal_seeds_give_equal_words() -> None:
    scene = SCENES[3]
    assert phrases(scene, random.Random(5)) == phrases(scene, random.Random(5))
    assert caption(scene, random.Random(5)) == caption(scene, random.Random(5))
