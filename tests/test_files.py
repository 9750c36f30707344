import io
import os
import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from picture_files import noise, png_chunk, raw_png, refused, written
from PIL import Image, ImageCms

from lr_edit.errors import UserError
from lr_edit.files import load_mask, load_picture, save_image
from lr_edit.images import composite
from lr_edit.output import replacing

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def samples():
    """A picture of every mode that is read, and the mode that it is edited in."""
    rgb = Image.fromarray(noise())
    palette = rgb.quantize(16)
    clear = palette.copy()
    clear.info["transparency"] = 3
    yield "1", rgb.convert("1"), "L"
    yield "L", Image.fromarray(noise(channels=1)), "L"
    yield "LA", Image.fromarray(noise(channels=2)), "LA"
    yield "RGB", rgb, "RGB"
    yield "RGBA", Image.fromarray(noise(channels=4)), "RGBA"
    yield "P", palette, "RGB"
    yield "P+transparency", clear, "RGBA"
    yield "I;16", Image.fromarray(noise(channels=1, high=65536)), "I;16"


SAMPLES = {name: (image, mode) for name, image, mode in samples()}


@pytest.mark.parametrize("name", SAMPLES)
def test_outside_the_region_a_saved_edit_shows_what_the_file_showed(name, tmp_path):
    image, mode = SAMPLES[name]
    path = written(image, tmp_path / "in.png", icc_profile=SRGB)
    picture = load_picture(path)
    mask = torch.zeros(1, 1, 12, 20)
    mask[..., 3:8, 4:15] = 1
    save_image(composite(picture, -picture.pixels, mask), tmp_path / "out.png")
    result = Image.open(tmp_path / "out.png")
    assert result.mode == mode
    assert result.info["icc_profile"] == SRGB
    with Image.open(path) as before:
        before = before if before.mode == mode else before.convert(mode)
        outside = mask[0, 0].numpy() == 0
        assert np.array_equal(np.asarray(result)[outside], np.asarray(before)[outside])
        assert not np.array_equal(np.asarray(result), np.asarray(before))


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("1", ("black and white alone", "saved as L")),
        ("P", ("a palette", "saved as RGB,")),
        ("P+transparency", ("a palette", "saved as RGBA,")),
        ("L", ()), ("LA", ()), ("RGB", ()), ("RGBA", ()), ("I;16", ()),
    ],
)  # fmt: skip
def test_another_mode_is_told_and_nothing_else(name, parts, tmp_path):
    notice = load_picture(written(SAMPLES[name][0], tmp_path / "in.png")).notice
    assert bool(notice) == bool(parts) and "\n" not in notice
    assert all(part in notice for part in (*parts, "in.png" if parts else ""))


@pytest.mark.parametrize("name", SAMPLES)
def test_the_working_copy_is_what_a_viewer_shows_on_white(name, tmp_path):
    image, _ = SAMPLES[name]
    picture = load_picture(written(image, tmp_path / "in.png"))
    if name == "I;16":
        expected = np.asarray(image)[..., None].repeat(3, 2) / 65535
    else:
        white = Image.new("RGBA", image.size, "white")
        shown = Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
        expected = np.asarray(shown) / 255
    pixels = torch.from_numpy(expected * 2 - 1).permute(2, 0, 1)[None].float()
    assert picture.pixels.dtype == torch.float32
    assert torch.allclose(picture.pixels, pixels, atol=2.1 / 255)
    assert picture.gray == (name in ("1", "L", "LA", "I;16"))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff"])
