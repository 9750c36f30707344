"""Contact sheets: pictures in rows with words printed below them; it knows no scenes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import binary_dilation

from lr_edit.sheet import PAPER, Font, in_rows, wrapped

INK, FAINT = (38, 38, 42), (120, 118, 112)
PALETTE = (
    (230, 60, 120), (20, 150, 220), (120, 190, 30), (245, 150, 10), (150, 80, 220), (110, 110, 110),
)  # fmt: skip
GAP, LINE, LETTERS = 18, 18, 13


@dataclass(frozen=True)
class Line:
    """Words below a picture; with a colour, a dot of it stands before them in the margin."""

    text: str
    colour: tuple[int, int, int] | None = None
    faint: bool = False
    margin: int = 14


@dataclass(frozen=True)
class Cell:
    """Pictures side by side, and the lines under them."""

    pictures: tuple[Image.Image, ...]
    lines: tuple[Line, ...]


def outlined(
    picture: Image.Image, masks: Sequence[Image.Image], colours: Sequence[tuple[int, int, int]]
) -> Image.Image:
    """The picture with the outline of each mask (L, of its size, white inside) in its colour.

    Each outline runs further out than the one before, so that one thing can have several.
    """
    pixels = np.asarray(picture.convert("RGB")).copy()
    for turn, (mask, colour) in enumerate(zip(masks, colours, strict=True)):
        inside = np.asarray(mask) > 127
        if inside.any():
            near, far = (binary_dilation(inside, iterations=2 * turn + i) for i in (1, 3))
            pixels[far & ~near] = colour
    return Image.fromarray(pixels)


def contact_sheet(cells: Sequence[Cell], columns: int, side: int) -> Image.Image:
    """The cells in rows of `columns`, each of their pictures `side` pixels wide and high."""
    font = ImageFont.load_default(LETTERS)
    width = max(len(cell.pictures) for cell in cells) * (side + 6) - 6
    words = [_wrap(cell.lines, width, font) for cell in cells]
    heights = [side + 8 + LINE * len(lines) for lines in words]
    corners, (across, down) = in_rows(heights, columns, width, GAP)
    sheet = Image.new("RGB", (across + 2 * GAP, down + 2 * GAP), PAPER)
    for cell, lines, (x, y) in zip(cells, words, corners, strict=True):
        _draw_cell(sheet, cell, lines, (GAP + x, GAP + y), side, font)
    return sheet


def _draw_cell(
    sheet: Image.Image,
    cell: Cell,
    lines: list[Line],
    corner: tuple[int, int],
    side: int,
    font: Font,
) -> None:
    left, top = corner
    for number, picture in enumerate(cell.pictures):
        shown = picture.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
        sheet.paste(shown, (left + number * (side + 6), top))
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        y = top + side + 8 + number * LINE
        if line.colour is not None:
            draw.ellipse((left, y + 4, left + 8, y + 12), fill=line.colour)
        draw.text((left + line.margin, y), line.text, fill=FAINT if line.faint else INK, font=font)


def _wrap(lines: Sequence[Line], width: int, font: Font) -> list[Line]:
    """The lines cut at blanks to fit the width; only the first piece keeps the dot."""
    pieces = []
    for line in lines:
        first, *more = wrapped(line.text, font, width - line.margin)
        pieces.append(replace(line, text=first))
        pieces += [replace(line, text=text, colour=None) for text in more]
    return pieces
