"""RefCOCO, RefCOCO+ and RefCOCOg: phrases that each refer to one thing of a COCO picture.

Kazemzadeh et al., EMNLP 2014; Yu et al., ECCV 2016; Mao et al., CVPR 2016.
"""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from lr_edit.data.coco_names import COCO_NAMES
from lr_edit.data.hub import CACHE, open_table
from lr_edit.data.masks import coco_mask
from lr_edit.data.opened import Stored, first_file, stored_cell
from lr_edit.data.reading import grouped
from lr_edit.data.records import Phrase, PhraseSource, Record, Unusable, phrases_of
from lr_edit.data.rows import TableRows
from lr_edit.errors import UserError


class RefCoco(PhraseSource):
    """The sets jxu124/refcoco, jxu124/refcocoplus and jxu124/refcocog: a row a thing, no pictures.

    Columns used, as their cards on the hub list them (dataset_info of each README.md): "image_id";
    "category_id"; "sentences", of which "sent"; "raw_anns", COCO's annotation as JSON, of which
    "segmentation"; "raw_image_info", COCO's image as JSON, of which "file_name", "width" and
    "height". A record is a picture with the phrases of all its things.

    name: one of those sets, or a local copy. split: "train", "validation", "test" (testA) or
    "testB". images: the folder that holds COCO's train2014, or train2017, or is it. without: sets
    and splits, as "jxu124/refcoco:validation", whose pictures are left out here: the training
    pictures of one set are in the validation of another.
    """

    COLUMNS = ("image_id", "category_id", "sentences", "raw_anns", "raw_image_info")

    def __init__(
        self,
        name: str = "jxu124/refcoco",
        split: str = "train",
        images: str = "data/coco",
        without: Sequence[str] = (),
        cache: str = CACHE,
    ) -> None:
        self.name, self.split, self.images = name, split, Path(images)
        self.without, self.cache = tuple(without), cache

    @cached_property
    def rows(self) -> TableRows:
        """The table."""
        return open_table(self.name, self.split, self.COLUMNS, cache=self.cache)

    @cached_property
    def groups(self) -> list[list[int]]:
        """The numbers of the rows of each picture."""
        hidden: set[int] = set()
        for other in self.without:
            name, _, split = other.rpartition(":")
            if not name:
                raise UserError(f"{other!r} is no set and split: write jxu124/refcoco:validation")
            table = open_table(name, split, ("image_id",), cache=self.cache)
            hidden |= set(table.column("image_id"))
        ids = self.rows.column("image_id")
        shown = (k for k, image in enumerate(ids) if image not in hidden)
        return grouped(shown, lambda k: ids[k])

    def __len__(self) -> int:
        return len(self.groups)

    def record(self, number: int) -> Record:
        rows = [self.rows.row(k) for k in self.groups[number]]
        name = f"{self.name} {self.split}, picture {rows[0]['image_id']}"
        try:
            info = json.loads(rows[0]["raw_image_info"])
            picture = coco_picture(self.images, info["file_name"], rows[0]["image_id"])
            size = (int(info["width"]), int(info["height"]))
            phrases = tuple(phrase for row in rows for phrase in self.said(row, size, name))
        except (ValueError, KeyError, TypeError) as error:
            raise Unusable("damaged row", name) from error
        holds = (COCO_NAMES.get(row["category_id"], "") for row in rows)
        return Record(name, picture, phrases, tuple(dict.fromkeys(filter(None, holds))))

    def said(self, row: dict[str, Any], size: tuple[int, int], name: str) -> tuple[Phrase, ...]:
        """The phrases for the thing of a row."""
        mask = coco_mask(json.loads(row["raw_anns"])["segmentation"], f"a mask of {name}", size)
        texts = dict.fromkeys(sentence["sent"] for sentence in row["sentences"])
        return phrases_of(list(texts), mask)


class LmmsRefCoco(PhraseSource):
    """The evaluation sets lmms-lab/RefCOCO, RefCOCOplus and RefCOCOg: a row a thing, with pictures.

    Columns used, as their cards on the hub list them (dataset_info of each README.md): "image";
    "answer", the phrases; "segmentation", one polygon [x0, y0, x1, y1, …]; "file_name". No training
    splits are there.

    name: one of those sets, or a local copy. split: "val", "test", "testA" or "testB", as far as
    the set has them.
    """

    COLUMNS = ("image", "answer", "segmentation", "file_name")

    def __init__(
        self, name: str = "lmms-lab/RefCOCO", split: str = "val", cache: str = CACHE
    ) -> None:
        self.name, self.split, self.cache = name, split, cache

    @cached_property
    def rows(self) -> TableRows:
        """The table."""
        return open_table(self.name, self.split, self.COLUMNS, cache=self.cache)

    def __len__(self) -> int:
        return len(self.rows)

    def record(self, number: int) -> Record:
        row = self.rows.row(number)
        name = f"{self.name} {self.split}, row {number} ({row['file_name']})"
        mask = coco_mask(row["segmentation"], f"the mask of {name}")
        return Record(name, stored_cell(row["image"], name), phrases_of(row["answer"], mask))


def coco_picture(folder: Path, file_name: str, number: int) -> Stored:
    """COCO's picture of that name of 2014 and that number, wherever it is kept below `folder`."""
    short = f"{number:012d}.jpg"
    places = (
        folder / "train2014" / file_name, folder / file_name, folder / "coco/train2014" / file_name,
        folder / "train2017" / short, folder / "val2017" / short, folder / short,
    )  # fmt: skip
    found = first_file(places)
    return Stored(found, str(found))
