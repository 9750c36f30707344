"""What a region network learns from: phrases that are true of their masks, the same every time."""

import random
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from tabletop_reader import COLOURS, becoming, read
from torch import Tensor

from lr_edit.images import to_uint8
from lr_edit.photometry import jittered
from lr_edit.tabletop.cache import RenderedScenes, rendered
from lr_edit.tabletop.edits import sample_edit
from lr_edit.tabletop.language import ABSENT_KINDS, Phrase
from lr_edit.tabletop.masks import edit_mask
from lr_edit.tabletop.pairs import RenderedPairs, rendered_pairs
from lr_edit.tabletop.predicates import MENTIONS
from lr_edit.tabletop.referring import (
    WEIGHTS,
    ReferringSamples,
    ask_pair,
    ask_scene,
    mixed_phrases,
)
from lr_edit.tabletop.render import render
from lr_edit.tabletop.scene import sample_scene
from lr_edit.tabletop.traits import TRAITS

SIZE = 48


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("referring")


@pytest.fixture(scope="module")
def scenes(folder: Path) -> RenderedScenes:
    return rendered("train", 12, SIZE, folder, processes=1)


@pytest.fixture(scope="module")
def pairs(folder: Path) -> RenderedPairs:
    return rendered_pairs("train", 6, SIZE, folder, processes=1)


def shown(numbers: np.ndarray, things: set[int]) -> np.ndarray:
    return np.isin(numbers, [i + 1 for i in things])


def asked_of(scenes: RenderedScenes, seed: int) -> int:
    """The number of the scene that `ask_scene` asks about first."""
    return random.Random(seed).randrange(len(scenes))


def meaning(scene: object, phrase: Phrase) -> set[int]:
    return (becoming if phrase.reading == "edit" else read)(scene, phrase.text)  # type: ignore[operator]


def test_masks_of_a_scene_are_what_the_words_say(scenes: RenderedScenes) -> None:
    for seed in range(40):
        asked = ask_scene(scenes, random.Random(seed), 5)
        index = random.Random(seed).randrange(len(scenes))
        assert np.array_equal(asked.pixels, scenes.images[index])
        for phrase, mask, change in zip(asked.phrases, asked.objects, asked.change, strict=True):
            things = meaning(scenes.scene(index), phrase)
            silhouettes = shown(scenes.instances[index], things)
            assert np.array_equal(mask, silhouettes), phrase.text
            cast = shown(scenes.shadows[index], things if phrase.reading == "refer" else set())
            assert np.array_equal(change, silhouettes | cast)
        assert asked.known.all()


def test_a_wish_in_a_scene_says_what_changes_only_if_the_thing_stays(
    scenes: RenderedScenes,
) -> None:
    told = 0
    for seed in range(40):
        asked = ask_scene(scenes, random.Random(seed), 5, wish_share=1.0)
        for k, phrase in enumerate(asked.phrases):
            if phrase.reading == "edit":
                assert asked.known[k] and asked.paints[k] == ""
                continue
            assert asked.paints[k]
            if asked.known[k]:
                told += 1
                assert np.array_equal(asked.change[k], asked.objects[k])
    assert told > 20


def test_what_nothing_is_wished_for_is_known_as_ever(scenes: RenderedScenes) -> None:
    shadows = 0
    for seed in range(40):
        asked = ask_scene(scenes, random.Random(seed), 5, wish_share=0.5)
        for k, phrase in enumerate(asked.phrases):
            if phrase.reading == "refer" and not asked.paints[k]:
                cast = shown(scenes.shadows[asked_of(scenes, seed)], set(phrase.targets))
                assert asked.known[k]
                assert np.array_equal(asked.change[k], asked.objects[k] | cast)
                shadows += bool(cast.any())
    assert shadows > 20


def test_in_a_scene_the_change_is_nearly_what_taking_things_away_changes() -> None:
    drawn = (sample_edit(sample_scene(f"away {i}"), random.Random(i), "remove") for i in range(9))
    edits = [edit for edit in drawn if edit is not None]
    source = render([edit.source for edit in edits])
    difference = edit_mask(source, render([edit.target for edit in edits]))[:, 0] > 0
    for n, edit in enumerate(edits):
        number = (edit.source_index or 0) + 1
        silhouette = source.instances[n] == number
        exact, ours = difference[n] | silhouette, silhouette | (source.shadows[n] == number)
        assert (ours & exact).sum() > 0.98 * ours.sum()
        assert (ours & exact).sum() > 0.85 * exact.sum()


