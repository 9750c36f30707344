"""The square around a region: what of it is painted, and how much around it is shown."""

import pytest
import torch
from editor_fakes import GaussianDiffusion, box_mask, picture
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from lr_edit.crop import crop
from lr_edit.editors.guided import GuidedEditor
from lr_edit.editors.options import SamplingOptions, WindowOptions
from lr_edit.editors.window import Window, close_window, match_color, open_window
from lr_edit.errors import UserError
from lr_edit.guidance.options import NO_GUIDANCE
from lr_edit.masks import grow_mask


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


@pytest.mark.parametrize(("feather", "complete"), [(0, False), (2, False), (2, True)])
def test_what_is_not_to_grow_keeps_to_the_region_as_drawn(feather, complete):
    """A 200-pixel square of 800x600, of which a pixel of the model is several of the picture."""
    image, region = picture(600, 800), box_mask(600, 800, 301, 187, 501, 387)
    grows = {"grow": 5, "margin": 0} if complete else {"grow": 0, "margin": 3}
    editor = GuidedEditor(
        GaussianDiffusion(size=32),
        weights=NO_GUIDANCE,
        sampling=SamplingOptions(steps=2, bf16=False),
        window=WindowOptions(feather=feather, **grows),
    )
    edit = editor.edit(image, region, "a cat", seeds=[1], complete=complete)
    assert (edit.mask[region == 0] == 0).all() and (edit.mask <= region).all()
    assert not ((edit.candidates != image) & (region == 0)).any()
    assert edit.mask[..., 220:350, 340:460].min() > 0.95


def test_soft_regions_that_do_not_grow_are_repainted_no_more_than_they_say():
    region = torch.rand(1, 1, 60, 80, generator=torch.Generator().manual_seed(3)).clamp(min=0.3)
    region[..., :10, :] = 0
    window = open_window(picture(60, 80), region, 32, WindowOptions(grow=0, feather=0))
    assert (close_window(picture(60, 80), window.source, window)[1] <= region).all()


@st.composite
def windows(draw, size=64):
    """A picture's size (H, W), a box in it, and options with a grow that fits."""
    height, width = draw(st.integers(16, 240)), draw(st.integers(16, 240))
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    x1, y1 = draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))
    options = WindowOptions(
        context=draw(st.sampled_from([0.0, 0.3])),
        minimum=draw(st.sampled_from([8, 44])),
        grow=draw(st.integers(0, size // 2 - size // 16 - 1)),
        feather=draw(st.integers(0, 6)),
    )
    return (height, width), (x0, y0, x1, y1), options


@settings(max_examples=100, deadline=None)
@given(windows())
def test_the_windows_border_is_kept_where_it_is_inside_the_picture(case):
    (height, width), box, options = case
    image, region = picture(height, width), box_mask(height, width, *box)
    window = open_window(image, region, 64, options)
    left, top, right, bottom = window.box
    full = close_window(image, window.source, window)[1]
    for weight, (x0, y0, x1, y1) in ((window.weight, (0, 0, 64, 64)), (full, window.box)):
        rows, columns = weight[0, 0].amax(1), weight[0, 0].amax(0)
        assert top <= 0 or rows[y0] == 0
        assert left <= 0 or columns[x0] == 0
        assert bottom >= height or rows[y1 - 1] == 0
        assert right >= width or columns[x1 - 1] == 0


@settings(max_examples=40, deadline=None)
@given(windows())
def test_the_window_widens_until_the_region_grows_as_asked(case):
    (height, width), box, options = case
    region = box_mask(height, width, *box)
    window = open_window(picture(height, width), region, 64, options)
    left, top, right, bottom = window.box
    inside = (grow_mask(window.thing, options.grow) > 0.5)[0, 0]
    assert top <= 0 or not inside[0].any()
    assert left <= 0 or not inside[:, 0].any()
    assert bottom >= height or not inside[-1].any()
    assert right >= width or not inside[:, -1].any()


@pytest.mark.parametrize("grow", [16, 20, 27])
def test_a_region_that_grows_far_has_no_straight_seam(grow):
    image, region = picture(300, 300), box_mask(300, 300, 140, 140, 160, 160)
    window = open_window(image, region, 64, WindowOptions(grow=grow))
    assert max(window.mask[..., 0, :].max(), window.mask[..., -1].max()) < 0.1  # resizing rings
    wide = (window.mask[0, 0] > 0.5).any(0).sum() - (window.thing[0, 0] > 0.5).any(0).sum()
    assert wide == 2 * grow
    weight = close_window(image, window.source, window)[1]
    left, top, right, bottom = window.box
    assert left > 0 and top > 0 and right < 300 and bottom < 300
    for inner in (weight[..., left + 1], weight[..., right - 2]):
        assert inner.max() < 0.6
    for inner in (weight[..., top + 1, :], weight[..., bottom - 2, :]):
        assert inner.max() < 0.6


@pytest.mark.parametrize(("complete", "name"), [(False, "grow"), (True, "margin")])
def test_a_region_that_cannot_grow_so_far_is_refused(complete, name):
    image, region = picture(300, 300), box_mask(300, 300, 140, 140, 160, 160)
    open_window(image, region, 64, WindowOptions(**{name: 27}), complete)
    with pytest.raises(
        UserError, match=rf"window\.{name} is 28, .*64 pixels.* 27 at most"
    ) as error:
        open_window(image, region, 64, WindowOptions(**{name: 28}), complete)
    assert error.value.status == 2 and "\n" not in str(error.value)
    whole = open_window(image, torch.ones_like(region), 64, WindowOptions(**{name: 28}), complete)
    assert whole.box == (0, 0, 300, 300)  # a window of the whole picture has no border inside it
