"""Pictures and masks from files, results to files; every user's mistake becomes one clear line.

What a picture is to the rest of the program: `lr_edit.images`.
"""

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from lr_edit.errors import UserError
from lr_edit.images import Picture, picture_from_pil
from lr_edit.output import replacing, shown

# Listed, since EPS and the like would start foreign programs.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
PIXEL_LIMIT = 64_000_000
SIDE_MINIMUM = 8
MASK_MINIMUM = 12 / 255  # no eye tells less from black, but a window would reach around all of it
# What a mode becomes, without and with transparency, no value changed.
PLAIN = {
    "1": ("L", "LA"), "L": ("L", "LA"), "LA": ("LA", "LA"), "RGB": ("RGB", "RGBA"),
    "RGBA": ("RGBA", "RGBA"), "P": ("RGB", "RGBA"), "PA": ("RGBA", "RGBA"),
}  # fmt: skip
# What other modes lack, so that an edit could not be painted in them.
_LACKS = {
    "1": "knows black and white alone",
    "P": "has a palette, of which an edit needs other colours",
    "PA": "has a palette, of which an edit needs other colours",
}

# What Pillow is known to raise over damaged files.
_DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError,
    MemoryError, struct.error, zlib.error,
)  # fmt: skip


def load_picture(
    path: str | Path, *, limit: int = PIXEL_LIMIT, minimum: int = SIDE_MINIMUM
) -> Picture:
    """The picture in a file, upright (EXIF orientation applied).

    Modes L, LA, RGB, RGBA and 16-bit gray stay as they are; 1 becomes L; palettes become RGB, or
    RGBA where something is transparent; a transparent colour key becomes alpha: all exactly, and
    the picture's `notice` says so. The colour profile is kept; EXIF is not, for its thumbnail would
    show the picture before the edit. Of a telephone's multi-picture JPEG the first is taken.

    Raises UserError when the file is missing, damaged, animated, not a picture, larger than `limit`
    pixels (Pillow's own limit of about 179 million holds as well), smaller than `minimum` on a
    side, or holds what could not be kept exactly: CMYK, float, or 16 bits of colour.
    """
    with _opened(path, limit, minimum) as image:
        if _cut_to_8_bits(image):
            raise UserError(
                f"{shown(path)} has 16 bits a channel, which would be cut to 8: "
                "save it with 8 bits a channel first"
            )
        _rescale_transparent(image)
        original = _upright(image, path)
    plain = _plain_mode(original, path)
    icc = plain.info.get("icc_profile")
    plain.info = {"icc_profile": icc} if icc else {}
    return picture_from_pil(plain, _notice(original.mode, plain.mode, path))


def load_mask(path: str | Path, size: tuple[int, int], *, limit: int = PIXEL_LIMIT) -> Tensor:
    """The mask in a file: float32 [1, 1, H, W] in [0, 1], white = edit; gray values stay soft,
    but those below 12 of 255, which look black, count as black.

    size: width and height of the picture it belongs to. Where the colour under a transparent mask
    is one and the same, the mask is its alpha (opaque = edit, whatever the colour); otherwise
    transparent counts as black.

    Raises UserError as `load_picture` does for files, and for a mask of another size, in colours,
    or one that selects nothing; and for values that are nearly all black, such as 0 and 1 of 255.
    """
    with _opened(path, limit, minimum=1) as image:
        upright = _upright(image, path)
    if upright.size != tuple(size):
        raise UserError(
            f"the mask {shown(path)} is {upright.width}x{upright.height} pixels, but the picture "
            f"is {size[0]}x{size[1]}: make them the same size"
        )
    mask = _mask_values(upright, path)
    highest = mask.max()
    if highest == 0:
        raise UserError(f"the mask {shown(path)} is all black and selects nothing: white = edit")
    if highest < 0.1:
        raise UserError(
            f"the mask {shown(path)} is nearly black, its highest value {highest * 255:.3g} of "
            "255: white (255) = edit, so scale it up"
        )
    return torch.from_numpy(mask * (mask >= MASK_MINIMUM))[None, None]


def save_image(image: Image.Image, path: str | Path) -> None:
    """Writes a PNG, losslessly and with the colour profile in `image.info`, whole or not at all.

    Raises UserError for another ending than .png, a missing folder, or one that cannot be written
    to.
    """
    if Path(path).suffix.lower() != ".png":
        raise UserError(
            f"{shown(path)} does not end in .png: only PNG is written, as it changes no pixel"
        )
    with replacing(path) as temporary:
        image.save(temporary, format="PNG")


