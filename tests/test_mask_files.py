"""Masks as files: white is the edit, in whatever mode they come."""

import numpy as np
import pytest
import torch
from picture_files import noise, refused, written
from PIL import Image

from lr_edit.crop import mask_box
from lr_edit.files import load_mask


def mask_of(image, path):
    return load_mask(written(image, path), image.size)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P", "I;16"])
def test_white_is_the_edit_in_any_mode(mode, tmp_path):
    black_and_white = Image.new("L", (20, 12))
    black_and_white.paste(255, (5, 2, 10, 9))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(black_and_white).astype(np.uint16) * 257)
    else:
        image = black_and_white.convert(mode)
    mask = mask_of(image, tmp_path / "mask.png")
    expected = torch.zeros(1, 1, 12, 20)
    expected[..., 2:9, 5:10] = 1
    assert mask.dtype == torch.float32
    assert torch.equal(mask, expected)


def test_soft_masks_stay_soft(tmp_path):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = torch.arange(256).view(1, 1, 16, 16) / 255
    expected[expected < 12 / 255] = 0  # looks black
    for mode in ("L", "RGB", "RGBA"):
        mask = mask_of(Image.fromarray(levels).convert(mode), tmp_path / "mask.png")
        assert torch.allclose(mask, expected, atol=1e-6)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "I;16"])
def test_what_looks_black_is_black(mode, tmp_path):
    """A stray pixel, and a background that is not quite black, enlarge no window."""
    levels = np.zeros((12, 20), np.uint8)
    levels[2:9, 5:10], levels[4, 10] = 255, 12
    stray, background = levels.copy(), levels.clip(min=1)
    stray[11, 19] = 11
    for drawn in (stray, background):
        image = Image.fromarray(drawn.astype(np.uint16) * 257 if mode == "I;16" else drawn)
        mask = mask_of(image if mode == "I;16" else image.convert(mode), tmp_path / "mask.png")
        assert mask_box(mask) == (5, 2, 11, 9) and mask.dtype == torch.float32
        assert mask[0, 0, 4, 10] == pytest.approx(12 / 255) and mask.mean() < 0.15


@pytest.mark.parametrize("color", ["black", "white", "red"])
def test_a_mask_drawn_on_nothing_is_its_alpha(color, tmp_path):
    image = Image.new("RGBA", (20, 12))
    image.paste(color, (5, 2, 10, 9))
    image.putpixel((0, 0), (*image.getpixel((5, 2))[:3], 51))
    mask = mask_of(image, tmp_path / "mask.png")
    assert mask.sum() == pytest.approx(35.2)
    assert mask[0, 0, 2, 5] == 1 and mask[0, 0, 0, 0] == pytest.approx(0.2)


def test_transparent_parts_of_a_black_and_white_mask_are_black(tmp_path):
    image = Image.new("LA", (20, 12), (0, 255))
    image.paste((255, 255), (5, 2, 10, 9))
    image.paste((255, 0), (0, 0, 5, 12))
    assert mask_of(image, tmp_path / "mask.png").sum() == 35


def test_an_all_white_mask_is_allowed(tmp_path):
    assert mask_of(Image.new("L", (9, 5), 255), tmp_path / "mask.png").sum() == 45


def test_masks_are_turned_as_pictures_are(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = written(Image.new("L", (20, 12), 255), tmp_path / "mask.png", exif=exif)
    assert load_mask(path, (12, 20)).shape == (1, 1, 20, 12)


def test_masks_that_cannot_be_meant(tmp_path):
    path = tmp_path / "mask.png"
    index = Image.fromarray(noise(channels=1, high=2))
    deep = Image.fromarray(noise(channels=1, high=2).astype(np.uint16) * 255)
    clear = Image.new("RGBA", (20, 12), (255, 255, 255, 0))
    refused(lambda: mask_of(Image.new("L", (20, 12)), path), "selects nothing")
    refused(lambda: mask_of(clear, path), "selects nothing")
    refused(lambda: mask_of(index, path), "highest value 1 of 255", "scale it up")
    refused(lambda: mask_of(deep, path), "scale it up")
    refused(lambda: mask_of(Image.fromarray(noise()), path), "in colours")
    path = written(Image.new("L", (20, 12), 255), path)
    refused(lambda: load_mask(path, (30, 12)), "20x12", "30x12")
    float_mask = written(Image.new("F", (20, 12), 1.0), tmp_path / "mask.tiff")
    refused(lambda: load_mask(float_mask, (20, 12)), "32 bits")
