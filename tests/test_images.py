import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from lr_edit.images import (
    MODES,
    composite,
    from_uint8,
    from_unit,
    luma,
    mask_to_pil,
    picture_from_pil,
    picture_from_tensor,
    to_pil,
    to_uint8,
    to_unit,
)

PATIENT = settings(deadline=None)  # a busy machine is no failure

CHANNELS = {"L": (), "LA": (2,), "RGB": (3,), "RGBA": (4,), "I;16": ()}


@st.composite
def pictures(draw, modes=MODES):
    """A picture of any mode with random content, and its size."""
    mode = draw(st.sampled_from(modes))
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    dtype = np.uint16 if mode == "I;16" else np.uint8
    image = Image.fromarray(draw(hnp.arrays(dtype, (height, width, *CHANNELS[mode]))))
    assert image.mode == mode
    return picture_from_pil(image)


def random(picture, seed, channels):
    generator = torch.Generator().manual_seed(seed)
    width, height = picture.size
    return torch.rand(1, channels, height, width, generator=generator)


def test_every_8_bit_value_survives_the_conversions():
    levels = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1).expand(-1, -1, -1, 3)
    images = from_uint8(levels)
    assert images.min() == -1 and images.max() == 1
    assert torch.equal(to_uint8(images), levels)
    assert torch.equal(to_uint8(from_unit(to_unit(images))), levels)


def test_conversion_to_8_bits_rounds_and_clamps():
    values = torch.tensor([-3.0, -1.0, 0.99999, 7.0]).view(1, 1, 1, 4).expand(-1, 3, -1, -1)
    assert to_uint8(values)[0, 0, :, 0].tolist() == [0, 0, 255, 255]
    between = torch.tensor([99.6, 100.4]).view(1, 1, 1, 2).expand(-1, 3, -1, -1) / 127.5 - 1
    assert to_uint8(between)[0, 0, :, 0].tolist() == [100, 100]


def test_to_pil_keeps_the_order_of_rows_columns_and_channels():
    images = torch.full((2, 3, 2, 3), -1.0)
    images[1, 2, 1, 0] = 1  # blue, lower left
    first, second = to_pil(images)
    assert first.getextrema() == ((0, 0),) * 3
    assert second.size == (3, 2) and second.getpixel((0, 1)) == (0, 0, 255)


def test_mask_to_pil_is_white_where_the_edit_is():
    mask = torch.tensor([[[[0.0, 0.5, 1.0]]]])
    assert np.asarray(mask_to_pil(mask)).tolist() == [[0, 128, 255]]


@PATIENT
@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_luma_agrees_with_pillow(color):
    image = Image.new("RGB", (1, 1), color)
    ours = to_uint8(luma(picture_from_pil(image).pixels).expand(-1, 3, -1, -1))[0, 0, 0, 0]
    assert abs(int(ours) - image.convert("L").getpixel((0, 0))) <= 1


@PATIENT
@given(pictures(), st.integers(0, 99))
def test_nothing_changes_outside_the_mask(picture, seed):
    """Whatever the mode, and even where the edit is no number at all."""
    mask = random(picture, seed, 1) * (random(picture, seed + 1, 1) > 0.5)
    edited = from_unit(random(picture, seed + 2, 3)).masked_fill(mask == 0, float("nan"))
    result = composite(picture, edited, mask)
    outside = mask[0, 0].numpy() == 0
    assert result.mode == picture.original.mode
    assert np.array_equal(np.asarray(result)[outside], np.asarray(picture.original)[outside])


@PATIENT
@given(pictures())
def test_the_working_copy_laid_over_a_picture_gives_the_picture(picture):
    """For all modes, so also for 16 bits and for any transparency."""
    everything = torch.ones_like(picture.pixels[:, :1])
    result = composite(picture, picture.pixels, everything)
    assert np.array_equal(np.asarray(result), np.asarray(picture.original))


@PATIENT
@given(pictures(("RGB", "L", "I;16")), st.integers(0, 99))
def test_a_full_mask_shows_the_edit(picture, seed):
    edited = from_unit(random(picture, seed, 3))
    result = composite(picture, edited, torch.ones_like(edited[:, :1]))
    wanted = luma(edited).expand_as(edited) if picture.gray else edited
    assert torch.allclose(picture_from_pil(result).pixels, wanted, atol=1.01 / 255)


@PATIENT
@given(pictures(("RGBA", "LA")), st.integers(0, 99))
def test_alpha_never_changes(picture, seed):
    edited = from_unit(random(picture, seed, 3))
    result = composite(picture, edited, torch.ones_like(edited[:, :1]))
    assert result.getchannel("A").tobytes() == picture.original.getchannel("A").tobytes()


def test_a_soft_mask_mixes():
    picture = picture_from_tensor(torch.full((1, 3, 1, 3), -1.0))
    mask = torch.tensor([[[[0.0, 0.2, 1.0]]]])
    result = composite(picture, torch.ones(1, 3, 1, 3), mask)
    assert np.asarray(result)[0, :, 0].tolist() == [0, 51, 255]


def test_transparency_is_seen_on_white():
    clear = picture_from_pil(Image.new("RGBA", (2, 2), (255, 0, 0, 0)))
    assert torch.equal(clear.pixels, torch.ones(1, 3, 2, 2))


def test_the_profile_survives_the_composite():
    image = Image.new("RGB", (2, 2))
    image.info["icc_profile"] = b"profile"
    picture = picture_from_pil(image)
    result = composite(picture, picture.pixels, torch.ones(1, 1, 2, 2))
    assert result.info["icc_profile"] == b"profile"


def test_a_picture_from_a_tensor_is_what_its_file_would_be():
    pixels = from_unit(torch.rand(1, 3, 5, 7, generator=torch.Generator().manual_seed(0)))
    picture = picture_from_tensor(pixels)
    assert picture.size == (7, 5) and not picture.gray
    assert torch.equal(picture.pixels, from_uint8(to_uint8(pixels)))
    again = picture_from_pil(picture.original)
    assert torch.allclose(again.pixels, picture.pixels, atol=1e-6)


def test_wrong_shapes_and_modes_are_refused():
    picture = picture_from_tensor(torch.zeros(1, 3, 4, 5))
    with pytest.raises(ValueError, match="5x4"):
        composite(picture, torch.zeros(1, 3, 5, 4), torch.zeros(1, 1, 4, 5))
    with pytest.raises(ValueError, match="CMYK"):
        picture_from_pil(Image.new("CMYK", (2, 2)))
