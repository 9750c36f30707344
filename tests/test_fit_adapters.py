"""`train.py fit` with every source of pictures, with pictures that are gone, with every DINO."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import weights
from data_fakes import coco_files, corners, image_folder, json_lines, scene
from fetch_fakes import serving
from hub_fakes import hub_table
from test_data_hub import lmms, magic_brush, open_images, phrasecut, pie_bench, png, refcoco_row
from test_data_module import fit, part, tiny

Parts = list[dict[str, Any]]
Said = pytest.CaptureFixture[str]
ONCE = ("--trainer.fast_dev_run", "true")
BARE = (*ONCE, "--trainer.callbacks=[]")  # half as long, without figures of what was learned
NONE_SKIPPED = (
    "training: 8 pictures tried, none skipped",
    "validation: 8 pictures tried, none skipped",
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """clip/ and dino/, the frozen networks of the recipes."""
    return weights.clip_and_dino(tmp_path_factory.mktemp("models"))


def referring(folder: Path, name: str) -> tuple[Parts, Parts]:
    """jxu124's set of that name beside COCO's pictures 1, 2 and 3; 2 is the validation's."""
    pictures = folder / "coco/train2014"
    pictures.mkdir(parents=True)
    for image_id in (1, 2, 3):
        scene(image_id)[0].save(pictures / f"COCO_train2014_{image_id:012d}.jpg")
    rows = [refcoco_row(k, image_id) for k, image_id in enumerate((1, 2, 1, 3, 2, 3))]
    place = folder / name.rpartition("/")[2]
    hub_table(place / "data/train-00000-of-00001.parquet", rows, name)
    hub_table(place / "data/validation-00000-of-00001.parquet", rows[1:2], name)
    shared = {"name": str(place), "images": str(folder / "coco"), "cache": str(folder / "cache")}
    kind = "refcoco.RefCoco"
    return (
        part(kind, **shared, without=[f"{place}:validation"]),
        part(kind, **shared, split="validation"),
    )


def own_coco(folder: Path) -> Parts:
    """Three pictures in a folder below the JSON: without sizes, captions or crowds."""
    (folder / "shots").mkdir()
    images, things = [], []
    for k in range(3):
        image, _, box = scene(k, (64, 48))
        image.save(folder / f"shots/{k}.png")
        images.append({"id": f"shot {k}", "file_name": f"shots/{k}.png"})
        shape = [corners(box)]
        things.append({"image_id": f"shot {k}", "category_id": 7, "segmentation": shape})
    content = {"images": images, "annotations": things}
    categories = [{"id": 7, "name": "traffic_light"}]
    (folder / "mine.json").write_text(json.dumps({**content, "categories": categories}))
    return part("coco.CocoJson", instances=str(folder / "mine.json"))


def hub_part(kind: str, copy: Path, **options: Any) -> Parts:
    """A source of a local copy of a set."""
    return part(kind, name=str(copy), cache=str(copy / "cache"), **options)


def lmms_part(folder: Path) -> Parts:
    lmms(folder)
    return hub_part("refcoco.LmmsRefCoco", folder, split="val")


def open_images_part(folder: Path) -> Parts:
    open_images(folder)
    return part(
        "open_images.OpenImages", annotations=str(folder / "segmentation.csv"),
        masks=str(folder / "masks"), images=str(folder), classes=str(folder / "classes.csv"),
    )  # fmt: skip


def phrasecut_part(folder: Path) -> Parts:
    phrasecut(folder)
    return part("phrasecut.PhraseCut", file=str(folder / "refer_val.json"), images=str(folder))


def pie_bench_part(folder: Path) -> Parts:
    source = pie_bench(folder)
    return hub_part("edits.PieBench", folder, config=source.config)


def magic_brush_part(folder: Path) -> Parts:
    magic_brush(folder, files=2, rows=2)
    return hub_part("edits.MagicBrush", folder, split="dev", streaming=True)


SOURCES: dict[str, Callable[[Path], Parts | tuple[Parts, Parts]]] = {
    "refcoco": lambda path: referring(path, "jxu124/refcoco"),
    "refcoco+": lambda path: referring(path, "jxu124/refcocoplus"),
    "refcocog": lambda path: referring(path, "jxu124/refcocog"),
    "refcocog of lmms-lab": lmms_part,
    "coco with captions": lambda path: part("coco.CocoJson", **coco_files(path / "coco")),
    "coco of one's own": own_coco,
    "open images": open_images_part,
    "phrasecut": phrasecut_part,
    "pie bench": pie_bench_part,
    "magicbrush": magic_brush_part,
    "imagefolder": lambda path: part(
        "folder.ImageFolder", folder=str(image_folder(path / "pictures", 4))
    ),
    "json lines": lambda path: part("folder.JsonLines", file=str(json_lines(path / "lines", 4))),
}


