"""One's own pictures, listed in lines of JSON: an `imagefolder`, or a file of one's own."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from lr_edit.data.masks import Drawn, coco_mask
from lr_edit.data.opened import stored_file
from lr_edit.data.reading import check_columns, grouped, json_lines
from lr_edit.data.records import NOTHING, Mask, Phrase, PhraseSource, Record, phrases_of
from lr_edit.errors import UserError
from lr_edit.instruction import Reading


class ImageFolder(PhraseSource):
    """A folder in the layout of Hugging Face's `imagefolder`: pictures, masks, metadata.jsonl.

    Every line of metadata.jsonl has "image_file_name" (or "file_name"), a phrase or a list of them
    that mean the same, and "mask_file_name", a picture in which white is what is meant, of the
    picture's own size. Paths are relative to the folder. Without "mask_file_name" a line is a
    caption. "present": false says that the phrase fits nothing; "reading": "edit" that it says what
    is to become of the thing. Lines of the same picture are one record.

    folder: where it is. phrase: the name of the column with the phrases, as "text".
    """

    def __init__(self, folder: str, phrase: str = "phrase") -> None:
        self.folder, self.phrase = folder, phrase

    @cached_property
    def pictures(self) -> "Listed":
        """The lines by picture."""
        path = Path(self.folder) / "metadata.jsonl"
        images = ("image_file_name", "file_name")
        return Listed(path, images, self.phrase, "mask_file_name")

    def __len__(self) -> int:
        return len(self.pictures.groups)

    def record(self, number: int) -> Record:
        return self.pictures.record(number)


class JsonLines(PhraseSource):
    """A file with a line of JSON for every phrase: {"image": …, "phrase": …, "mask": …}.

    "mask" is the path of a picture (white = what is meant), or a COCO segmentation: polygons, or
    {"counts", "size"}; without it, or with null, the phrase is a caption. Else as ImageFolder;
    paths are relative to the file.
    """

    def __init__(self, file: str) -> None:
        self.file = file

    @cached_property
    def pictures(self) -> "Listed":
        """The lines by picture."""
        return Listed(Path(self.file), ("image",), "phrase", "mask")

    def __len__(self) -> int:
        return len(self.pictures.groups)

    def record(self, number: int) -> Record:
        return self.pictures.record(number)


class Listed:
    """The lines of a file as records, those of the same picture together.

    images: columns of which the first that a line has is its picture. phrase, mask: columns. Raises
    UserError where the file cannot be read, a column is missing in all lines, or a reading is
    unknown.
    """

    def __init__(self, path: Path, images: Sequence[str], phrase: str, mask: str) -> None:
        self.path, self.images, self.phrase, self.mask = path, images, phrase, mask
        rows = json_lines(path)
        known = dict.fromkeys(column for row in rows for column in row)
        image = next((name for name in images if name in known), images[0])
        check_columns((image, phrase), known, repr(str(path)))
        for row in rows:
            if row.get("reading", "refer") not in get_args(Reading):
                raise UserError(
                    f"{str(path)!r} has the reading {row['reading']!r}: one of "
                    f"{', '.join(get_args(Reading))} is needed"
                )
        self.groups = grouped(rows, lambda row: str(self.image(row)))

    def image(self, row: dict[str, Any]) -> Any:
        """What a line says its picture is."""
        return next((row[name] for name in self.images if name in row), None)

    def record(self, number: int) -> Record:
        """The picture of a group of lines with the phrases of them all."""
        rows = self.groups[number]
        picture = stored_file(self.path.parent, self.image(rows[0]))
        phrases = tuple(phrase for row in rows for phrase in self.phrases(row, picture.name))
        return Record(picture.name, picture, phrases)

    def phrases(self, row: dict[str, Any], name: str) -> tuple[Phrase, ...]:
        """What a line says."""
        reading: Reading = row.get("reading", "refer")
        return phrases_of(row.get(self.phrase), self.region(row, name), reading)

    def region(self, row: dict[str, Any], name: str) -> Mask | None:
        """Where a line says that it is."""
        if row.get("present") is False:
            return NOTHING
        mask = row.get(self.mask)
        if isinstance(mask, str):
            stored = stored_file(self.path.parent, mask, "mask")
            return Drawn(stored, stored.name)
        return None if mask is None else coco_mask(mask, f"the mask of {name}")
