"""What is learned from real pictures: squares that keep things and masks, the same every time."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data_fakes import SIZE, Drawing, Scenes, json_lines, mixture, phrase, scene
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lr_edit.data.captioned import CaptionedSamples
from lr_edit.data.folder import JsonLines
from lr_edit.data.foreign import Foreign, named_in, pool_of
from lr_edit.data.mixture import Mixture, Part, order, pattern
from lr_edit.data.opened import Stored
from lr_edit.data.phrased import PhraseSamples
from lr_edit.data.records import NOTHING, Phrase, PhraseSource, Record
from lr_edit.data.samples import ATTEMPTS
from lr_edit.data.windows import Window, around, box_of, cut_mask, cut_picture, whole
from lr_edit.errors import UserError
from lr_edit.images import to_uint8
from lr_edit.tabletop.referring import ReferringSamples

SIDE = 32
STILL: dict[str, Any] = {"side": SIDE, "cropped": 0, "gray_share": 0, "jitter": 0}

sizes = st.tuples(st.integers(1, 60), st.integers(1, 60))


@given(sizes, st.data())
def test_a_random_square_holds_the_box_and_no_more_than_it_has_to(
    size: tuple[int, int], data: st.DataObject
) -> None:
    width, height = size
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    x1, y1 = data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height))
    rng = random.Random(data.draw(st.integers(0, 99)))
    window = around(rng, width, height, (x0, y0, x1, y1))
    assert window.x <= x0 and window.y <= y0
    assert window.x + window.side >= x1 and window.y + window.side >= y1
    assert window.side <= max(size)
    for start, length in ((window.x, width), (window.y, height)):
        if window.side <= length:
            assert 0 <= start <= length - window.side
        else:
            assert start <= 0 and start + window.side >= length


@given(sizes, st.integers(0, 9), st.integers(1, 40))
def test_cut_masks_and_pictures_agree(size: tuple[int, int], seed: int, side: int) -> None:
    width, height = size
    mask = np.random.default_rng(seed).random((height, width)) < 0.3
    mask[height // 2, width // 2] = True
    window = around(random.Random(seed), width, height, box_of(mask))
    cut = cut_mask(mask, window, side)
    assert cut.shape == (side, side) and cut.any()
    inside = cut_mask(np.ones_like(mask), window, side)
    assert (inside | ~cut).all(), "a mask lies in the picture"
    image = Image.fromarray(np.full((height, width, 3), 255, dtype=np.uint8))
    assert ((cut_picture(image, window, side)[0] > 0.9) == inside).all()


def test_a_square_of_the_same_size_changes_nothing() -> None:
    image, mask, _ = scene(1, (32, 32))
    window = whole(32, 32)
    assert window == Window(0, 0, 32)
    shown = to_uint8(cut_picture(image, window, 32)[None])[0]
    assert (shown.numpy() == np.asarray(image)).all()
    assert (cut_mask(mask, window, 32).numpy() == mask).all()


def test_whole_pictures_keep_their_shape_and_have_gray_beside_them() -> None:
    image, mask, _ = scene(1, (64, 32))
    shown, cut = cut_picture(image, whole(64, 32), 64), cut_mask(mask, whole(64, 32), 64)
    assert (shown[:, :16] == 0).all() and (shown[:, 48:] == 0).all()
    assert (cut[16:48].numpy() == mask).all() and not cut[:16].any() and not cut[48:].any()


def test_a_thin_thing_stays_in_a_small_square() -> None:
    mask = np.zeros((200, 200), dtype=bool)
    mask[:, 77] = True
    assert cut_mask(mask, whole(200, 200), 20).any(0).nonzero().flatten().tolist() == [7]


def test_samples_have_the_form_of_the_tabletops() -> None:
    samples = PhraseSamples(mixture(Scenes(), Scenes(size=(30, 50))), 10, side=SIDE, phrases=3)
    batch = samples.collate([samples[0], samples[1]])
    assert batch["image"].shape == (2, 3, SIDE, SIDE) and batch["image"].dtype == torch.float32
    assert batch["image"].min() >= -1 and batch["image"].max() <= 1
    assert len(batch["phrases"]) == 6
    for name in ("object", "change"):
        assert batch[name].shape == (2, 3, SIDE, SIDE) and batch[name].dtype == torch.bool
    for name in ("edit", "present", "change_known"):
        assert batch[name].shape == (2, 3) and batch[name].dtype == torch.bool
    assert (batch["object"].flatten(2).any(2) == batch["present"]).all()
    assert batch["tried"] == 2 and batch["skipped"] == []
    assert set(ReferringSamples.collate([{"phrases": []}])) <= set(batch)


def test_a_sample_is_a_function_of_its_number_and_others_differ() -> None:
    first, second = (PhraseSamples(mixture(Scenes()), 40, side=SIDE) for _ in "ab")
    for k in (0, 7, 3):
        assert torch.equal(first[k]["image"], second[k]["image"])
        assert first[k]["phrases"] == second[k]["phrases"]
    assert not torch.equal(first[0]["image"], first[8]["image"])


def test_masks_lie_on_their_things_wherever_a_picture_is_cut() -> None:
    wide = Scenes(size=(90, 40))
    options = {**STILL, "side": 64, "cropped": 1}
    samples = PhraseSamples(mixture(wide), 30, phrases=2, absent_share=0, **options)
    shares = []
    for k in range(30):
        item = samples[k]
        mask, colours = item["object"][0], to_uint8(item["image"][None])[0].int()
        vivid = colours.amax(2) - colours.amin(2) > 85
        assert (mask & vivid).sum() > 0.75 * (mask | vivid).sum()
        shares.append(float(mask.float().mean()))
    assert max(shares) > 3 * min(shares), "things come in many sizes"


def test_absent_phrases_are_those_of_other_things() -> None:
    samples = PhraseSamples(mixture(Scenes(16)), 60, phrases=4, absent_share=0.5, **STILL)
    absent = 0
    for k in range(60):
        item = samples[k]
        own = {text.split()[-1] for text, here in zip_present(item) if here}
        others = {text.split()[-1] for text, here in zip_present(item) if not here}
        assert len(own) == 1 and not own & others
        absent += int((~item["present"]).sum())
        assert not item["object"][~item["present"]].any()
    assert 0.3 < absent / 240 < 0.6


def zip_present(item: dict[str, Any]) -> list[tuple[str, bool]]:
    return list(zip(item["phrases"], item["present"].tolist(), strict=True))


def test_foreign_phrases_speak_of_no_thing_that_is_there() -> None:
    texts = ("the red car", "the blue dog", "left one", "a puppy", "the guy in white")
    foreign = Foreign([Phrase(text) for text in texts])
    record = Record("a", Stored(b"", "a"), (Phrase("the red dog"),), holds=("person",))
    drawn = [foreign.absent(random.Random(k), named_in(record)) for k in range(20)]
    assert {p.text for p in drawn if p} == {"the red car"}
    assert all(p is not None and p.mask is NOTHING for p in drawn)
    assert Foreign([]).absent(random.Random(0), frozenset()) is None
    assert Foreign([]).any(random.Random(0))
    assert len(pool_of(Scenes(20, broken=(0,)), 5)) == 4


class Said(PhraseSource):
    """One picture, and phrases about its one thing."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts

    def __len__(self) -> int:
        return 1

    def record(self, number: int) -> Record:
        image, mask, _ = scene(0, (60, 30))
        phrases = tuple(Phrase(text, Drawing(mask)) for text in self.texts)
        return Record("picture", Stored(image, "picture"), phrases)


