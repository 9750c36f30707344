"""The square around a region: what of it is painted, and how much around it is shown."""

import pytest
from editor_fakes import box_mask, picture
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from lr_edit.crop import crop
from lr_edit.editors.options import WindowOptions
from lr_edit.editors.window import Window, match_color, open_window


@pytest.mark.parametrize("width", [1, 2, 3, 5])
@pytest.mark.parametrize("tall", [False, True])
def test_what_is_thinner_than_a_pixel_of_the_model_is_painted_whole(width, tall):
    """A line across a large picture, of which averages would leave a tenth."""
    region = box_mask(256, 256, 20, 101, 236, 101 + width)
    region = region.mT if tall else region
    window = open_window(picture(256, 256), region, 32, WindowOptions(minimum=8, grow=0))
    assert window.box[2] - window.box[0] > 200
    across = window.mask[0, 0].amax(1 if tall else 0)
    assert across[4:-4].min() > 0.95
    assert window.mask.amax() <= 1 and window.hole.sum() >= 24


def test_a_thin_tail_of_a_thick_thing_is_painted_whole_and_the_rest_as_ever():
    thick = box_mask(256, 256, 20, 60, 120, 160)
    tail = box_mask(256, 256, 20, 100, 236, 102)
    options = WindowOptions(minimum=240, grow=0)
    with_tail = open_window(picture(256, 256), (thick + tail).clamp(max=1), 32, options)
    alone = crop(thick, with_tail.box, 32)
    assert with_tail.mask[0, 0, :, 19:26].amax(0).min() > 0.95
    assert_close(with_tail.mask[..., :10], alone[..., :10])


def window_with_cast(cast: float) -> tuple[Tensor, Window]:
    """A window, and what a model paints that sees every colour shifted by `cast`."""
    image = 0.5 * picture(32, 32)
    window = open_window(
        image, box_mask(32, 32, 10, 10, 20, 20), 32, WindowOptions(minimum=32, grow=0)
    )
    return window.source + cast, window


@pytest.mark.parametrize("cast", [0.1, -0.15])
def test_a_colour_cast_is_taken_back(cast):
    unblended, window = window_with_cast(cast)
    matched = match_color(unblended, unblended, window)
    assert_close(matched, window.source, atol=1e-5, rtol=0)


def test_another_picture_is_no_colour_cast():
    unblended, window = window_with_cast(-0.45)
    matched = match_color(unblended, unblended, window)
    assert (matched - unblended).amax().item() == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("region", "side"),
    [(4, 20), (10, 22), (15, 32), (20, 32), (30, 45), (60, 80)],
)
def test_surroundings_give_way_before_the_picture_is_shrunk(region, side):
    square = box_mask(80, 80, 10, 10, 10 + region, 10 + region)
    options = WindowOptions(context=0.5, minimum=20, grow=2)
    left, _, right, _ = open_window(picture(80, 80), square, 32, options).box
    assert right - left == side


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_window_leaves_room_for_the_region_to_grow(data):
    size = 32
    height, width = data.draw(st.integers(40, 80)), data.draw(st.integers(40, 80))
    x0, y0 = data.draw(st.integers(8, width - 20)), data.draw(st.integers(8, height - 20))
    x1, y1 = data.draw(st.integers(x0 + 1, width - 8)), data.draw(st.integers(y0 + 1, height - 8))
    region = box_mask(height, width, x0, y0, x1, y1)
    options = WindowOptions(minimum=8, grow=data.draw(st.integers(0, 5)))
    window = open_window(picture(height, width), region, size, options)
    left, top, right, bottom = window.box
    assert right - left == bottom - top
    assert left <= x0 and top <= y0 and right >= x1 and bottom >= y1
    inside = (window.mask > 0.5)[0, 0]
    if left > 0:
        assert not inside[:, 0].any()
    if right < width:
        assert not inside[:, -1].any()
    if top > 0:
        assert not inside[0].any()
    if bottom < height:
        assert not inside[-1].any()
