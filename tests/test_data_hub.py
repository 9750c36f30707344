"""Every set of the hub in exactly its columns, but tiny, and dead links."""

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_fakes import SIZE, check_source, corners, counts, mixture, phrase, scene, white
from hub_fakes import hub_features, hub_set, hub_table
from PIL import Image

from lr_edit.data.coco_names import COCO_NAMES
from lr_edit.data.conceptual import ConceptualCaptions, Linked, fetched
from lr_edit.data.edits import MagicBrush, PieBench, marked
from lr_edit.data.hub import open_stream, open_table, parquet_files
from lr_edit.data.open_images import OpenImages
from lr_edit.data.phrasecut import PhraseCut
from lr_edit.data.phrased import PhraseSamples
from lr_edit.data.records import PhraseSource, Unusable
from lr_edit.data.refcoco import LmmsRefCoco, RefCoco
from lr_edit.errors import UserError


def png(image: Image.Image) -> dict[str, Any]:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def parquet(path: Path, rows: list[dict[str, Any]], images: tuple[str, ...] = ()) -> Path:
    """A table with Image columns, as the hub stores it."""
    from datasets import Dataset, Image

    if name := hub_set(rows[0]):
        return hub_table(path, rows, name)
    table = Dataset.from_list(rows)
    for name in images:
        table = table.cast_column(name, Image())
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(path)
    return path


def refcoco_row(k: int, image_id: int) -> dict[str, Any]:
    """A thing in the columns of jxu124/refcoco; RLE where k is odd."""
    _, mask, box = scene(image_id)
    shape: Any = [corners(box)]
    if k % 2:
        shape = {"counts": counts(mask), "size": list(SIZE[::-1])}
    name = f"COCO_train2014_{image_id:012d}.jpg"
    info = {"file_name": name, "width": SIZE[0], "height": SIZE[1], "id": image_id}
    words = [phrase(k), "left one", phrase(k)]
    said = [{"raw": w.upper(), "sent": w, "sent_id": 0, "tokens": w.split()} for w in words]
    return {
        "sent_ids": [k], "file_name": name.replace(".jpg", f"_{k}.jpg"), "ann_id": k, "ref_id": k,
        "image_id": image_id, "split": "train",
        "sentences": said, "category_id": 18,
        "raw_anns": json.dumps({"segmentation": shape, "iscrowd": k % 2}),
        "raw_image_info": json.dumps(info), "raw_sentences": "[]",
        "image_path": f"coco/train2014/{name}", "bbox": [0.0] * 4, "captions": words,
        "global_image_id": f"coco.{image_id}", "anns_id": str(k),
    }  # fmt: skip


def refcoco(folder: Path, **options: Any) -> RefCoco:
    """Pictures 1, 2 and 3 with two things each; picture 2 is also in the validation."""
    (folder / "coco/train2014").mkdir(parents=True)
    for image_id in (1, 2, 3):
        name = f"COCO_train2014_{image_id:012d}.jpg"
        scene(image_id)[0].save(folder / "coco/train2014" / name)
    rows = [refcoco_row(k, image_id) for k, image_id in enumerate((1, 2, 1, 3, 2, 3))]
    parquet(folder / "refcoco/data/train-00000-of-00001.parquet", rows)
    parquet(folder / "refcoco/data/validation-00000-of-00001.parquet", rows[1:2])
    images, cache = str(folder / "coco"), str(folder / "cache")
    return RefCoco(str(folder / "refcoco"), images=images, cache=cache, **options)


def lmms(folder: Path) -> LmmsRefCoco:
    rows = [
        {
            "question_id": str(k), "image": png(scene(k)[0]), "question": "Describe the region.",
            "answer": [phrase(k), "a thing"], "bbox": [float(v) for v in scene(k)[2]],
            "segmentation": [float(v) for v in corners(scene(k)[2])], "iscrowd": 0,
            "file_name": f"COCO_{k}.jpg",
        }
        for k in range(3)
    ]  # fmt: skip
    parquet(folder / "data/val-00000-of-00001.parquet", rows, ("image",))
    return LmmsRefCoco(str(folder), cache=str(folder / "cache"))