def test_exif_orientation_is_applied_once(orientation, kind, tmp_path):
    stored = np.zeros((16, 24, 3), np.uint8)
    stored[:8, :8] = (250, 10, 10)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = written(Image.fromarray(stored), tmp_path / f"in.{kind}", exif=exif)
    picture = load_picture(path)
    assert picture.size == ((16, 24) if orientation > 4 else (24, 16))
    red = picture.pixels[0, 0] > 0.5
    rows, columns = red.nonzero().float().mean(0).tolist()
    low, right = rows > picture.size[1] / 2, columns > picture.size[0] / 2
    corners = {
        1: (0, 0),
        2: (0, 1),
        3: (1, 1),
        4: (1, 0),
        5: (0, 0),
        6: (0, 1),
        7: (1, 1),
        8: (1, 0),
    }
    assert (low, right) == corners[orientation]
    save_image(picture.original, tmp_path / "out.png")
    again = load_picture(tmp_path / "out.png")
    assert torch.equal(again.pixels, picture.pixels)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_transparent_color_key_becomes_alpha(mode, tmp_path):
    image = Image.new(mode, (10, 9), "white")
    image.paste("black", (0, 0, 4, 9))
    key = 0 if mode == "L" else (0, 0, 0)
    picture = load_picture(written(image, tmp_path / "in.png", transparency=key))
    assert picture.original.mode == {"L": "LA", "RGB": "RGBA"}[mode]
    assert picture.original.getchannel("A").getextrema() == (0, 255)
    assert (picture.pixels == 1).all()
    assert "one transparent colour" in picture.notice and "saved as" in picture.notice


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_transparent_gray_is_found_at_every_depth(depth, tmp_path):
    """Pillow spreads the values over 0 to 255, but not the one that is transparent."""
    most = 2**depth - 1
    bits = "".join(f"{value:0{depth}b}" for value in (0, most, 1, most, 0, most, 1, most))
    row = b"\0" + int(bits, 2).to_bytes(depth, "big")
    path = tmp_path / "in.png"
    path.write_bytes(raw_png(8, depth, 0, row * 8, png_chunk(b"tRNS", struct.pack(">H", most))))
    alpha = np.asarray(load_picture(path).original.getchannel("A"))
    expected = [255 * int(value != most) for value in (0, most, 1, most, 0, most, 1, most)]
    assert (alpha == expected).all()


def test_a_bmp_of_16_bits_a_pixel_has_8_a_channel_at_most(tmp_path):
    rows = struct.pack("<8H", *([0xF800, 0x07E0] * 4)) * 8  # red and green, of 5, 6 and 5 bits
    masks = struct.pack("<3I", 0xF800, 0x07E0, 0x001F)
    info = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, 16, 3, len(rows), 0, 0, 0, 0)
    start = 14 + len(info) + len(masks)
    head = b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start)
    path = tmp_path / "in.bmp"
    path.write_bytes(head + info + masks + rows)
    picture = np.asarray(load_picture(path).original)
    assert (picture[:, ::2] == (255, 0, 0)).all() and (picture[:, 1::2] == (0, 255, 0)).all()


@pytest.mark.parametrize("kind", ["jpeg", "webp", "bmp", "gif", "tiff"])
def test_other_formats_are_read(kind, tmp_path):
    path = written(Image.fromarray(noise()), tmp_path / f"in.{kind}")
    assert load_picture(path).size == (20, 12)


def test_the_first_picture_of_a_telephones_jpeg_is_taken(tmp_path):
    first, second = Image.new("RGB", (16, 16), "red"), Image.new("RGB", (8, 8), "blue")
    path = tmp_path / "in.jpg"
    first.save(path, format="MPO", save_all=True, append_images=[second])
    assert load_picture(path).pixels[0, :, 4, 4].round().tolist() == [1, -1, -1]


def test_16_bit_gray_of_either_byte_order(tmp_path):
    values = noise(channels=1, high=65536)
    path = written(Image.fromarray(values), tmp_path / "in.png")
    big = tmp_path / "big.tiff"
    Image.frombytes("I;16B", (20, 12), values.astype(">u2").tobytes()).save(big)
    for source in (path, big):
        assert np.array_equal(np.asarray(load_picture(source).original), values)


def sixteen_bit_png(channels):
    """A 16-bit colour PNG, which Pillow reads but cannot write."""
    rows = b"".join(b"\0" + bytes(10 * channels * 2) for _ in range(10))
    return raw_png(10, 16, {2: 4, 3: 2, 4: 6}[channels], rows)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_16_bit_color_is_refused(channels, tmp_path):
    path = tmp_path / "in.png"
    path.write_bytes(sixteen_bit_png(channels))
    Image.open(path).load()  # Pillow takes it without a word
    refused(lambda: load_picture(path), "16 bits", "8 bits")


@pytest.mark.parametrize("mode", ["CMYK", "LAB", "F", "I"])
def test_modes_that_cannot_be_kept_are_refused(mode, tmp_path):
    path = written(Image.new(mode, (10, 10)), tmp_path / "in.tiff")
    refused(lambda: load_picture(path), mode, "convert it to RGB")


def png(image=None):
    data = io.BytesIO()
    (image or Image.fromarray(noise())).save(data, "PNG")
    return data.getvalue()


