"""One contract for all sources of one's own pictures, and what each of them reads."""

import json
from collections.abc import Callable, Sized
from pathlib import Path

import numpy as np
import pytest
from data_fakes import (
    SIZE,
    Scenes,
    check_source,
    coco_files,
    image_folder,
    json_lines,
    phrase,
    scene,
)
from PIL import Image

from lr_edit.data.coco import CocoJson
from lr_edit.data.folder import ImageFolder, JsonLines
from lr_edit.data.nouns import noun_phrases, speaks_of_place, things
from lr_edit.data.open_images import OpenImages
from lr_edit.data.opened import rgb
from lr_edit.data.phrasecut import PhraseCut
from lr_edit.data.reading import check_columns
from lr_edit.data.records import Nothing, PhraseSource, Unusable
from lr_edit.errors import UserError
from lr_edit.plurals import plural, singular

MAKERS: dict[str, Callable[[Path], PhraseSource]] = {
    "folder": lambda path: ImageFolder(str(image_folder(path / "pictures"))),
    "coco": lambda path: CocoJson(**coco_files(path / "coco")),
    "captions": lambda path: CocoJson(
        captions=coco_files(path / "coco")["captions"], images=str(path / "coco/images")
    ),
    "lines": lambda path: JsonLines(str(json_lines(path / "lines"))),
    "memory": lambda path: Scenes(),
}


@pytest.mark.parametrize("name", MAKERS)
def test_every_source_keeps_the_contract(name: str, tmp_path: Path) -> None:
    check_source(MAKERS[name](tmp_path))


def test_an_imagefolder_says_what_its_masks_show(tmp_path: Path) -> None:
    source = ImageFolder(str(image_folder(tmp_path)))
    assert len(source) == 6
    for k in range(6):
        record = source.record(k)
        _, mask, _ = scene(k, (40 + 8 * (k % 3), 32))
        (said,) = record.phrases
        assert said.text == phrase(k) and said.mask is not None
        assert (said.mask.draw(mask.shape[::-1]) == mask).all()


def test_an_imagefolder_may_have_other_columns(tmp_path: Path) -> None:
    scene(0)[0].save(tmp_path / "a.png")
    row = {"file_name": "a.png", "text": ["a dog", "", " the dog "], "reading": "edit"}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row) + "\n\n")
    record = ImageFolder(str(tmp_path), "text").record(0)
    assert [(p.text, p.mask, p.reading) for p in record.phrases] == [
        ("a dog", None, "edit"), ("the dog", None, "edit"),
    ]  # fmt: skip


@pytest.mark.parametrize("made", [image_folder, json_lines])
def test_a_byte_order_mark_is_no_part_of_a_list(
    made: Callable[[Path], Path], tmp_path: Path
) -> None:
    """As PowerShell and Excel write it."""
    place = made(tmp_path)
    file = place / "metadata.jsonl" if place.is_dir() else place
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    source = ImageFolder(str(place)) if place.is_dir() else JsonLines(str(place))
    assert len(source) > 0 and source.record(0).phrases


def test_a_path_that_no_disk_takes_is_a_missing_picture(tmp_path: Path) -> None:
    row = {"file_name": "x" * 400, "text": "a dog"}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row))
    record = ImageFolder(str(tmp_path), "text").record(0)
    with pytest.raises(Unusable, match="missing picture"):
        record.picture.image()


def test_lines_hold_masks_of_every_kind(tmp_path: Path) -> None:
    source = JsonLines(str(json_lines(tmp_path)))
    assert len(source) == 4
    for k in range(4):
        said = source.record(k).phrases[0]
        assert said.mask is not None
        assert (said.mask.draw(SIZE) == scene(k)[1]).all()
    caption, absent = source.record(0).phrases[1:]
    assert caption.mask is None and isinstance(absent.mask, Nothing)


