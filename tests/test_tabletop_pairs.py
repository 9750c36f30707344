"""Rendered edit pairs: the same for everyone, visible, and exact in what they change."""

from pathlib import Path

import numpy as np
import pytest

from lr_edit.images import to_uint8
from lr_edit.tabletop.arrays import CHUNK, write
from lr_edit.tabletop.cache import split_scene
from lr_edit.tabletop.masks import LEAST_VISIBLE
from lr_edit.tabletop.pairs import (
    RenderedPairs,
    propose_pair,
    render_range,
    rendered_pairs,
)
from lr_edit.tabletop.render import render
from lr_edit.tabletop.scene import UNSEEN_PAIRS

COUNT, SIZE = 10, 48


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pairs")


@pytest.fixture(scope="module")
def pairs(folder: Path) -> RenderedPairs:
    return rendered_pairs("train", COUNT, SIZE, folder, processes=1)


def test_the_change_is_all_that_the_edit_changes(pairs: RenderedPairs) -> None:
    assert len(pairs) == COUNT and set(np.unique(pairs.change)) == {0, 1}
    for index in range(COUNT):
        edit, change = pairs.edit(index), pairs.change[index] > 0
        assert edit.kind in ("replace", "remove")
        before, after = (
            to_uint8(render([s], SIZE).images)[0].numpy() for s in (edit.source, edit.target)
        )
        assert np.array_equal(pairs.images[index], before)
        difference = np.abs(before.astype(int) - after.astype(int)).max(-1)
        assert difference[~change].max() <= 7  # the threshold of an edit mask, and rounding
        silhouette = pairs.instances[index] == (edit.source_index or 0) + 1
        assert silhouette.mean() >= LEAST_VISIBLE and change[silhouette].all()
        assert (difference > 0)[change].mean() > 0.6


def test_both_kinds_come_and_show_no_held_out_pair() -> None:
    edits = [propose_pair("train", index) for index in range(150)]
    kinds = [edit.kind for edit in edits if edit is not None]
    assert len(kinds) > 145 and 0.1 < kinds.count("remove") / len(kinds) < 0.3
    for edit in edits:
        if edit is not None:
            things = (*edit.source.things, *edit.target.things)
            assert not {(thing.colour, thing.noun) for thing in things} & UNSEEN_PAIRS


def test_pairs_show_other_scenes_than_the_rendered_ones() -> None:
    scenes = {str(split_scene("train", index)) for index in range(200)}
    edits = [propose_pair("train", index, attempt) for index in range(60) for attempt in range(2)]
    sources = [str(edit.source) for edit in edits if edit is not None and edit.kind == "replace"]
    assert len(set(sources)) == len(sources) > 60 and not scenes & set(sources)


def test_a_pair_does_not_depend_on_how_many_there_are(pairs: RenderedPairs, tmp_path: Path) -> None:
    few = rendered_pairs("train", 3, SIZE, tmp_path, processes=1)
    for name in ("images", "instances", "change", "attempts"):
        assert np.array_equal(getattr(few, name), getattr(pairs, name)[:3]), name
    assert few.edit(2) == pairs.edit(2)
    other = rendered_pairs("validation", 1, SIZE, tmp_path, processes=1)
    assert other.edit(0) != pairs.edit(0)


def test_what_cannot_be_seen_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = render_range("train", SIZE, "cpu", 0, 3)
    monkeypatch.setattr("lr_edit.tabletop.masks.LEAST_VISIBLE", 0.07)
    picky = render_range("train", SIZE, "cpu", 0, 3)
    assert not plain["attempts"].any() and picky["attempts"].any()
    for index, attempt in enumerate(picky["attempts"]):
        edit = propose_pair("train", index, int(attempt))
        assert edit is not None and edit.source_index is not None
        shown = picky["instances"][index] == edit.source_index + 1
        assert shown.mean() >= 0.07


def test_pairs_are_rendered_once(
    pairs: RenderedPairs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("lr_edit.tabletop.pairs.render")
    again = rendered_pairs("train", COUNT, SIZE, folder, processes=1)
    assert np.array_equal(again.images, pairs.images) and again.edit(4) == pairs.edit(4)


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    def work(start: int, stop: int) -> dict[str, np.ndarray]:
        if start == 2 * CHUNK:
            raise KeyboardInterrupt
        return {"numbers": np.arange(start, stop, dtype=np.uint8)}

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a", 3 * CHUNK, {"numbers": ()}, work, "Counting", {})
    assert not (tmp_path / "a").exists()
    write(tmp_path / "b", CHUNK + 2, {"numbers": ()}, work, "Counting", {"to": 2})
    assert np.load(tmp_path / "b/numbers.npy").tolist() == list(range(CHUNK + 2))


def test_of_two_that_render_the_same_the_slower_one_takes_what_is_there(tmp_path: Path) -> None:
    place = tmp_path / "a"

    def rows(start: int, stop: int) -> dict[str, np.ndarray]:
        return {"numbers": np.arange(start, stop, dtype=np.uint8)}

    def slowly(start: int, stop: int) -> dict[str, np.ndarray]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("os.getpid", lambda: 7)
            write(place, 2, {"numbers": ()}, rows, "Counting", {})
        return rows(start, stop)

    write(place, 2, {"numbers": ()}, slowly, "Counting", {})
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert np.load(place / "numbers.npy").tolist() == [0, 1]