def parts_of(name: str, folder: Path) -> tuple[Parts, Parts]:
    """The sources of training and validation; most sets are tested on what they are learned on."""
    made = SOURCES[name](folder)
    return made if isinstance(made, tuple) else (made, made)


@pytest.mark.parametrize("name", SOURCES)
def test_training_reads_every_source(
    name: str, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    path = tiny("region_photo", models, tmp_path, *parts_of(name, tmp_path))
    assert fit(path, monkeypatch, *BARE) == 0
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if " pictures tried, " in line] == list(NONE_SKIPPED)


def test_captions_come_from_links_and_dead_ones_are_counted(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    name = "google-research-datasets/conceptual_captions"
    _, measured = referring(tmp_path, "jxu124/refcoco")
    with serving() as web:
        web.files = {"/good": png(scene(0)[0])["bytes"], "/page": b"<html>"}
        rows = [
            {"image_url": f"{web.url}/{n}", "caption": f"a dog and a red car on a {n} beach"}
            for n in ("good", "gone", "page")
        ]
        hub_table(tmp_path / "captions/unlabeled/train-00000-of-00001.parquet", rows, name)
        kept = str(tmp_path / "kept")
        said = hub_part("conceptual.ConceptualCaptions", tmp_path / "captions", folder=kept)
        path = tiny("region_photo_captions", models, tmp_path, said, measured)
        assert fit(path, monkeypatch, *ONCE, "--data.init_args.least_tried=1") == 0
        assert sorted(web.taken()) == ["gone", "good", "page"], "each link is asked once"
    lines = capsys.readouterr().err.splitlines()
    (line,) = [line for line in lines if line.startswith("training: ")]
    told = re.fullmatch(r"training: (\d+) pictures tried, (\d+) skipped: (\d+) (.*)", line)
    assert told is not None
    tried, skipped, dead = map(int, told.groups()[:3])
    assert tried - skipped == 8 and skipped == dead >= 2
    assert re.fullmatch(rf"dead link \(first: {web.url}/(gone|page)\)", told[4])
    assert NONE_SKIPPED[1] in lines


GONE = {
    "refcoco": ("coco/train2014/COCO_train2014_000000000003.jpg", "picture"),
    "coco with captions": ("coco/images/2.jpg", "picture"),
    "open images": ("masks/B/b1_m.png", "mask"),
    "phrasecut": ("1.jpg", "picture"),
    "imagefolder": ("pictures/2_mask.png", "mask"),
    "json lines": ("lines/1.png", "picture"),
}


@pytest.mark.parametrize("name", GONE)
def test_what_is_gone_is_skipped_and_counted(
    name: str, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    parts = parts_of(name, tmp_path)
    gone, kind = GONE[name]
    (tmp_path / gone).unlink()
    path = tiny("region_photo", models, tmp_path, *parts)
    assert fit(path, monkeypatch, *BARE) == 0
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("training: ")]
    told = re.fullmatch(r"training: (\d+) pictures tried, (\d+) skipped: (\d+) (.*)", line)
    assert told is not None, line
    tried, skipped, missing = map(int, told.groups()[:3])
    assert tried - skipped == 8 and skipped == missing > 0
    stem = Path(gone).stem
    assert re.fullmatch(rf"missing {kind} \(first: .*{stem}\.(jpg|png)\)", told[4])


def test_without_any_picture_training_ends_with_one_line(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    parts = parts_of("refcoco", tmp_path)
    for picture in (tmp_path / "coco/train2014").iterdir():
        picture.unlink()
    path = tiny("region_photo", models, tmp_path, *parts)
    assert fit(path, monkeypatch, *BARE) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    (line,) = [x for x in said.splitlines() if x.startswith("train.py: ")]
    assert "no picture that can be used was found" in line and "missing picture: " in line
    assert "coco/train2014/COCO_train2014_" in line and "check their paths" in line


@pytest.mark.parametrize("kind", ["vit", "dinov2", "dinov2_with_registers", "dinov3_vit"])
def test_training_reads_every_kind_of_dino(
    kind: str, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    weights.dino(tmp_path / kind, kind)
    pictures = part("folder.ImageFolder", folder=str(image_folder(tmp_path / "pictures", 4)))
    path = tiny("region_photo", models, tmp_path, pictures, pictures)
    dino = f"--model.init_args.features.init_args.dino.init_args.name={tmp_path / kind}"
    assert fit(path, monkeypatch, *BARE, dino) == 0
    assert NONE_SKIPPED[0] in capsys.readouterr().err.splitlines()
