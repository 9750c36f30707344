"""Edits change what they say and nothing else; their words are read independently."""

import random
import re
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tabletop_reader import fitting, read

from lr_edit.instruction import parse
from lr_edit.tabletop.edits import KINDS, SceneEdit, sample_edit
from lr_edit.tabletop.language import phrases
from lr_edit.tabletop.masks import edit_mask, object_mask
from lr_edit.tabletop.render import BACKDROP_CLASS, SURFACE_CLASS, render
from lr_edit.tabletop.scene import NATURAL, UNSEEN_PAIRS, sample_scene, screen_position
from lr_edit.tabletop.words import BACKDROP_NAMES, SURFACE_WORDS

CHANGES = {"replace": {"noun", "colour"}, "recolour": {"colour"}, "move": {"x", "y"}}


def edits(kind: str, count: int = 120) -> list[SceneEdit]:
    """The edits of a kind that `count` scenes admit."""
    found = (sample_edit(sample_scene(f"edits {i}"), random.Random(i), kind) for i in range(count))
    return [edit for edit in found if edit is not None]


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_edited_thing_differs(kind: str) -> None:
    found = edits(kind)
    assert len(found) > 15
    for edit in found:
        source, target = edit.source, edit.target
        assert edit.kind == kind and source != target
        if kind != "background":
            assert replace(source, things=()) == replace(target, things=())
        else:
            assert source.things == target.things
        one, other = list(source.things), list(target.things)
        if edit.source_index is not None:
            before = one.pop(edit.source_index)
        if edit.target_index is not None:
            after = other.pop(edit.target_index)
        assert one == other
        if kind in CHANGES:
            assert edit.source_index == edit.target_index
            differing = {k for k, v in vars(before).items() if v != getattr(after, k)}
            assert differing and differing <= CHANGES[kind]
            assert kind != "replace" or "noun" in differing


@pytest.mark.parametrize("kind", ["replace", "recolour", "remove", "move"])
def test_the_phrase_finds_the_edited_thing(kind: str) -> None:
    for edit in edits(kind):
        assert read(edit.source, edit.find) == {edit.source_index}, edit.find
        assert edit.find in edit.instruction


@pytest.mark.parametrize("kind", ["replace", "recolour", "add", "move"])
def test_the_painted_thing_is_as_the_words_say(kind: str) -> None:
    for edit in edits(kind):
        assert edit.target_index in fitting(edit.target, edit.paint), edit.paint
        thing = edit.target.things[edit.target_index or 0]
        if kind == "replace" and thing.colour not in edit.paint:
            assert thing.colour == NATURAL[thing.noun]


@given(st.integers(0, 10**9), st.sampled_from(["replace", "recolour", "remove"]))
def test_instructions_are_understood(seed: int, kind: str) -> None:
    edit = sample_edit(sample_scene(seed), random.Random(seed), kind)
    if edit is None:
        return
    heard = parse(edit.instruction)
    assert heard.find == edit.find.lower()
    if kind == "recolour":
        assert edit.target.things[edit.target_index or 0].colour in heard.paint
    else:
        assert re.sub("^an? ", "", heard.paint) == re.sub("^an? ", "", edit.paint.lower())


def test_moved_and_added_things_stand_where_the_words_say() -> None:
    sides = {"left": (0, -1), "right": (0, 1), "behind": (2, 1), "in front": (2, -1)}
    told = 0
    for edit in edits("move") + edits("add"):
        places = edit.instruction.removeprefix(f"move {edit.find}").removeprefix(f"put {edit.find}")
        match = re.fullmatch(
            r".*?(?: to the)? (left|right|behind|in front)(?: of)? (the .+)", places
        )
        if match is None:
            assert edit.kind == "add"
            continue
        (mark,) = read(edit.source, match[2])
        axis, sign = sides[match[1]]
        thing, other = (
            screen_position(edit.target, edit.target.things[i])
            for i in (edit.target_index or 0, mark)
        )
        assert sign * (thing[axis] - other[axis]) > 0.1
        told += 1
    assert told > 30


