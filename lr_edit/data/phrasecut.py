"""PhraseCut (Wu et al., CVPR 2020): phrases of Visual Genome with the regions that they mean."""

from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from lr_edit.data.masks import Polygons
from lr_edit.data.opened import Stored
from lr_edit.data.reading import check_keys, grouped, json_file
from lr_edit.data.records import Phrase, PhraseSource, Record, Unusable, phrases_of
from lr_edit.errors import UserError


class PhraseCut(PhraseSource):
    """PhraseCut's own JSON: a record is a picture with all its phrases.

    Keys used, as the data set's README (ChenyunWu/PhraseCutDataset) lists them for refer_*.json:
    "image_id"; "phrase"; "Polygons", of every instance a list of polygons, each a list of [x, y].
    A phrase means all its instances.

    file: refer_train.json, refer_val.json or another. images: the folder of IMAGE_ID.jpg.
    """

    KEYS = ("image_id", "phrase", "Polygons")

    def __init__(self, file: str, images: str) -> None:
        self.file, self.images = Path(file), Path(images)

    @cached_property
    def groups(self) -> list[list[dict[str, Any]]]:
        """The tasks of each picture; UserError where the file has no such tasks."""
        tasks = json_file(self.file)
        if not isinstance(tasks, list):
            raise UserError(
                f"{str(self.file)!r} is no list of tasks with {', '.join(self.KEYS)}: give "
                "PhraseCut's refer_train.json or another of its refer files"
            )
        check_keys(tasks, self.KEYS, f"{str(self.file)!r}, task")
        return grouped(tasks, lambda task: task["image_id"])

    def __len__(self) -> int:
        return len(self.groups)

    def record(self, number: int) -> Record:
        tasks = self.groups[number]
        path = self.images / f"{tasks[0]['image_id']}.jpg"
        phrases = tuple(phrase for task in tasks for phrase in self.said(task, str(path)))
        return Record(str(path), Stored(path, str(path)), phrases)

    def said(self, task: dict[str, Any], name: str) -> tuple[Phrase, ...]:
        """The phrase of a task."""
        try:
            polygons = chain.from_iterable(task["Polygons"])
            parts = [[float(v) for point in polygon for v in point] for polygon in polygons]
        except (KeyError, TypeError, ValueError) as error:
            raise Unusable("damaged mask", f"{name}, {task.get('phrase')!r}") from error
        return phrases_of(task.get("phrase"), Polygons(parts, f"a mask of {name}"))
