import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lr_edit.crop import crop, mask_box, paste, paste_mask, square_crop
from lr_edit.errors import UserError

PATIENT = settings(deadline=None)  # a busy machine is no failure


@st.composite
def boxes(draw):
    """A picture size (width, height) and a box inside it."""
    width, height = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    x1, y1 = draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))
    return (width, height), (x0, y0, x1, y1)


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@PATIENT
@given(boxes())
def test_mask_box_is_the_smallest_box(case):
    (width, height), (x0, y0, x1, y1) = case
    mask = torch.zeros(1, 1, height, width)
    mask[..., y0, x0] = 0.01  # however weak
    mask[..., y1 - 1, x1 - 1] = 1
    assert mask_box(mask) == (x0, y0, x1, y1)


def test_an_empty_mask_has_no_box():
    with pytest.raises(UserError, match="empty"):
        mask_box(torch.zeros(1, 1, 4, 4))


@PATIENT
@given(boxes(), st.floats(0, 2), st.integers(1, 80))
def test_square_crop(case, context, minimum):
    (width, height), (x0, y0, x1, y1) = case
    left, top, right, bottom = square_crop((x0, y0, x1, y1), (width, height), context, minimum)
    side = right - left
    assert side == bottom - top >= minimum
    assert left <= x0 and top <= y0 and x1 <= right and y1 <= bottom
    for start, end, length in ((left, right, width), (top, bottom, height)):
        if side <= length:
            assert start >= 0 and end <= length
        else:
            assert start <= 0 and end >= length


def test_context_is_kept_on_each_side_and_stops_at_the_picture():
    box = (40, 40, 60, 50)
    assert square_crop(box, (200, 200), 0.5, 1) == (30, 25, 70, 65)
    assert square_crop(box, (100, 70), 0.5, 1) == (30, 25, 70, 65)
    assert square_crop(box, (100, 55), 3.0, 1) == (22, 0, 77, 55)
    assert square_crop((0, 0, 20, 10), (200, 200), 0.5, 1) == (0, 0, 40, 40)


@st.composite
def squares(draw):
    """A picture size and a square box that may lie partly or wholly outside it."""
    width, height, side = (
        draw(st.integers(1, 24)),
        draw(st.integers(1, 24)),
        draw(st.integers(1, 30)),
    )
    x0, y0 = draw(st.integers(-35, 30)), draw(st.integers(-35, 30))
    return (width, height), (x0, y0, x0 + side, y0 + side)


@PATIENT
@given(squares())
def test_pasting_a_crop_of_the_same_side_changes_nothing(case):
    (width, height), box = case
    image = noise(2, 3, height, width)
    assert torch.equal(paste(image, crop(image, box, box[2] - box[0]), box), image)


@PATIENT
@given(squares(), st.integers(1, 30))
def test_paste_changes_nothing_outside_the_box(case, side):
    (width, height), box = case
    image, patch = noise(1, 3, height, width), noise(2, 3, side, side, seed=1) + 5
    before = image.clone()
    result = paste(image, patch, box)
    rows, columns = torch.arange(height).view(-1, 1), torch.arange(width)
    x0, y0, x1, y1 = box
    inside = (rows >= y0) & (rows < y1) & (columns >= x0) & (columns < x1)
    assert result.shape == (2, 3, height, width)
    assert torch.equal(result[..., ~inside], image.expand(2, -1, -1, -1)[..., ~inside])
    assert (result[..., inside] > 3).all()
    assert torch.equal(image, before)


@PATIENT
@given(squares())
def test_crop_shows_the_picture_and_repeats_its_border(case):
    (width, height), (x0, y0, x1, y1) = case
    image = noise(1, 1, height, width)
    shown = crop(image, (x0, y0, x1, y1), x1 - x0)
    for i in {0, y1 - y0 - 1}:
        for j in {0, x1 - x0 - 1}:
            y, x = min(max(y0 + i, 0), height - 1), min(max(x0 + j, 0), width - 1)
            assert shown[0, 0, i, j] == image[0, 0, y, x]


@PATIENT
@given(st.integers(1, 40), st.integers(1, 40))
def test_resizing_stays_in_range(before, after):
    image = (noise(2, 1, before, before) > 0).float()
    resized = crop(image, (0, 0, before, before), after)
    assert resized.shape == (2, 1, after, after)
    assert resized.min() >= 0 and resized.max() <= 1


def test_shrinking_is_antialiased():
    """Each new pixel is a mean of many: noise nearly vanishes."""
    image = noise(1, 3, 64, 64)
    assert crop(image, (0, 0, 64, 64), 8).std() < 0.25 * image.std()


def test_a_smooth_picture_survives_the_way_there_and_back():
    ramp = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)
    box = (8, 8, 56, 56)
    there_and_back = paste(ramp, crop(ramp, box, 24), box)
    assert (there_and_back - ramp).abs().max() < 0.05


@PATIENT
@given(st.integers(12, 63), st.integers(0, 1000))
def test_what_was_enlarged_comes_back_as_sharp_as_it_was(side, seed):
    image, box = noise(1, 3, side, side, seed=seed), (0, 0, side, side)
    there_and_back = paste(image, crop(image, box, 64), box)
    assert (there_and_back - image).std() < 0.15 * image.std()


@PATIENT
@given(st.integers(12, 63), st.integers(0, 1000))
def test_noise_is_not_blown_up(side, seed):
    patch = noise(1, 3, 64, 64, seed=seed)
    shown = paste(torch.zeros(1, 3, side, side), patch, (0, 0, side, side))
    assert shown.std() < 1.2 * patch.std() and shown.abs().max() <= patch.abs().max()


@PATIENT
@given(squares(), st.integers(1, 60))
def test_a_mask_comes_back_without_ringing(case, side):
    (width, height), box = case
    half = torch.zeros(1, 1, side, side)
    half[..., : side // 2] = 1
    shown = paste_mask(half, (height, width), box)
    rows, columns = torch.arange(height).view(-1, 1), torch.arange(width)
    x0, y0, x1, y1 = box
    inside = (rows >= y0) & (rows < y1) & (columns >= x0) & (columns < x1)
    assert shown.shape == (1, 1, height, width)
    assert (shown[..., ~inside] == 0).all() and shown.min() >= 0 and shown.max() <= 1


def test_crop_is_differentiable():
    image = noise(1, 3, 16, 16).requires_grad_()
    crop(image, (4, 4, 12, 12), 5).sum().backward()
    assert image.grad is not None
    assert image.grad[..., 4:12, 4:12].abs().sum() > 0
    assert image.grad[..., :4, :].abs().sum() == 0


def test_a_box_that_is_not_square_is_refused():
    with pytest.raises(ValueError, match="not square"):
        crop(noise(1, 3, 8, 8), (0, 0, 4, 5), 4)