def test_in_a_pair_the_first_phrase_has_the_exact_difference(pairs: RenderedPairs) -> None:
    for seed in range(30):
        asked = ask_pair(pairs, random.Random(seed), 4)
        index = random.Random(seed).randrange(len(pairs))
        edit = pairs.edit(index)
        assert asked is not None and read(edit.source, asked.phrases[0].text) == {edit.source_index}
        assert np.array_equal(asked.change[0], pairs.change[index] > 0)
        for phrase, paint, known in zip(asked.phrases, asked.paints, asked.known, strict=True):
            same = phrase.targets == (edit.source_index,) and phrase.reading == "refer"
            assert known == same and paint == (edit.paint if same else "")
        for phrase, mask in zip(asked.phrases, asked.objects, strict=True):
            things = meaning(edit.source, phrase)
            assert np.array_equal(mask, shown(pairs.instances[index], things)), phrase.text


def test_phrases_are_mixed_and_no_two_alike() -> None:
    kinds: Counter[str] = Counter()
    for seed in range(150):
        said = mixed_phrases(sample_scene(seed), random.Random(seed), 6)
        assert len({(phrase.text, phrase.reading) for phrase in said}) == 6
        kinds.update(phrase.kind for phrase in said)
    rare = 0.015 * kinds.total()
    assert set(kinds) == set(WEIGHTS) and kinds["contradiction"] > rare
    assert min(count for kind, count in kinds.items() if kind != "contradiction") > 2 * rare
    absent = sum(kinds[kind] for kind in ABSENT_KINDS)
    assert 0.15 < absent / kinds.total() < 0.35


def test_scenes_that_admit_little_are_asked_about_all_the_same() -> None:
    alone = sample_scene("alone", count=1)
    said = mixed_phrases(alone, random.Random(0), 12)
    assert len({(phrase.text, phrase.reading) for phrase in said}) == 12
    assert not {"several", "ordinal"} & {phrase.kind for phrase in said}


def test_gray_pictures_are_gray_and_no_colour_is_said(
    scenes: RenderedScenes, pairs: RenderedPairs
) -> None:
    samples = ReferringSamples(scenes, 40, pairs=pairs, pair_share=0.5, gray_share=1.0)
    for index in range(40):
        item = samples[index]
        assert torch.equal(item["image"], item["image"][:1].expand(3, -1, -1))
        assert not item["edit"].any()
        for text in item["phrases"]:
            words = re.findall(r"\w+", text)
            words = [w for w, after in zip(words, [*words[1:], ""], strict=True) if w != "orange"]
            assert not COLOURS & set(words), text


def test_an_item_says_what_every_thing_is(scenes: RenderedScenes) -> None:
    samples = ReferringSamples(scenes, 40, gray_share=0.5)
    for index in range(20):
        rng = random.Random(f"referring {index}")
        gray = rng.random() < 0.5
        asked = ask_scene(scenes, rng, samples.phrases, not gray, samples.wish_share)
        item, seen = samples[index], asked.instances
        assert (item["traits"][:, seen == 0] == 0).all() and not item["middle"][:, seen == 0].any()
        for number, thing in enumerate(asked.scene.things, 1):
            values = item["traits"][:, seen == number]
            for (name, known), value in zip(TRAITS.items(), values, strict=True):
                hidden = gray and name == "colour"
                expected = 0 if hidden else known.index(getattr(thing, name)) + 1
                assert (value == expected).all()
            rows, columns = np.nonzero(seen == number)
            for axis, way in zip((columns, rows), item["middle"][:, seen == number], strict=True):
                end = torch.from_numpy(axis) + SIZE * way
                assert torch.allclose(end, torch.tensor((axis.min() + axis.max()) / 2).float())


