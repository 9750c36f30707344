"""Splits share nothing, their parts ask what they are named for, and people can load them."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tabletop_reader import COLOURS, becoming, described, read

from lr_edit.errors import UserError
from lr_edit.tabletop import __main__ as command
from lr_edit.tabletop.hub import build
from lr_edit.tabletop.scene import NOUNS, UNSEEN_PAIRS, Scene, scene_from_dict
from lr_edit.tabletop.splits import PARTS, SPLITS, part_phrase, scene_for


def pairs(scene: Scene) -> set[tuple[str, str]]:
    return {(thing.colour, thing.noun) for thing in scene.things}


def test_splits_and_parts_share_no_scene() -> None:
    groups = [
        {str(scene_for(split, part, i)) for i in range(25)}
        for split in SPLITS
        for part in (None, *PARTS)
        if (split, part) != ("train", "unseen")
    ]
    assert all(len(group) == 25 for group in groups)
    assert not any(a & b for a, b in combinations(groups, 2))


def test_held_out_pairs_show_in_their_part_alone() -> None:
    for index in range(400):
        assert not pairs(scene_for("train", None, index)) & UNSEEN_PAIRS
    for part in PARTS:
        shown = [bool(pairs(scene_for("test", part, i)) & UNSEEN_PAIRS) for i in range(40)]
        assert all(shown) if part == "unseen" else not any(shown)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_asks_what_it_is_named_for(part: str) -> None:
    for index in range(60):
        scene = scene_for("test", part, index)
        phrase = part_phrase(part, scene, index)
        assert phrase is not None and phrase == part_phrase(part, scene, index)
        assert scene == scene_for("test", part, index)
        understand = becoming if part == "edit_prompt" else read
        assert understand(scene, phrase.text) == set(phrase.targets), phrase.text
        assert phrase.reading == ("edit" if part == "edit_prompt" else "refer")
        if part == "absent":
            assert phrase.targets == ()
        elif part == "several":
            assert len(phrase.targets) > 1
        elif part == "crowded":
            assert len(scene.things) >= 5
        elif part == "grayscale":
            assert not set(phrase.text.split()) & (COLOURS - {"orange"})
        elif part == "unseen":
            said, nouns = described(phrase.text)
            assert {(said["colour"], noun) for noun in nouns or ()} <= UNSEEN_PAIRS
        elif part == "edit_prompt":
            assert len(phrase.targets) == 1
        elif part == "attribute":
            said, nouns = described(phrase.text)
            assert said and sum(t.noun in (nouns or NOUNS) for t in scene.things) > 1


@pytest.mark.parametrize(
    ("split", "part"), [("training", None), ("test", "gray"), ("train", "unseen")]
)
def test_unknown_splits_and_parts_are_refused(split: str, part: str | None) -> None:
    with pytest.raises(UserError, match="choose"):
        scene_for(split, part, 0)


@pytest.mark.parametrize("part", [None, "grayscale", "absent"])
def test_as_an_arrow_dataset(tmp_path: Path, part: str | None) -> None:
    data = build("validation", 3, 32, tmp_path, part)
    assert len(data) == 3
    for index, row in enumerate(data):
        scene = scene_from_dict(json.loads(row["scene"]))
        assert scene == scene_for("validation", part, index)
        assert row["image"].size == (32, 32) and row["caption"]
        pixels, instances = np.asarray(row["image"]), np.asarray(row["instances"])
        assert (np.ptp(pixels, axis=2) == 0).all() == (part == "grayscale")
        assert len(row["masks"]) == len(row["phrases"]) > 0
        for mask, phrase in zip(row["masks"], row["phrases"], strict=True):
            assert read(scene, phrase["text"]) == set(phrase["targets"])
            expected = np.isin(instances, np.add(phrase["targets"], 1)) * 255
            assert (np.asarray(mask) == expected).all()


def test_the_command_writes_pictures_words_and_sheets(tmp_path: Path) -> None:
    assert (
        command.main(["--count", "3", "--size", "32", "--output", str(tmp_path / "a" / "b")]) == 0
    )
    folder = tmp_path / "a" / "b"
    rows = [json.loads(line) for line in (folder / "captions.jsonl").read_text().splitlines()]
    assert len(rows) == 3
    for row in rows:
        assert Image.open(folder / row["picture"]).size == (32, 32)
        scene_from_dict(row["scene"])
        for phrase in row["phrases"]:
            mask = np.asarray(Image.open(folder / phrase["mask"]))
            assert mask.any() == (phrase["kind"] != "absent")
    for line in (folder / "edits.jsonl").read_text().splitlines():
        edit = json.loads(line)
        pictures = [np.asarray(Image.open(folder / edit[k])) for k in ("source", "target", "mask")]
        assert pictures[2].any() and (pictures[0] != pictures[1]).any()
    for sheet in ("sheet.png", "edits.png"):
        assert min(Image.open(folder / sheet).size) > 300


def test_the_command_refuses_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    for wrong in (
        ["--count", "0", "--output", str(tmp_path / "x")],
        ["--size", "8", "--output", str(tmp_path / "x")],
        ["--count", "1", "--output", str(tmp_path / "file")],
    ):
        assert command.main(wrong) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_the_command_replaces_files_only_when_it_is_told_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--count", "1", "--size", "32", "--output", str(tmp_path)]
    assert command.main(words) == 0  # an empty folder is as good as a new one
    (tmp_path / "notes.txt").write_text("mine")
    before = (tmp_path / "pictures" / "000.png").read_bytes()
    assert command.main([*words, "--seed", "1"]) == 2
    assert "give --overwrite" in capsys.readouterr().err
    assert (tmp_path / "pictures" / "000.png").read_bytes() == before
    assert command.main([*words, "--seed", "1", "--overwrite"]) == 0
    assert (tmp_path / "pictures" / "000.png").read_bytes() != before
    assert (tmp_path / "notes.txt").read_text() == "mine"
