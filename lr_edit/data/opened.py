"""Pictures from files and bytes for training; what cannot be read is Unusable, never a crash.

`lr_edit.files` opens the pictures that a person edits: it keeps their mode and explains mistakes.
Here it is enough that the colours are right.
"""

import io
import os
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from lr_edit.data.records import LazyPicture, Unusable
from lr_edit.files import FORMATS, PIXEL_LIMIT

# What Pillow is known to raise over damaged files.
DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError,
    MemoryError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Stored(LazyPicture):
    """A picture in a file, in bytes, or in memory.

    content: where it is. name: what a person is told. kind: "picture" or "mask", as reasons say.
    """

    content: Path | bytes | Image.Image
    name: str
    kind: str = "picture"

    def image(self) -> Image.Image:
        if isinstance(self.content, Image.Image):
            return self.content
        if isinstance(self.content, bytes):
            return read_image(io.BytesIO(self.content), self.name, self.kind)
        if not os.path.isfile(self.content):  # False, too, where the path is too long
            raise Unusable(f"missing {self.kind}", self.name)
        return read_image(self.content, self.name, self.kind)


def stored_file(folder: Path, path: object, kind: str = "picture") -> Stored:
    """The file of that path, which is relative to `folder`; Unusable where it is no path."""
    if not isinstance(path, str) or not path or "\0" in path:
        raise Unusable(f"missing {kind}", f"{folder}: no path is given")
    return Stored(folder / path, str(folder / path), kind)


def first_file(places: Sequence[Path]) -> Path:
    """The first of these places where there is a file, or else the first of all."""
    return next((place for place in places if os.path.isfile(place)), places[0])


def stored_cell(cell: Any, name: str, kind: str = "picture") -> Stored:
    """The picture in a cell of an Image column: {"bytes", "path"} or a PIL picture."""
    if isinstance(cell, Mapping):
        if cell.get("bytes") is not None:
            return Stored(bytes(cell["bytes"]), name, kind)
        cell = Path(cell["path"]) if cell.get("path") else None
    if cell is None:
        raise Unusable(f"missing {kind}", name)
    return Stored(cell, name, kind)


def read_image(file: Path | io.BytesIO, name: str, kind: str = "picture") -> Image.Image:
    """A picture fully read, its EXIF orientation applied; of several in one file the first.

    Raises Unusable when it is damaged or larger than PIXEL_LIMIT.
    """
    with _damage_is(f"damaged {kind}", name), Image.open(file, formats=FORMATS) as image:
        if image.width * image.height > PIXEL_LIMIT:
            raise Unusable(f"too large {kind}", name)
        image.load()
        return ImageOps.exif_transpose(image)


@contextmanager
def _damage_is(reason: str, name: str) -> Iterator[None]:
    """What Pillow raises inside becomes Unusable."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on metadata, and on sizes, which are checked here
        try:
            yield
        except DAMAGE as error:
            raise Unusable(reason, name) from error


def rgb(image: Image.Image, name: str) -> Image.Image:
    """A picture in mode RGB, transparency laid over white; raises Unusable."""
    with _damage_is("damaged picture", name):
        if image.mode.startswith("I;16"):
            return Image.fromarray((np.asarray(image) / 257).astype(np.uint8)).convert("RGB")
        if image.has_transparency_data:
            clear = image.convert("RGBA")
            white = Image.new("RGBA", clear.size, "white")
            return Image.alpha_composite(white, clear).convert("RGB")
        return image.convert("RGB")