def test_results_show_held_out_pairs_only_when_asked() -> None:
    def shown(kind: str, unseen: bool) -> set[tuple[str, str]]:
        return {
            (thing.colour, thing.noun)
            for i in range(150)
            if (edit := sample_edit(sample_scene(i), random.Random(i), kind, unseen))
            for thing in edit.target.things
        }

    for kind in ("replace", "recolour", "add"):
        assert not shown(kind, False) & UNSEEN_PAIRS
    assert shown("replace", True) & UNSEEN_PAIRS
    assert not {(colour, noun) for noun, colour in NATURAL.items()} & UNSEEN_PAIRS


def test_every_phrase_covers_pixels() -> None:
    scenes = [sample_scene(f"pixels {i}", spacing=0.6) for i in range(12)]
    rendering = render(scenes, 64)
    for number, scene in enumerate(scenes):
        for phrase in phrases(scene, random.Random(number)):
            targets: list[tuple[int, ...]] = [()] * len(scenes)
            targets[number] = phrase.targets
            mask = object_mask(rendering, targets)
            shown = set((rendering.instances[number][mask[number, 0] > 0] - 1).tolist())
            assert shown == set(phrase.targets)
            assert mask.sum() == mask[number].sum()


def alone(index: int | None) -> tuple[int, ...]:
    return () if index is None else (index,)


@pytest.mark.parametrize("kind", ["replace", "remove", "recolour", "add", "move"])
def test_the_edit_mask_is_where_the_thing_was_and_is(kind: str) -> None:
    found = edits(kind, 12)[:3]
    source = render([e.source for e in found], 64)
    target = render([e.target for e in found], 64)
    mask = edit_mask(source, target)
    assert mask.shape == (len(found), 1, 64, 64) and set(mask.unique().tolist()) == {0.0, 1.0}
    before = object_mask(source, [alone(e.source_index) for e in found])
    after = object_mask(target, [alone(e.target_index) for e in found])
    things = torch.maximum(before, after)
    inside = (mask * things).sum((1, 2, 3)) / things.sum((1, 2, 3))
    assert (inside > 0.3).all(), inside
    if kind == "recolour":
        assert torch.equal(before, after)
    assert ((1 - mask) * (target.images - source.images).abs()).max() <= 2 * 6 / 255


def test_the_order_of_things_changes_no_pixel() -> None:
    edit = edits("remove", 20)[3]
    scene = sample_scene("edits 3")
    assert sorted(map(str, edit.source.things)) == sorted(map(str, scene.things))
    assert not edit_mask(render([edit.source], 48), render([scene], 48)).any()


def test_background_edits_say_what_changes() -> None:
    names: dict[str, set[str]] = {"the table": set(), "the background": set()}
    for edit in edits("background"):
        source, target = edit.source, edit.target
        differing = {k for k, v in vars(source).items() if v != getattr(target, k)}
        assert differing == {"surface" if edit.find == "the table" else "backdrop"}
        if edit.find == "the table":
            assert f"on {edit.paint}" in SURFACE_WORDS[target.surface]
        else:
            assert edit.paint == BACKDROP_NAMES[target.backdrop]
        assert edit.source_index is None and edit.target_index is None
        heard = parse(edit.instruction)
        assert (heard.find, heard.paint) == (edit.find, edit.paint)
        names[edit.find].add(edit.paint)
    assert all(len(painted) > 4 for painted in names.values())


@pytest.mark.parametrize("find", ["the table", "the background"])
def test_background_edits_touch_no_thing(find: str) -> None:
    found = [e for e in edits("background", 30) if e.find == find][:3]
    source, target = (render(s, 64) for s in ([e.source for e in found], [e.target for e in found]))
    for name in ("instances", "classes", "shadows", "depth"):
        assert torch.equal(getattr(source, name), getattr(target, name)), name
    difference = (target.images - source.images).abs().amax(1)
    # Every ray by itself: a pixel at a border is mixed of what its four rays meet.
    rays = render([e.source for e in found], 128, samples=1)
    kind = SURFACE_CLASS if find == "the table" else BACKDROP_CLASS
    share = torch.nn.functional.avg_pool2d((rays.classes == kind)[:, None].float(), 2)[:, 0]
    within = (source.instances > 0) & (share == 0)
    assert within.sum() > 100 and difference[within].max() == 0
    assert difference[share == 0].max() == 0
    mask = edit_mask(source, target)[:, 0]
    assert mask[share == 1].mean() > 0.5 and not mask[share == 0].any()
    assert ((1 - mask) * difference).max() <= 2 * 6 / 255
