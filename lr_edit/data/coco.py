"""Pictures annotated in COCO's JSON: instances with categories, and captions.

The format is that of Lin et al. (2014), https://cocodataset.org/#format-data: "images" with id,
file_name, width and height; "annotations" with image_id and either segmentation, category_id and
iscrowd, or caption; "categories" with id and name.
"""

from collections import defaultdict
from functools import cached_property
from pathlib import Path
from typing import Any

from lr_edit.data.masks import Union, coco_mask
from lr_edit.data.opened import stored_file
from lr_edit.data.reading import check_keys, check_names, json_file
from lr_edit.data.records import Phrase, PhraseSource, Record, Unusable, phrases_of, tidy
from lr_edit.errors import UserError
from lr_edit.plurals import plural

_TABLES = {"images": ("id",), "annotations": ("image_id",), "categories": ("id", "name")}
"""What every entry of each must have."""


class CocoJson(PhraseSource):
    """One's own pictures, or COCO's, with instances, captions or both.

    Of every category in a picture one phrase is made: "the dog" where there is one, "the dogs" for
    all of them together where there are several or a crowd. Captions are phrases without masks.

    instances, captions: JSON files, one of which may be "". images: the folder of the pictures,
    relative to the working directory; "" is the folder of the JSON file.
    """

    def __init__(self, instances: str = "", captions: str = "", images: str = "") -> None:
        if not (instances or captions):
            raise UserError("a CocoJson has neither instances nor captions: give a JSON file")
        self.files = {"instances": instances, "captions": captions}
        self.images = Path(images or Path(instances or captions).parent)

    @cached_property
    def tables(self) -> "CocoTables":
        """What the files hold, by picture."""
        tables = CocoTables()
        for file in filter(None, self.files.values()):
            tables.read(Path(file))
        return tables

    def __len__(self) -> int:
        return len(self.tables.numbers)

    def record(self, number: int) -> Record:
        image = self.tables.pictures[self.tables.numbers[number]]
        picture = stored_file(self.images, image.get("file_name"))
        size = (image["width"], image["height"]) if {"width", "height"} <= image.keys() else None
        annotations = self.tables.annotations[image["id"]]
        said = tuple(p for a in annotations for p in phrases_of(a.get("caption"), None))
        things = [a for a in annotations if "segmentation" in a]
        named = category_phrases(things, self.tables.categories, size, picture.name)
        return Record(picture.name, picture, named + said, self.names(things))

    def names(self, things: list[dict[str, Any]]) -> tuple[str, ...]:
        """The categories of annotations."""
        found = (self.tables.categories.get(a.get("category_id"), "") for a in things)
        return tuple(dict.fromkeys(filter(None, found)))


class CocoTables:
    """Images by id, annotations by image, names by category; numbers: ids of what is annotated."""

    def __init__(self) -> None:
        self.pictures: dict[Any, dict[str, Any]] = {}
        self.annotations: defaultdict[Any, list[dict[str, Any]]] = defaultdict(list)
        self.categories: dict[Any, str] = {}
        self.numbers: list[Any] = []

    def read(self, path: Path) -> None:
        """Adds a file; raises UserError where it is not COCO's JSON."""
        content = json_file(path)
        check_tables(content, path)
        try:
            self.pictures |= {image["id"]: image for image in content["images"]}
            for annotation in content["annotations"]:
                self.annotations[annotation["image_id"]].append(annotation)
            for category in content.get("categories", ()):
                self.categories[category["id"]] = tidy(category["name"]).replace("_", " ")
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{str(path)!r} is not COCO's JSON ({error}): it needs 'images' with 'id', and "
                "'annotations' with 'image_id'"
            ) from error
        self.numbers = [number for number in self.pictures if self.annotations.get(number)]


def check_tables(content: Any, path: Path) -> None:
    """Raises UserError, which names what is missing, found and expected, unless it is COCO's JSON.

    content: what the file at `path` holds.
    """
    name = f"{str(path)!r} is not COCO's JSON:"
    if not isinstance(content, dict):
        raise UserError(
            f"{name} it needs 'images' with 'id' and 'file_name', and 'annotations' with 'image_id'"
        )
    check_names(("images", "annotations"), content, f"{name} it", "key")
    for table, keys in _TABLES.items():
        rows = content.get(table, [])
        if not isinstance(rows, list):
            raise UserError(f"{name} {table!r} is no list: expected one of objects")
        check_keys(rows, keys, f"{name} {table!r}, entry")
    if content["images"]:
        known = dict.fromkeys(key for image in content["images"] for key in image)
        check_names(("id", "file_name"), known, f"{name} 'images'", "key")


def category_phrases(
    things: list[dict[str, Any]], names: dict[Any, str], size: tuple[int, int] | None, name: str
) -> tuple[Phrase, ...]:
    """A phrase for every category of a picture's annotations, crowds among them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for thing in things:
        category = names.get(thing.get("category_id"), "")
        if not category:
            raise Unusable("unknown category", f"{name}: {thing.get('category_id')}")
        found.setdefault(category, []).append(thing)
    phrases = []
    for category, members in found.items():
        masks = [coco_mask(m["segmentation"], f"a mask of {name}", size) for m in members]
        several = len(members) > 1 or bool(members[0].get("iscrowd"))
        text = f"the {plural(category) if several else category}"
        phrases.append(Phrase(text, Union(masks) if len(masks) > 1 else masks[0]))
    return tuple(phrases)