@contextmanager
def _opened(path: str | Path, limit: int, minimum: int) -> Iterator[Image.Image]:
    """The image in a file, of which only the header has been read and checked."""
    _check_file(Path(path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on size and metadata; the first is checked here
        try:
            image = Image.open(path, formats=FORMATS)
        except Image.DecompressionBombError as error:
            raise UserError(_too_large(path, limit)) from error
        except _DAMAGE as error:
            raise UserError(
                f"{shown(path)} is no picture that can be read: give an undamaged PNG, JPEG, WebP, "
                "BMP, GIF or TIFF file"
            ) from error
        with image:
            _check_header(image, path, limit, minimum)
            yield image


def _check_file(path: Path) -> None:
    """Raises UserError unless there is a file with something in it."""
    try:
        if not path.exists():
            raise UserError(f"{shown(path)} does not exist: give the path of a picture")
        if not path.is_file():
            raise UserError(f"{shown(path)} is not a file: give the path of a picture")
        if path.stat().st_size == 0:
            raise UserError(f"{shown(path)} is empty: give the path of a picture")
    except OSError as error:
        raise UserError(f"{shown(path)} cannot be read: {error.strerror}") from error


def _check_header(image: Image.Image, path: str | Path, limit: int, minimum: int) -> None:
    """Raises UserError for a picture that is too large, too small, or animated."""
    width, height = image.size
    if width * height > limit:
        raise UserError(_too_large(path, limit, f" with {width}x{height} pixels"))
    if min(width, height) < minimum:
        raise UserError(
            f"{shown(path)} is {width}x{height} pixels: each side needs at least {minimum}"
        )
    try:
        animated = getattr(image, "is_animated", False)
    except _DAMAGE as error:
        raise UserError(_damaged(path)) from error
    if animated and image.format != "MPO":
        raise UserError(
            f"{shown(path)} holds several pictures (an animation or pages): save one of them"
        )


def _stored(image: Image.Image) -> str:
    """How the file holds the pixels, as Pillow's decoders call it: "L;4", "RGB;16B"."""
    tiles = getattr(image, "tile", None)
    return str(tiles[0][3]) if tiles else ""


def _cut_to_8_bits(image: Image.Image) -> bool:
    """Whether reading would cut 16 bits a channel to 8; a BMP's 16 are those of three channels."""
    return ";16" in _stored(image) and image.format != "BMP" and not image.mode.startswith("I;16")


def _rescale_transparent(image: Image.Image) -> None:
    """A gray PNG's transparent value as its pixels are read: Pillow spreads 2 and 4 bits over 0 to
    255, but not this."""
    key, factor = image.info.get("transparency"), {"L;2": 85, "L;4": 17}.get(_stored(image))
    if image.format == "PNG" and isinstance(key, int) and factor:
        image.info["transparency"] = key * factor


def _upright(image: Image.Image, path: str | Path) -> Image.Image:
    """The image fully read, its EXIF orientation applied."""
    try:
        image.load()
    except Image.DecompressionBombError as error:
        raise UserError(f"{shown(path)} is too large: scale it down first") from error
    except _DAMAGE as error:
        raise UserError(_damaged(path)) from error
    try:
        return ImageOps.exif_transpose(image)
    except _DAMAGE:  # broken metadata spoil no pixel
        return image.copy()


def _plain_mode(image: Image.Image, path: str | Path) -> Image.Image:
    """The image in a mode that can be edited, no value changed; UserError where that cannot be."""
    clear = image.has_transparency_data
    if image.mode in PLAIN:
        return image.convert(PLAIN[image.mode][clear])
    if image.mode.startswith("I;16") and not clear:
        plain = Image.fromarray(np.asarray(image).astype(np.uint16))
        plain.info = dict(image.info)
        return plain
    raise UserError(
        f"{shown(path)} is of the kind {image.mode}, which cannot be edited exactly: "
        "convert it to RGB, or gray, with 8 bits a channel first"
    )


def _notice(stored: str, plain: str, path: str | Path) -> str:
    """Why results have another mode than the file; "" where they have its own."""
    if stored == plain or stored.startswith("I;16"):
        return ""
    lacks = _LACKS.get(stored, "has one transparent colour, which an edit may need")
    return f"{shown(path)} {lacks}: results are saved as {plain}, the same colours outside"


def _mask_values(image: Image.Image, path: str | Path) -> np.ndarray:
    """What an image of any mode selects: float32 [H, W] in [0, 1]."""
    if image.mode.startswith("I;16"):
        return (np.asarray(image) / 65535).astype(np.float32)
    if image.mode in ("I", "F"):
        raise UserError(f"the mask {shown(path)} has 32 bits a pixel: save it as 8-bit gray")
    if image.mode in ("1", "L") and "transparency" not in image.info:
        return np.asarray(image.convert("L")).astype(np.float32) / 255
    values = np.asarray(image.convert("RGBA")).astype(np.float32) / 255
    colour, alpha = values[..., :3], values[..., 3]
    drawn = colour[alpha > alpha.max() / 2]
    if alpha.min() < 1 and (len(drawn) == 0 or np.ptp(drawn, axis=0).max() <= 0.01):
        return alpha
    if (np.ptp(colour, axis=2) * alpha).max() > 0.15:
        raise UserError(
            f"the mask {shown(path)} is in colours: a mask is black, white (= edit) and gray"
        )
    return colour.max(2) * alpha


def _damaged(path: str | Path) -> str:
    return f"{shown(path)} is damaged or cut short: get a whole copy of the file"


def _too_large(path: str | Path, limit: int, size: str = "") -> str:
    return f"{shown(path)} is too large{size}: scale it to at most {limit / 1e6:g} million pixels"