def open_images(folder: Path) -> OpenImages:
    """Masks of half the size, the second in the folder of its first character."""
    lines = ["MaskPath,ImageID,LabelName,BoxID,BoxXMin,BoxXMax,BoxYMin,BoxYMax,PredictedIoU,Clicks"]
    for k in range(3):
        image, mask, _ = scene(k)
        path = folder / "masks" / ("B" if k == 1 else "") / f"b{k}_m.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        white(mask).convert("1").resize((24, 16)).save(path)
        image.save(folder / f"b{k}.jpg")
        lines.append(f"b{k}_m.png,b{k},/m/014j1m,1,0,1,0,1,0.9,0.5 0.5 1;0.1 0.1 0")
    lines.append("b0_m.png,b0,/m/014j1m,2,0,1,0,1,0.9,")
    (folder / "segmentation.csv").write_text("\n".join(lines))
    (folder / "classes.csv").write_text("/m/014j1m,Apple\n/m/0,Zebra\n")
    return OpenImages(
        str(folder / "segmentation.csv"), str(folder / "masks"), str(folder),
        str(folder / "classes.csv"),
    )  # fmt: skip


def phrasecut(folder: Path) -> PhraseCut:
    tasks = []
    for k in range(3):
        image, _, box = scene(k)
        image.save(folder / f"{k}.jpg")
        points = [corners(box)[i : i + 2] for i in range(0, 8, 2)]
        tasks.append(
            {
                "task_id": f"{k}__1", "image_id": k, "ann_ids": [1, 2],
                "instance_boxes": [box, box], "Polygons": [[points], [points, points]],
                "phrase": phrase(k),
                "phrase_structure": {"name": "dog", "attributes": [], "type": "name"},
            }
        )  # fmt: skip
    (folder / "refer_val.json").write_text(json.dumps([*tasks, tasks[0]]))
    return PhraseCut(str(folder / "refer_val.json"), str(folder))


def pie_bench(folder: Path) -> PieBench:
    rows = []
    for k in range(2):
        image, mask, _ = scene(k, (512, 512))
        starts = np.flatnonzero(np.diff(np.concatenate(([0], mask.ravel())).astype(int)) == 1)
        rows.append(
            {
                "image": png(image), "id": f"11100000000{k}", "edit_action": "{}",
                "source_prompt": "a photo of a [red] car on the road",
                "target_prompt": "a photo of a [blue] car on the road",
                "aspect_mapping": "{}", "blended_words": "[]",
                "mask": " ".join(f"{start} 12" for start in starts),
            }
        )  # fmt: skip
    parquet(folder / "6_change_attribute_color_40/V1-00000-of-00001.parquet", rows, ("image",))
    return PieBench("6_change_attribute_color_40", str(folder), cache=str(folder / "cache"))


def magic_brush(folder: Path, files: int = 2, rows: int = 3, **options: Any) -> MagicBrush:
    """`files` files of `rows` rows; masks are the source with a hole, of twice the size."""
    for file in range(files):
        table = []
        for place in range(rows):
            k = place * files + file
            image, mask, _ = scene(k)
            holed = image.convert("RGBA")
            holed.putalpha(white(~mask))
            table.append(
                {
                    "img_id": str(k), "turn_index": 1, "source_img": png(image),
                    "mask_img": png(holed.resize((96, 64), Image.Resampling.NEAREST)),
                    "instruction": f"make {phrase(k)} larger", "target_img": png(image),
                }
            )  # fmt: skip
        name = f"dev-{file:05d}-of-{files:05d}.parquet"
        parquet(folder / "data" / name, table, ("source_img", "mask_img", "target_img"))
    return MagicBrush(str(folder), "dev", cache=str(folder / "cache"), **options)


def captions(folder: Path) -> ConceptualCaptions:
    """The second link is dead, the third is a page."""
    names = ("good", "dead", "page", "good2")
    rows = [{"image_url": f"http://x/{n}", "caption": f"a dog on a {n} beach"} for n in names]
    path = parquet(folder / "unlabeled/train-00000-of-00001.parquet", rows)

    def fetch(url: str) -> bytes:
        if url.endswith("dead"):
            raise OSError("gone")
        return b"<html>" if url.endswith("page") else png(scene(0)[0])["bytes"]

    options = {"folder": str(folder / "pictures"), "cache": str(folder / "cache")}
    return ConceptualCaptions(str(path.parents[1]), fetch=fetch, **options)


