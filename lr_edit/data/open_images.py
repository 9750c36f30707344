"""Open Images with its instance masks (Benenson et al., CVPR 2019): CSV files and PNG masks."""

from functools import cached_property
from pathlib import Path

from lr_edit.data.masks import Drawn, Union
from lr_edit.data.opened import Stored, first_file
from lr_edit.data.reading import table
from lr_edit.data.records import Mask, Phrase, PhraseSource, Record
from lr_edit.errors import UserError
from lr_edit.plurals import plural


class OpenImages(PhraseSource):
    """A picture with a phrase for every class of which it has masks: "the apple", "the apples".

    Columns used, of those that the release's *-annotations-object-segmentation.csv has (MaskPath,
    ImageID, LabelName, BoxID, BoxXMin, BoxXMax, BoxYMin, BoxYMax, PredictedIoU, Clicks):
    "MaskPath", "ImageID", "LabelName". Masks are PNG files, white inside, of the picture's shape
    but often of another size. In the training split not every thing has a mask: a phrase for
    several means those that have.

    annotations: that file. masks: the folder of the PNG files, all in one or by the first character
    of their names. images: the folder of IMAGEID.jpg. classes: class-descriptions-boxable.csv,
    lines of LabelName,DisplayName.
    """

    def __init__(self, annotations: str, masks: str, images: str, classes: str) -> None:
        self.annotations, self.classes = Path(annotations), Path(classes)
        self.masks, self.images = Path(masks), Path(images)

    @cached_property
    def names(self) -> dict[str, str]:
        """What the labels are called; UserError where the file has no such pairs."""
        try:
            lines = self.classes.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "no text in UTF-8"
            raise UserError(
                f"{str(self.classes)!r} cannot be read ({reason}): give the classes' CSV"
            ) from error
        pairs = (line.partition(",") for line in lines)
        names = {label: name.strip('" ').lower() for label, comma, name in pairs if comma}
        if not names:
            raise UserError(
                f"{str(self.classes)!r} has no second column: its first line is "
                f"{''.join(lines[:1])[:60]!r}; expected lines of LabelName,DisplayName, as in "
                "class-descriptions-boxable.csv"
            )
        return names

    @cached_property
    def groups(self) -> dict[str, list[tuple[str, str]]]:
        """Mask and label of every thing, by picture."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for mask, image, label in table(self.annotations, ("MaskPath", "ImageID", "LabelName")):
            groups.setdefault(image, []).append((mask, label))
        return groups

    @cached_property
    def numbers(self) -> list[str]:
        """The pictures in order."""
        return list(self.groups)

    def __len__(self) -> int:
        return len(self.numbers)

    def record(self, number: int) -> Record:
        image = self.numbers[number]
        path = self.images / f"{image}.jpg"
        named: dict[str, list[Mask]] = {}
        for mask, label in self.groups[image]:
            if label in self.names:
                named.setdefault(self.names[label], []).append(self.mask(mask))
        phrases = tuple(
            Phrase(f"the {plural(n) if len(m) > 1 else n}", Union(m)) for n, m in named.items()
        )
        return Record(str(path), Stored(path, str(path)), phrases)

    def mask(self, name: str) -> Mask:
        """The mask in a file of that name."""
        places = (
            self.masks / name,
            self.masks / name[:1].upper() / name,
            self.masks / name[:1] / name,
        )
        path = first_file(places)
        return Drawn(Stored(path, str(path), "mask"), str(path), stretched=True)