def test_coco_names_one_several_and_crowds(tmp_path: Path) -> None:
    source = CocoJson(**coco_files(tmp_path / "coco"))
    first, crowd, one = (source.record(k) for k in range(3))
    assert [p.text for p in first.phrases] == ["the dogs", "A dog running on a beach."]
    assert crowd.phrases[0].text == "the dogs" and one.phrases[0].text == "the dog"
    assert one.holds == ("dog",) and one.phrases[1].mask is None
    both = scene(0)[1].copy()
    both[:5, :5] = True
    drawn = [record.phrases[0].mask for record in (first, crowd, one)]
    for mask, expected in zip(drawn, (both, scene(1)[1], scene(2)[1]), strict=True):
        assert mask is not None and (mask.draw(SIZE) == expected).all()


def test_mistakes_in_a_list_are_one_clear_line(tmp_path: Path) -> None:
    lines = tmp_path / "metadata.jsonl"
    lines.write_text('{"file_name": "a.png", "phrase": "a"}\nnot json\n')
    cases = {
        "line 2, is no JSON object": ImageFolder(str(tmp_path)),
        "cannot be read": ImageFolder(str(tmp_path / "nowhere")),
    }
    lines.with_name("b.jsonl").write_text('{"image": "a.png", "words": "a"}')
    cases["has no column 'phrase': it has 'image', 'words'"] = JsonLines(str(tmp_path / "b.jsonl"))
    lines.with_name("c.jsonl").write_text('{"image": "a", "phrase": "a", "reading": "x"}')
    cases["reading 'x': one of refer, edit"] = JsonLines(str(tmp_path / "c.jsonl"))
    lines.with_name("d.json").write_text("{")
    cases["is no JSON, line 1"] = CocoJson(str(tmp_path / "d.json"))
    lines.with_name("e.json").write_text('{"images": [], "annotations": [{}]}')
    cases["is not COCO's JSON"] = CocoJson(str(tmp_path / "e.json"))
    lines.with_name("f.json").write_text("[]")
    cases["it needs 'images'"] = CocoJson(captions=str(tmp_path / "f.json"))
    for message, source in cases.items():
        with pytest.raises(UserError, match=message) as caught:
            len(source)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="neither instances nor captions"):
        CocoJson()


def open_images(folder: Path) -> OpenImages:
    return OpenImages(f"{folder}/a.csv", str(folder), str(folder), f"{folder}/classes.csv")


