"""Crops around one thing, and the regions an inpainting model learns to paint into."""

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lr_edit.errors import UserError
from lr_edit.tabletop.cache import RenderedScenes, rendered
from lr_edit.tabletop.crops import EMPTY_PROMPTS, InpaintingCrops
from lr_edit.tabletop.given_regions import (
    edit_region,
    held_region,
    joined_region,
    pasted,
    roomy_region,
)
from lr_edit.tabletop.visible import noun_at, visible_things

SIDE = 32


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> RenderedScenes:
    return rendered("train", 4, 64, tmp_path_factory.mktemp("scenes"))


@st.composite
def footprints(draw: st.DrawFn) -> torch.Tensor:
    x0, y0 = (draw(st.integers(0, SIDE - 6)) for _ in "xy")
    w, h = (draw(st.integers(2, 10)) for _ in "wh")
    mask = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    mask[y0 : y0 + h, x0 : x0 + w] = True
    return mask


@given(footprints(), st.integers(0, 10_000))
def test_a_region_holds_all_of_the_thing(footprint: torch.Tensor, seed: int) -> None:
    rng = random.Random(seed)
    assert not (footprint & ~roomy_region(footprint, rng)).any()
    assert not (footprint & ~edit_region(footprint, footprint.T, rng)).any()
    for region in (held_region, joined_region):
        assert not (footprint & ~region(footprint, footprint.T, ~footprint, rng)).any()


def test_a_roomy_region_is_often_much_longer_than_the_thing() -> None:
    footprint = torch.zeros(64, 64, dtype=torch.bool)
    footprint[28:36, 28:36] = True
    longer = []
    for seed in range(60):
        region = roomy_region(footprint, random.Random(seed))
        longer.append(max(int(region.any(0).sum()), int(region.any(1).sum())) / 8)
    assert sum(length > 2.5 for length in longer) > 15


def test_a_held_thing_stands_in_the_outline_of_another() -> None:
    """A tall thing where a wide one stood: the region is as wide as that, and as tall as this."""
    tall, wide, nothing = (torch.zeros(64, 64, dtype=torch.bool) for _ in range(3))
    tall[20:44, 28:36] = True
    wide[30:36, 20:44] = True
    for seed in range(20):
        region = held_region(tall, wide, nothing, random.Random(seed))
        rows, columns = int(region.any(1).sum()), int(region.any(0).sum())
        assert rows >= 24 and columns > 40 and region[20:44].any(1).all()
        assert region.sum() > 3 * tall.sum()


def test_a_joined_region_has_the_outlines_of_both() -> None:
    tall, wide, nothing = (torch.zeros(64, 64, dtype=torch.bool) for _ in range(3))
    tall[20:44, 28:36] = True
    wide[30:36, 20:52] = True
    for seed in range(20):
        region = joined_region(tall, wide, nothing, random.Random(seed))
        assert region[18:46, 30:34].all() and not region[20:30, [18, 46]].any()  # narrow above
        assert 24 <= int(region.any(0).sum()) <= 54  # as wide below as the other, less or more
        assert torch.equal(region, joined_region(tall, wide, nothing, random.Random(seed)))


def test_what_else_stands_there_is_painted_over_at_its_rim_alone() -> None:
    thing, other, taken = (torch.zeros(64, 64, dtype=torch.bool) for _ in range(3))
    thing[28:36, 20:28] = True
    other[24:40, 16:48] = True
    taken[:, 34:] = True
    for seed in range(20):
        for region in (held_region, joined_region):
            assert not region(thing, other, taken, random.Random(seed))[:, 34 + 6 :].any()


def test_shapes_are_pasted_as_far_as_they_lie_inside() -> None:
    shape = torch.ones(2, 2, dtype=torch.bool)
    assert int(pasted(shape, (-2, -2, 2, 2), 8).sum()) == 4
    assert not pasted(shape, (9, 0, 12, 3), 8).any()
    assert pasted(shape, (1, 2, 7, 4), 8)[2:4, 1:7].all()


def test_a_sample_is_a_function_of_its_number(scenes: RenderedScenes) -> None:
    first, second = (InpaintingCrops(scenes, 50, side=SIDE, held_share=0.4) for _ in "ab")
    for index in (3, 17):
        a, b = first[index], second[index]
        assert a["text"] == b["text"] and torch.equal(a["image"], b["image"])
        assert torch.equal(a["mask"], b["mask"])


def test_shares_of_null_prompts_and_of_empty_tables_are_kept(scenes: RenderedScenes) -> None:
    items = [InpaintingCrops(scenes, 200, side=SIDE, null_share=0.5)[k] for k in range(200)]
    empty = sum(item["text"] in EMPTY_PROMPTS for item in items)
    assert 0.35 < sum(item["text"] == "" for item in items) / 200 < 0.65
    assert 0 < empty < 20
    assert all(item["mask"].any() for item in items)


def test_nouns_are_shown_as_often_as_is_said(scenes: RenderedScenes) -> None:
    things = visible_things(scenes)
    noun = noun_at(scenes, *things[0])
    shown = InpaintingCrops(scenes, 1, side=SIDE, often={noun: 3}).things
    assert set(shown) == set(things)
    for place in things:
        assert shown.count(place) == (3 if noun_at(scenes, *place) == noun else 1)


def test_nouns_are_those_of_the_scene(scenes: RenderedScenes) -> None:
    for index, instance in visible_things(scenes)[:20]:
        assert noun_at(scenes, index, instance) == scenes.scene(index).things[instance - 1].noun


@pytest.mark.parametrize("often", [{"bocks": 2}, {"box": 0}])
def test_what_is_no_noun_cannot_be_shown_more_often(
    scenes: RenderedScenes, often: dict[str, int]
) -> None:
    with pytest.raises(UserError, match="whole number from 1 on"):
        InpaintingCrops(scenes, 1, side=SIDE, often=often)
