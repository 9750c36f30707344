"""The picture a person looks at: source, region and candidates with captions, on one sheet.

It knows pictures, masks and words; nothing of how an edit is made.
"""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

PAPER, INK, FAINT, FRAME = (250, 249, 246), (34, 34, 38), (118, 116, 110), (206, 203, 196)
MARK = (236, 32, 120)  # the outline of a region
TILE, MARGIN, GAP = 256, 28, 20
_TITLE, _NAME, _NOTE = 22, 16, 13  # sizes of letters
_TITLE_LINES = 3  # what does not fit into them is left out
_OWN_GLYPHS = frozenset(string.printable + "“”’·…")  # of the font that Pillow carries
_PIXELS_SHOWN = 64  # pictures with a longer side below this are enlarged without smoothing

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Tile:
    """A picture of any mode and size, its name, and a note in small letters."""

    picture: Image.Image
    name: str
    note: str = ""


def sheet(title: str, tiles: Sequence[Tile], columns: int = 3) -> Image.Image:
    """The tiles in rows under a title; each picture fits a square of TILE pixels."""
    shown = [fitted(tile.picture) for tile in tiles]
    heights = [picture.height + _NAME + _NOTE + 16 for picture in shown]
    corners, (width, height) = in_rows(heights, columns, TILE, GAP)
    letters = _font(_TITLE, title)
    heading = wrapped(title, letters, width)[:_TITLE_LINES]
    top = MARGIN + len(heading) * (_TITLE + 8) + 10
    page = Image.new("RGB", (width + 2 * MARGIN, top + height + MARGIN), PAPER)
    draw = ImageDraw.Draw(page)
    for line, text in enumerate(heading):
        draw.text((MARGIN, MARGIN + line * (_TITLE + 8)), text, INK, letters)
    for picture, tile, (x, y) in zip(shown, tiles, corners, strict=True):
        _put(page, draw, picture, tile, (MARGIN + x, top + y))
    return page


def in_rows(
    heights: Sequence[int], columns: int, width: int, gap: int
) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Where cells of these heights and one width stand in rows of `columns`, `gap` pixels apart.

    Returns the upper left corner (x, y) of each, and the width and height of all together.
    """
    corners, top = [], 0
    for start in range(0, len(heights), columns):
        row = heights[start : start + columns]
        corners += [(place * (width + gap), top) for place in range(len(row))]
        top += max(row) + gap
    return corners, (min(columns, len(heights)) * (width + gap) - gap, top - gap)


def wrapped(text: str, font: Font, width: int) -> list[str]:
    """The text in lines of at most `width` pixels, broken at blanks; a longer word sticks out."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def marked(picture: Image.Image, region: Image.Image, painted: Image.Image) -> Image.Image:
    """The picture, fitted to a tile, with the region outlined, and pale where nothing is painted.

    region and painted are masks of its size, L, white = inside; what is painted is the region
    grown, as a rule.
    """
    shown = fitted(picture)
    pixels = np.asarray(shown).astype(np.float32)
    inside, touched = (_inside(mask, shown.size) for mask in (region, painted))
    result = np.where(touched[..., None], pixels, 0.5 * pixels + 0.5 * np.array(PAPER))
    result[ndimage.binary_dilation(touched) & ~touched] = FAINT
    result[ndimage.binary_dilation(inside, iterations=2) & ~inside] = MARK
    return Image.fromarray(result.round().astype(np.uint8))


def fitted(picture: Image.Image, side: int = TILE) -> Image.Image:
    """The picture in RGB, transparency on paper, its longer side `side` pixels."""
    picture = _rgb(picture)
    longest = max(picture.size)
    size = [max(1, round(length * side / longest)) for length in picture.size]
    smooth = longest >= _PIXELS_SHOWN
    kind = Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST
    return picture.resize((size[0], size[1]), kind)


def _rgb(picture: Image.Image) -> Image.Image:
    """Any of the modes that are edited, 16 bits of gray among them, as 8-bit RGB."""
    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) // 257).astype(np.uint8)).convert("RGB")
    if picture.mode in ("LA", "RGBA"):
        paper = Image.new("RGBA", picture.size, (*PAPER, 255))
        return Image.alpha_composite(paper, picture.convert("RGBA")).convert("RGB")
    return picture.convert("RGB")


def _put(
    page: Image.Image,
    draw: ImageDraw.ImageDraw,
    picture: Image.Image,
    tile: Tile,
    corner: tuple[int, int],
) -> None:
    left, top = corner
    page.paste(picture, corner)
    frame = (left - 1, top - 1, left + picture.width, top + picture.height)
    draw.rectangle(frame, outline=FRAME)
    below = top + picture.height + 8
    for text, size, colour in ((tile.name, _NAME, INK), (tile.note, _NOTE, FAINT)):
        letters = _font(size, text)
        draw.text((left, below), _cut(text, letters), colour, letters)
        below += size + 5


def _inside(mask: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """Where a mask is more white than black, bool [H, W] at another size."""
    return np.asarray(mask.convert("L").resize(size, Image.Resampling.BILINEAR)) > 127


def _font(size: int, text: str) -> Font:
    """Pillow's own font, or for letters that it lacks the one that matplotlib brings along."""
    if not set(text) <= _OWN_GLYPHS:
        found = find_spec("matplotlib")  # located, not imported
        folder = Path(found.origin).parent if found and found.origin else Path()
        if (wide := folder / "mpl-data/fonts/ttf/DejaVuSans.ttf").is_file():
            return ImageFont.truetype(str(wide), size)
    return ImageFont.load_default(size)


def _cut(text: str, font: Font) -> str:
    """The text, cut to the width of a tile."""
    if font.getlength(text) <= TILE:
        return text
    while text and font.getlength(text + "…") > TILE:
        text = text[:-1]
    return text.rstrip() + "…"