def test_an_item_says_what_the_single_words_of_its_phrases_fit(scenes: RenderedScenes) -> None:
    samples = ReferringSamples(scenes, 40, gray_share=0.0)
    for index in range(20):
        rng = random.Random(f"referring {index}")
        rng.random()
        asked = ask_scene(scenes, rng, samples.phrases, wish_share=samples.wish_share)
        shown = samples[index]["mentions"]
        for phrase, maps in zip(asked.phrases, shown, strict=True):
            for things, drawn in zip(phrase.mentions, maps, strict=True):
                expected = np.isin(asked.instances, [i + 1 for i in things])
                assert np.array_equal(drawn.numpy(), expected)


def test_an_item_is_a_function_of_its_number(scenes: RenderedScenes, pairs: RenderedPairs) -> None:
    one, other = (ReferringSamples(scenes, n, pairs=pairs) for n in (10, 2**40))
    for index in (7, 0, 7):
        for name, value in one[index].items():
            same = other[index][name]
            assert torch.equal(value, same) if isinstance(value, Tensor) else value == same
    assert one[1]["phrases"] != one[2]["phrases"]


def test_items_and_batches_have_the_shapes_that_they_promise(
    scenes: RenderedScenes, pairs: RenderedPairs
) -> None:
    samples = ReferringSamples(scenes, 30, phrases=3, pairs=pairs)
    items = [samples[index] for index in range(30)]
    batch = ReferringSamples.collate(items)
    shapes = {name: tuple(v.shape) for name, v in batch.items() if isinstance(v, Tensor)}
    masks = (30, 3, SIZE, SIZE)
    assert shapes == {
        "image": (30, 3, SIZE, SIZE), "object": masks, "change": masks, "edit": (30, 3),
        "present": (30, 3), "change_known": (30, 3), "middle": (30, 2, SIZE, SIZE),
        "traits": (30, len(TRAITS), SIZE, SIZE), "mentions": (30, 3, len(MENTIONS), SIZE, SIZE),
    }  # fmt: skip
    assert batch["image"].dtype == torch.float32 and batch["image"].abs().max() <= 1
    assert batch["object"].dtype == batch["present"].dtype == torch.bool
    for texts in ("phrases", "paints"):
        assert batch[texts][3 * 4 : 3 * 5] == items[4][texts]
    assert torch.equal(batch["object"].flatten(2).any(-1), batch["present"])
    assert (batch["change"] >= batch["object"])[batch["change_known"]].all()
    assert batch["edit"].any() and not batch["change_known"].all()


def test_shares_are_kept(scenes: RenderedScenes, pairs: RenderedPairs) -> None:
    samples = ReferringSamples(
        scenes, 200, pairs=pairs, pair_share=0.5, gray_share=0.25, wish_share=0.0
    )
    items = [samples[index] for index in range(200)]
    gray = sum(torch.equal(item["image"][0], item["image"][1]) for item in items)
    paired = sum(not item["change_known"].all() for item in items)
    assert 30 <= gray <= 70 and 75 <= paired <= 125
    plain = ReferringSamples(scenes, 200, wish_share=0.0)
    assert all(plain[index]["change_known"].all() for index in range(20))


def test_without_jitter_pictures_are_as_rendered(scenes: RenderedScenes) -> None:
    samples = ReferringSamples(scenes, 5, gray_share=0.0, jitter=0.0)
    pictures = {to_uint8(samples[i]["image"][None])[0].numpy().tobytes() for i in range(5)}
    assert pictures <= {scenes.images[i].tobytes() for i in range(len(scenes))}


def test_jitter_keeps_the_order_of_the_channels_and_stays_small() -> None:
    image = torch.rand(3, 16, 16) * 1.4 - 0.7
    for seed in range(20):
        out = jittered(image, random.Random(seed), 0.12)
        assert torch.equal(out.argsort(0), image.argsort(0))
        assert 0 < (out - image).abs().max() < 0.45
    spreads = {
        round(float((out.amax(0) - out.amin(0)).mean() / out.std()), 3)
        for out in (jittered(image, random.Random(seed), 0.12) for seed in range(5))
    }
    assert len(spreads) == 5  # saturation is other than contrast alone