MAKERS = {
    "refcoco": refcoco, "lmms": lmms, "open images": open_images, "phrasecut": phrasecut,
    "pie bench": pie_bench, "magicbrush": magic_brush,
    "magicbrush whole": lambda path: magic_brush(path, streaming=False),
}  # fmt: skip


@pytest.mark.parametrize("name", MAKERS)
def test_every_set_keeps_the_contract_of_sources(name: str, tmp_path: Path) -> None:
    source: PhraseSource = MAKERS[name](tmp_path)  # type: ignore[operator]
    records = check_source(source)
    samples = PhraseSamples(mixture(source), 4, side=32, phrases=2)
    assert not samples[0]["skipped"] and len(records) == len(source)


@pytest.mark.parametrize("name", ["refcoco", "lmms", "pie bench", "magicbrush", "captions"])
def test_the_tables_here_have_the_types_of_the_hub(name: str, tmp_path: Path) -> None:
    from datasets import Dataset
    from pyarrow.parquet import read_schema

    {**MAKERS, "captions": captions}[name](tmp_path)  # type: ignore[operator]
    for path in tmp_path.rglob("*.parquet"):
        schema = read_schema(path)
        features = hub_features()[hub_set(schema.names)]
        assert schema.types == features.arrow_schema.types
        assert Dataset.from_parquet(str(path), cache_dir=str(tmp_path)).features == features


def test_a_copy_may_have_the_names_of_older_uploads(tmp_path: Path) -> None:
    rows = [refcoco_row(0, 1)]
    for split in ("train", "testB"):
        name = f"{split}-00000-of-00001-94431d5f4bd5b93f.parquet"
        parquet(tmp_path / "data" / name, rows * len(split))
    for split in ("train", "testB"):
        assert len(RefCoco(str(tmp_path), split, cache=str(tmp_path / "cache")).rows) == 5
    name = "dev-00000-of-00001-2ede4e799c8e0539.parquet"
    magic_brush(tmp_path / "brush", files=1)
    (tmp_path / "brush/data/dev-00000-of-00001.parquet").rename(tmp_path / "brush/data" / name)
    source = MagicBrush(str(tmp_path / "brush"), "dev", cache=str(tmp_path / "cache"))
    assert len(source) == 3


def test_refcoco_gathers_the_phrases_of_a_picture(tmp_path: Path) -> None:
    source = refcoco(tmp_path)
    assert len(source) == 3
    record = source.record(0)
    assert [p.text for p in record.phrases] == [phrase(0), "left one", phrase(2), "left one"]
    assert record.holds == (COCO_NAMES[18],) == ("dog",)
    for said, k in zip(record.phrases[::2], (1, 1), strict=True):
        assert said.mask is not None and (said.mask.draw(SIZE) == scene(k)[1]).all()
    assert len(COCO_NAMES) == 80 and COCO_NAMES[1] == "person" and COCO_NAMES[90] == "toothbrush"


def test_pictures_of_another_split_are_left_out(tmp_path: Path) -> None:
    source = refcoco(tmp_path, without=[f"{tmp_path / 'refcoco'}:validation"])
    assert [source.rows.row(group[0])["image_id"] for group in source.groups] == [1, 3]


def test_masks_and_phrases_are_the_sets_own(tmp_path: Path) -> None:
    for name in ("lmms", "phrasecut", "magicbrush", "open images"):
        (tmp_path / name).mkdir()
        source: PhraseSource = MAKERS[name](tmp_path / name)  # type: ignore[operator]
        said = source.record(1).phrases[0]
        assert said.mask is not None
        drawn, mask = said.mask.draw(SIZE), scene(1)[1]
        same = (drawn == mask).all() if name != "open images" else (drawn == mask).mean() > 0.97
        assert same, name
        if name == "open images":
            assert [source.record(k).phrases[0].text for k in (0, 1)] == ["the apples", "the apple"]
        if name == "magicbrush":
            assert said.reading == "edit" and said.change is said.mask
    assert len(phrasecut(tmp_path).record(0).phrases) == 2


