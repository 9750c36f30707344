"""Tiny sets of real-looking pictures as files, in the layouts that `lr_edit.data` reads."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lr_edit.data.mixture import Mixture, Part
from lr_edit.data.opened import Stored, rgb
from lr_edit.data.records import Mask, Nothing, Phrase, PhraseSource, Record, Unusable

SIZE = (48, 32)
NAMES = ("dog", "car", "apple", "boat")
COLOURS = ("red", "blue", "green", "yellow")


def scene(k: int, size: tuple[int, int] = SIZE) -> tuple[Image.Image, np.ndarray, list[int]]:
    """Picture k: a coloured box on noise; its mask bool [H, W]; and its box x, y, w, h."""
    rng = np.random.default_rng(k)
    width, height = size
    pixels = rng.integers(90, 110, (height, width, 3)).astype(np.uint8)
    x, y = int(rng.integers(0, width - 12)), int(rng.integers(0, height - 12))
    mask = np.zeros((height, width), dtype=bool)
    mask[y : y + 10, x : x + 12] = True
    pixels[mask] = ((200, 30, 30), (30, 30, 200), (30, 160, 30), (220, 220, 30))[k % 4]
    return Image.fromarray(pixels), mask, [x, y, 12, 10]


def phrase(k: int) -> str:
    return f"the {COLOURS[k % 4]} {NAMES[k // 4 % 4]}"


def white(mask: np.ndarray) -> Image.Image:
    return Image.fromarray(mask.astype(np.uint8) * 255)


def corners(box: Sequence[int]) -> list[int]:
    """The polygon of a box x, y, w, h."""
    x, y, w, h = box
    return [x, y, x + w, y, x + w, y + h, x, y + h]


def counts(mask: np.ndarray) -> list[int]:
    """COCO's run lengths of a mask bool [H, W], slowly."""
    runs, value = [0], False
    for pixel in mask.T.ravel().tolist():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return runs


def packed(runs: Sequence[int]) -> str:
    """COCO's string of run lengths, slowly."""
    text = ""
    for k, run in enumerate(runs):
        value = run - runs[k - 2] if k > 2 else run
        more = True
        while more:
            code, value = value & 31, value >> 5
            more = value != (-1 if code & 16 else 0)
            text += chr((code | 32 if more else code) + 48)
    return text


def image_folder(folder: Path, count: int = 6, broken: int = 0) -> Path:
    """An imagefolder with masks; the first `broken` pictures are no pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for k in range(count):
        image, mask, _ = scene(k, (40 + 8 * (k % 3), 32))
        image.save(folder / f"{k}.png")
        white(mask).save(folder / f"{k}_mask.png")
        if k < broken:
            (folder / f"{k}.png").write_bytes(b"no picture")
        row = {"image_file_name": f"{k}.png", "mask_file_name": f"{k}_mask.png"}
        lines.append(json.dumps({**row, "phrase": phrase(k)}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def coco_files(folder: Path, count: int = 4) -> dict[str, str]:
    """Instances and captions of COCO; picture 0 has two dogs, picture 1 a crowd."""
    (folder / "images").mkdir(parents=True)
    images, things, said = [], [], []
    for k in range(count):
        image, mask, box = scene(k)
        image.save(folder / "images" / f"{k}.jpg")
        facts = {"width": SIZE[0], "height": SIZE[1]}
        images.append({"id": 10 + k, "file_name": f"{k}.jpg", **facts})
        shape: Any = [corners(box)]
        if k == 1:
            shape = {"counts": counts(mask), "size": list(SIZE[::-1])}
        crowd = {"iscrowd": int(k == 1)}
        things.append({"image_id": 10 + k, "category_id": 1, "segmentation": shape, **crowd})
        said.append({"image_id": 10 + k, "caption": "A dog running on a beach."})
    second = [corners([0, 0, 5, 5])]
    things.append({"image_id": 10, "category_id": 1, "segmentation": second, "iscrowd": 0})
    categories = [{"id": 1, "name": "dog"}]
    for name, annotations in (("instances", things), ("captions", said)):
        content = {"images": images, "annotations": annotations, "categories": categories}
        (folder / f"{name}.json").write_text(json.dumps(content))
    return {
        "instances": str(folder / "instances.json"), "captions": str(folder / "captions.json"),
        "images": str(folder / "images"),
    }  # fmt: skip


def json_lines(folder: Path, count: int = 4) -> Path:
    """A JSONL file with a mask of every kind, a caption, and a phrase that fits nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for k in range(count):
        image, mask, box = scene(k)
        image.save(folder / f"{k}.png")
        white(mask).save(folder / f"{k}_mask.png")
        size = list(SIZE[::-1])
        runs = {"counts": packed(counts(mask)), "size": size}
        shape = (f"{k}_mask.png", [corners(box)], runs, {"counts": counts(mask), "size": size})
        rows.append({"image": f"{k}.png", "phrase": phrase(k), "mask": shape[k % 4]})
    rows.append({"image": "0.png", "phrase": "a hill under a cloud", "mask": None})
    rows.append({"image": "0.png", "phrase": "the zebra", "present": False})
    path = folder / "phrases.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


class Drawing(Mask):
    """A mask that is there already."""

    def __init__(self, mask: np.ndarray) -> None:
        self.mask = mask

    def draw(self, size: tuple[int, int]) -> np.ndarray:
        return self.mask


class Scenes(PhraseSource):
    """`count` scenes in memory; those in `broken` cannot be used."""

    def __init__(
        self, count: int = 8, broken: Sequence[int] = (), size: tuple[int, int] = SIZE
    ) -> None:
        self.count, self.broken, self.size = count, broken, size

    def __len__(self) -> int:
        return self.count

    def record(self, number: int) -> Record:
        if number in self.broken:
            raise Unusable("damaged picture", f"scene {number}")
        image, mask, _ = scene(number, self.size)
        name = f"scene {number}"
        return Record(name, Stored(image, name), (Phrase(phrase(number), Drawing(mask)),))


def mixture(*sources: PhraseSource) -> Mixture:
    return Mixture([Part(source) for source in sources])


def check_source(source: PhraseSource) -> list[Record]:
    """The contract: records by number, the same every time, with masks that fit their pictures."""
    assert len(source) > 1
    records = [source.record(k) for k in range(len(source))]
    for k, record in enumerate(records):
        image = rgb(record.picture.image(), record.name)
        again = source.record(k)
        assert record.name and again.name == record.name and record.phrases
        assert [p.text for p in again.phrases] == [p.text for p in record.phrases]
        for said in record.phrases:
            assert said.text == said.text.strip() and said.reading in ("refer", "edit")
            for region in filter(None, (said.mask, said.change)):
                drawn = region.draw(image.size)
                assert drawn.dtype == bool and drawn.shape == image.size[::-1]
                assert drawn.any() != isinstance(region, Nothing)
    return records