@pytest.mark.parametrize(
    ("files", "make", "parts"),
    [
        (
            {"a.json": '[{"image_id": 1, "phrase": "", "Polygons": []}, {"image_id": 2, "a": 0}]'},
            lambda folder: PhraseCut(f"{folder}/a.json", ""),
            ("task 2 has no key 'phrase', 'Polygons'", "it has 'image_id', 'a'",
             "expected 'image_id', 'phrase', 'Polygons'"),
        ),
        (
            {"a.json": "{}"},
            lambda folder: PhraseCut(f"{folder}/a.json", ""),
            ("no list of tasks with image_id, phrase, Polygons", "refer_train.json"),
        ),
        (
            {"a.json": '{"images": [], "licenses": []}'},
            lambda folder: CocoJson(f"{folder}/a.json"),
            ("is not COCO's JSON: it has no key 'annotations'", "it has 'images', 'licenses'",
             "expected 'images', 'annotations'"),
        ),
        (
            {"a.json": '{"images": [{"id": 1, "path": "a.png"}], "annotations": []}'},
            lambda folder: CocoJson(f"{folder}/a.json"),
            ("'images' has no key 'file_name'", "it has 'id', 'path'; expected 'id', 'file_name'"),
        ),
        (
            {"a.json": '{"images": [], "annotations": [{"image_id": 1}, {"image": 1, "id": 2}]}'},
            lambda folder: CocoJson(captions=f"{folder}/a.json"),
            ("'annotations', entry 2 has no key 'image_id'", "it has 'image', 'id'; expected"),
        ),
        (
            {"a.json": '{"images": [], "annotations": [], "categories": [{"id": 1}]}'},
            lambda folder: CocoJson(f"{folder}/a.json"),
            ("'categories', entry 1 has no key 'name'", "expected 'id', 'name'"),
        ),
        (
            {"a.csv": "MaskPath,LabelName,BoxID\n"},
            open_images,
            ("a.csv has no column 'ImageID'", "it has 'MaskPath', 'LabelName', 'BoxID'",
             "expected 'MaskPath', 'ImageID', 'LabelName'"),
        ),
        (
            {"a.csv": "MaskPath,ImageID,LabelName\nm.png,i,/m/0\n", "classes.csv": "/m/0;Apple\n"},
            lambda folder: open_images(folder).names,
            ("no second column", "'/m/0;Apple'", "expected lines of LabelName,DisplayName"),
        ),
        (
            {"metadata.jsonl": '{"file_name": "a.png", "text": "a dog"}'},
            lambda folder: ImageFolder(str(folder)),
            ("no column 'phrase'", "it has 'file_name', 'text'; expected 'file_name', 'phrase'"),
        ),
    ],
)  # fmt: skip
def test_missing_columns_are_told_with_the_found_and_the_expected(
    files: dict[str, str], make: Callable[[Path], Sized], parts: tuple[str, ...],
    tmp_path: Path,
) -> None:  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as caught:
        len(make(tmp_path))
    told = str(caught.value)
    assert all(part in told for part in parts), told
    assert str(tmp_path) in told and told.isprintable()


def test_of_many_columns_twenty_are_named() -> None:
    with pytest.raises(UserError, match=r"has no column 'z': it has '0', .*'19', …; expected 'z'$"):
        check_columns(["z"], map(str, range(300)), "a table")


def test_a_record_that_is_broken_says_so_alone(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"image": "gone.png", "phrase": "a dog", "mask": "gone_mask.png"},
        {"image": None, "phrase": "a dog"}, {"image": "a.png", "phrase": "a dog", "mask": 3},
    ]  # fmt: skip
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = JsonLines(str(tmp_path / "p.jsonl"))
    with pytest.raises(Unusable, match=r"missing picture: .*gone\.png"):
        source.record(0).picture.image()
    with pytest.raises(Unusable, match="missing picture"):
        source.record(1)
    with pytest.raises(Unusable, match="damaged mask"):
        source.record(2)


def test_nouns_of_captions_and_phrases() -> None:
    assert noun_phrases("A man riding a wave on top of a surfboard.") == (
        "a man", "a wave", "a surfboard",
    )  # fmt: skip
    assert noun_phrases("two red buildings and a ring") == ("two red buildings", "a ring")
    assert noun_phrases("<PERSON> at the beach") == ("the beach",)
    assert noun_phrases("") == () and noun_phrases("and so on") == ("and so on",)
    assert things("the two guys in red shirts") == things("woman") == {"person"}
    assert things("left one") == things("the red thing") == frozenset()
    assert things("the Doughnuts") == things("a donut")
    for text in ("left dog", "the man in the middle", "second from right", "dog nearest us"):
        assert speaks_of_place(text), text
    assert not speaks_of_place("a bright red sidecar") and not speaks_of_place("striped shirt")
    for one in ("dog", "bus", "knife", "person", "wine glass", "sandwich", "berry", "sheep"):
        assert singular(plural(one).split()[-1]) == one.split()[-1]
    assert plural("person") == "people" and plural("scissors") == "scissors"


def test_transparency_is_laid_over_white() -> None:
    clear = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    assert np.asarray(rgb(clear, "a")).min() == 255
    deep = Image.fromarray(np.full((1, 2), 65535, dtype=np.uint16))
    assert np.asarray(rgb(deep, "a")).tolist() == [[[255] * 3] * 2]