def gray(image: torch.Tensor) -> bool:
    return bool((image.amax(0) - image.amin(0)).max() < 1e-4)


def test_no_place_is_said_of_a_part_and_no_colour_of_a_gray_picture() -> None:
    options = {**STILL, "cropped": 1, "gray_share": 1}
    said = ("the left ball", "the red ball", "the ball")
    item = PhraseSamples(mixture(Said(*said)), 1, absent_share=0, **options)[0]
    assert set(item["phrases"]) == {"the ball"} and gray(item["image"])
    item = PhraseSamples(mixture(Said("the left red ball")), 1, absent_share=0, **options)[0]
    assert not gray(item["image"])
    assert (item["image"][:, 0] == 0).all(), "the whole picture, with a rim"


def test_broken_records_are_replaced_by_the_same_others() -> None:
    broken = PhraseSamples(mixture(Scenes(8, broken=(2, 5))), 8, **STILL)
    items = [broken[k] for k in range(8)]
    skips = [s for item in items for s in item["skipped"]]
    assert {f"scene {k}" for k in (2, 5)} == {example for _, example, _ in skips}
    assert {(reason, fault) for reason, _, fault in skips} == {("damaged picture", True)}
    assert sum(item["tried"] for item in items) == 8 + len(skips)
    for k, item in enumerate(items):
        assert torch.equal(broken[k]["image"], item["image"])
    given_up = PhraseSamples(mixture(Scenes(4, broken=range(4))), 8, **STILL)[0]
    assert given_up["tried"] == len(given_up["skipped"]) == ATTEMPTS
    assert given_up["image"].shape == (3, SIDE, SIDE)
    assert given_up.keys() == items[0].keys()


