"""infer.py on files of every kind: what it refuses, what it keeps, and that the outside stays."""

from pathlib import Path

import numpy as np
import pytest
from infer_calls import quick_edit, white
from PIL import Image
from test_files import noise, sixteen_bit_png

from lr_edit.cli.main import main
from lr_edit.files import load_picture

SMOOTH = Image.fromarray(noise(6, 8)).resize((72, 54), Image.Resampling.BICUBIC)


def edited(folder: Path, image: Path) -> Image.Image:
    """What the tabletop models make of a box in the middle of a picture, upright."""
    with Image.open(image) as source:
        turned = source.getexif().get(0x0112, 1) > 4
        width, height = source.size[::-1] if turned else source.size
    box = (width * 3 // 8, height * 3 // 8, width * 5 // 8, height * 5 // 8)
    white((width, height), box).save(folder / "mask.png")
    words = quick_edit(folder, image=image, mask=folder / "mask.png", replace=None, count=1)
    assert main(words) == 0
    result = Image.open(folder / "out" / "edit.png")
    assert result.format == "PNG" and result.size == (width, height)
    return result


def check_outside(result: Image.Image, expected: Image.Image) -> None:
    """Identical far from the box, in the same mode, and changed in it."""
    assert result.mode == expected.mode
    after, before = np.asarray(result), np.asarray(expected)
    differs = (after != before).reshape(*after.shape[:2], -1).any(axis=2)
    rows, columns = np.flatnonzero(differs.any(1)), np.flatnonzero(differs.any(0))
    assert len(rows) and differs[after.shape[0] // 2, after.shape[1] // 2]
    for found, length in ((rows, after.shape[0]), (columns, after.shape[1])):
        assert found[0] >= length / 4 and found[-1] < length * 3 / 4


@pytest.fixture
def refused(tmp_path, capsys):
    """Asserts one clear line and status 2, and that nothing is written."""

    def check(image: Path, *words: str) -> None:
        assert main(quick_edit(tmp_path, image=image)) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("infer.py: ") and err.count("\n") == 1
        assert all(word in err for word in words) and not (tmp_path / "out").exists()

    return check


def test_a_large_jpeg_that_lies_on_its_side(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "photo.jpg"
    SMOOTH.resize((3000, 2000)).save(path, exif=exif, quality=80)
    with Image.open(path) as stored:
        upright = stored.transpose(Image.Transpose.ROTATE_270)
    result = edited(tmp_path, path)
    check_outside(result, upright)
    assert not result.getexif()


def test_a_gray_jpeg_stays_gray(tmp_path):
    path = tmp_path / "photo.jpg"
    SMOOTH.convert("L").save(path)
    with Image.open(path) as stored:
        check_outside(edited(tmp_path, path), stored)


def test_gray_of_16_bits_keeps_every_bit(tmp_path):
    deep = Image.fromarray(np.asarray(SMOOTH.convert("L")).astype(np.uint16) * 251 + 7)
    deep.save(tmp_path / "photo.png")
    check_outside(edited(tmp_path, tmp_path / "photo.png"), deep)


def test_a_palette_with_transparency_becomes_rgba_which_is_told(tmp_path, capsys):
    drawn = SMOOTH.quantize(64)
    drawn.info["transparency"] = drawn.getpixel((2, 2))
    drawn.save(tmp_path / "photo.png")
    with Image.open(tmp_path / "photo.png") as stored:
        assert stored.mode == "P"
        expected = stored.convert("RGBA")
    check_outside(edited(tmp_path, tmp_path / "photo.png"), expected)
    assert expected.getchannel("A").getextrema() == (0, 255)
    notice = load_picture(tmp_path / "photo.png").notice
    assert "palette" in notice and "saved as RGBA" in notice
    assert capsys.readouterr().err == f"infer.py: {notice}\n"


def test_what_cannot_be_kept_exactly_is_refused(tmp_path, refused):
    SMOOTH.convert("CMYK").save(tmp_path / "print.jpg")
    refused(tmp_path / "print.jpg", "CMYK", "convert it to RGB")
    (tmp_path / "deep.png").write_bytes(sixteen_bit_png(3))
    refused(tmp_path / "deep.png", "16 bits", "8 bits a channel")