def test_pie_bench_marks_what_differs(tmp_path: Path) -> None:
    source = pie_bench(tmp_path)
    before, after = source.record(1).phrases
    assert (before.text, before.reading) == ("a red car", "refer")
    assert (after.text, after.reading) == ("a blue car", "edit")
    assert before.mask is not None and before.change is before.mask
    assert (before.mask.draw((512, 512)) == scene(1, (512, 512))[1]).all()
    assert marked("a slanted [rusty] mountain bicycle on the road") == [
        "a slanted rusty mountain bicycle"
    ]
    assert marked("a cat") == marked(None) == []


def test_a_link_that_gave_nothing_is_tried_again_another_day(tmp_path: Path) -> None:
    """It may have been the network."""
    content = io.BytesIO()
    Image.new("RGB", (9, 9), "red").save(content, "PNG")
    answers = [b"", content.getvalue()]
    link = Linked("http://a/b.png", tmp_path, lambda url: answers.pop(0))
    for _ in range(2):
        with pytest.raises(Unusable, match="dead link"):
            link.image()
    assert len(answers) == 1  # once a day is enough
    (kept,) = tmp_path.iterdir()
    os.utime(kept, (0, 0))
    assert link.image().size == (9, 9) and link.image().size == (9, 9) and not answers


def test_dead_links_are_counted_but_no_fault(tmp_path: Path) -> None:
    source = captions(tmp_path)
    assert len(source) == 4
    for k in (0, 3, 0):
        assert source.record(k).picture.image().size == SIZE
    for k in (1, 2, 1):
        with pytest.raises(Unusable, match="dead link: http") as caught:
            source.record(k).picture.image()
        assert not caught.value.fault
    source.fetch = lambda url: pytest.fail("what was fetched is kept")
    assert source.record(0).picture.image().size == SIZE
    with pytest.raises(Unusable):
        source.record(1).picture.image()
    with pytest.raises(ValueError, match="http"):
        fetched("file:///etc/passwd")


def test_mistakes_about_tables_are_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = parquet(tmp_path / "a/test-00000-of-00001.parquet", [{"caption": "a"}])
    cases = {
        r"no parquet files of the split 'train': it has test": (str(tmp_path / "a"), "train"),
        r"has no column 'image_url': it has 'caption'": (str(path), "train"),
    }
    (tmp_path / "b.parquet").write_bytes(b"no table")
    cases["cannot be loaded"] = (str(tmp_path / "b.parquet"), "train")
    for message, (name, split) in cases.items():
        with pytest.raises(UserError, match=message) as caught:
            open_table(name, split, ("image_url", "caption"), cache=str(tmp_path / "cache"))
        assert "\n" not in str(caught.value)

    def offline(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach\nthe Hub")

    for name in ("load_dataset", "load_dataset_builder"):
        monkeypatch.setattr(f"datasets.{name}", offline)
    for opened in (open_table, open_stream):
        with pytest.raises(UserError, match="give a local copy") as caught:
            opened("jxu124/refcoco", "train", ("image_id",), cache=str(tmp_path / "cache"))
        assert "\n" not in str(caught.value) and "jxu124/refcoco" in str(caught.value)
    assert parquet_files(path, "any") == [str(path)]


def test_a_revision_is_asked_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked: list[tuple[str, str | None]] = []

    def on_the_hub(name: str, config: str | None, revision: str | None, **_: object) -> object:
        asked.append((name, revision))
        return datasets.Dataset.from_dict({"image_id": [1]})

    monkeypatch.setattr("datasets.load_dataset", on_the_hub)
    for name in ("jxu124/refcoco@0a1b2c", "jxu124/refcoco"):
        assert len(open_table(name, "train", ("image_id",), cache=str(tmp_path))) == 1
    assert asked == [("jxu124/refcoco", "0a1b2c"), ("jxu124/refcoco", None)]