def test_files_that_are_no_pictures(tmp_path):
    refused(lambda: load_picture(tmp_path / "no\nsuch.png"), "does not exist")
    refused(lambda: load_picture(tmp_path), "not a file")
    refused(lambda: load_picture(tmp_path / ("x" * 300)), "cannot be read")
    cases = {
        "empty.png": (b"", "empty"),
        "text.png": (b"hello, I am a picture\n" * 40, "no picture"),
        "header.png": (png()[:20], "picture"),
        "cut.png": (png()[:200], "damaged or cut short"),
        "eps.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n", "no picture"),
    }
    for name, (content, expected) in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        refused(lambda path=path: load_picture(path), expected, name)
        refused(lambda path=path: load_mask(path, (20, 12)), expected, name)


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "bmp", "gif", "tiff"])
def test_damaged_files_are_read_or_refused_never_worse(kind, tmp_path):
    whole = written(Image.fromarray(noise(16, 16)), tmp_path / f"whole.{kind}").read_bytes()
    path = tmp_path / f"in.{kind}"

    @SHARED
    @given(st.integers(0, len(whole)), st.lists(st.tuples(st.integers(0), st.integers(0, 255))))
    def check(length, changes):
        data = bytearray(whole)
        for place, value in changes:
            data[place % len(data)] = value
        path.write_bytes(data[:length])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                picture = load_picture(path, limit=10**6)
            except UserError as error:
                assert str(error).isprintable()
            else:
                assert picture.pixels.isfinite().all()

    check()


def test_huge_pictures_are_refused_before_they_are_read(tmp_path):
    path = tmp_path / "in.png"
    for side, limit in ((9_000, None), (10_500, None), (40_000, None), (100, 9_999)):
        data = bytearray(png(Image.new("1", (8, 8))))
        data[16:24] = side.to_bytes(4, "big") * 2
        data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
        path.write_bytes(data)
        options = {} if limit is None else {"limit": limit}
        refused(lambda options=options: load_picture(path, **options), "too large", "million")


def test_the_limit_is_inclusive(tmp_path):
    path = written(Image.new("L", (100, 80)), tmp_path / "in.png")
    assert load_picture(path, limit=8_000).size == (100, 80)
    refused(lambda: load_picture(path, limit=7_999), "100x80")


@pytest.mark.parametrize("size", [(1, 1), (10_000, 3), (7, 64)])
def test_tiny_sides_are_refused(size, tmp_path):
    path = written(Image.new("RGB", size), tmp_path / "in.png")
    refused(lambda: load_picture(path), f"{size[0]}x{size[1]}", "at least 8")


def test_long_pictures_are_fine(tmp_path):
    path = written(Image.new("RGB", (4000, 8)), tmp_path / "in.png")
    assert load_picture(path).pixels.shape == (1, 3, 8, 4000)


@pytest.mark.parametrize("kind", ["gif", "png", "webp", "tiff"])
def test_animations_are_refused(kind, tmp_path):
    frames = [Image.fromarray(noise(seed=seed)) for seed in range(3)]
    path = tmp_path / f"in.{kind}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    refused(lambda: load_picture(path), "several pictures")


# Writing


def test_saving_replaces_a_file_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    save_image(Image.new("RGB", (3, 2), "red"), path)
    assert Image.open(path).getpixel((0, 0)) == (255, 0, 0)
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.png"]
    beside = tmp_path / "plain"
    beside.write_bytes(b"")
    assert path.stat().st_mode == beside.stat().st_mode


def test_places_that_cannot_be_written_to(tmp_path, monkeypatch):
    image = Image.new("RGB", (3, 2))
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.png").mkdir()
    refused(lambda: save_image(image, tmp_path / "no" / "out.png"), "does not exist")
    refused(lambda: save_image(image, tmp_path / "file" / "out.png"), "does not exist")
    refused(lambda: save_image(image, tmp_path / "folder.png"), "cannot be written")
    refused(lambda: save_image(image, tmp_path / "out.jpg"), ".png")

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "old.png").write_bytes(b"old")
    monkeypatch.setattr(os, "replace", denied)
    refused(lambda: save_image(image, tmp_path / "old.png"), "Permission denied")
    assert (tmp_path / "old.png").read_bytes() == b"old"
    assert {entry.name for entry in tmp_path.iterdir()} == {"file", "folder.png", "old.png"}


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
def test_an_interrupted_write_loses_nothing(failure, tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old")
    with pytest.raises(failure), replacing(path) as temporary:
        temporary.write_text("ne")
        raise failure
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.json"]
    assert path.read_text() == "old"