def test_empty_masks_and_pictures_without_masks_are_skipped() -> None:
    class Empty(Said):
        def record(self, number: int) -> Record:
            nothing = Drawing(np.zeros(SIZE[::-1], dtype=bool))
            picture = Stored(scene(0)[0], "picture")
            return Record("picture", picture, tuple(Phrase(t, nothing) for t in self.texts))

    for source, reason in ((Empty("a dog"), "empty mask"), (Said(), "no phrase with a mask")):
        item = PhraseSamples(mixture(source), 1, **STILL)[0]
        assert {skip[0] for skip in item["skipped"]} == {reason}


def test_captions_are_cut_into_noun_phrases_and_no_mask_is_looked_at(tmp_path: Path) -> None:
    source = JsonLines(str(json_lines(tmp_path)))
    for k in range(4):
        (tmp_path / f"{k}_mask.png").unlink(missing_ok=True)
    samples = CaptionedSamples(mixture(source), 8, side=SIDE, phrases=2)
    batch = samples.collate([samples[k] for k in range(8)])
    assert batch["image"].shape == (8, 3, SIDE, SIDE) and not batch["edit"].any()
    assert len(batch["phrases"]) == len(batch["prompts"]) == 16
    assert set(batch) == {"image", "phrases", "prompts", "edit", "tried", "skipped"}
    assert set(batch["phrases"]) <= {*(phrase(k) for k in range(4)), "a hill", "a cloud"}
    assert "the zebra" not in batch["phrases"]


def test_a_mixture_takes_every_record_once_before_any_twice() -> None:
    mixed = Mixture([Part(Scenes(6), 2), Part(Scenes(3))])
    assert mixed.pattern == pattern([2, 1]) == [0, 1, 0]
    places = [mixed.place(k) for k in range(9)]
    assert sorted(places) == [(0, n) for n in range(6)] + [(1, n) for n in range(3)]
    again = [mixed.place(k) for k in range(9, 18)]
    assert sorted(again) == sorted(places) and again != places
    assert sorted(order(50, 1, 2)) == list(range(50)) and order(50, 1, 2) is order(50, 1, 2)
    assert pattern([1, 4, 2]).count(1) == 4


def test_mistakes_in_a_mixture() -> None:
    with pytest.raises(UserError, match="at least one, none under 1"):
        Mixture([Part(Scenes(), 0)])
    with pytest.raises(UserError, match="Scenes among the data has no records"):
        Mixture([Part(Scenes(0))])
