"""Figures of a finished edit: ranges, closed forms, and what must not matter."""

import math

import pytest
import torch
from editor_fakes import EdgeDistance, box_mask, picture
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lr_edit.errors import UserError
from lr_edit.evaluation.metrics import (
    LEAST_SIDE,
    PSNR_CAP,
    crop_box,
    identical_outside,
    lpips,
    overlap,
    psnr,
    region_crop,
    ssim,
    wilson_interval,
)

quick = settings(max_examples=25, deadline=None)


@st.composite
def boxes(draw: st.DrawFn, side: int = 24) -> Tensor:
    """The mask of a box in a square picture."""
    x0, y0 = draw(st.integers(0, side - 1)), draw(st.integers(0, side - 1))
    x1, y1 = draw(st.integers(x0 + 1, side)), draw(st.integers(y0 + 1, side))
    return box_mask(side, side, x0, y0, x1, y1)


@quick
@given(boxes(), st.floats(0.02, 0.5))
def test_psnr_of_a_shift_is_the_same_in_an_area_of_any_size(area: Tensor, shift: float) -> None:
    image = picture() * 0.5
    expected = min(PSNR_CAP, 20 * math.log10(2 / shift))
    assert psnr(image, image + shift, area).item() == pytest.approx(expected, abs=1e-3)


@quick
@given(boxes())
def test_psnr_sees_nothing_outside_its_area(area: Tensor) -> None:
    image = picture()
    spoiled = torch.where(area > 0, image, -image)
    assert psnr(image, spoiled, area).item() == PSNR_CAP
    if area.mean() < 1:
        assert psnr(image, spoiled, 1 - area).item() < PSNR_CAP


def test_psnr_of_an_empty_area_and_of_several_pictures() -> None:
    image = picture()
    assert psnr(image, -image, torch.zeros(1, 1, 24, 24)).item() == PSNR_CAP
    pair = torch.cat((image, image + 0.2))
    values = psnr(pair, image.expand(2, -1, -1, -1), torch.ones(1, 1, 24, 24))
    assert values.tolist() == pytest.approx([PSNR_CAP, 20.0], abs=1e-3)


def test_ssim_is_one_for_itself_and_falls_with_noise() -> None:
    image = picture(32, 32)
    noise = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    levels = torch.cat([(image + s * noise).clamp(-1, 1) for s in (0.0, 0.05, 0.2, 0.8)])
    values = ssim(levels, image.expand(4, -1, -1, -1))
    assert values.shape == (4,)
    assert values[0].item() == pytest.approx(1, abs=1e-5)
    assert values.tolist() == sorted(values.tolist(), reverse=True)
    alone = ssim(levels[2:3], image)
    torch.testing.assert_close(alone, values[2:3])


def test_lpips_is_the_networks_distance_without_a_graph() -> None:
    image = picture().requires_grad_()
    value = lpips(EdgeDistance(), image, -image)
    torch.testing.assert_close(value, EdgeDistance().distance(image, -image).detach())
    assert not value.requires_grad


@quick
@given(boxes(side=64))
def test_the_crop_holds_the_region_pixel_for_pixel(mask: Tensor) -> None:
    x0, y0, x1, y1 = crop_box(mask)
    assert x1 - x0 == y1 - y0 >= LEAST_SIDE
    image = picture(64, 64)
    cut = region_crop(image, mask)
    assert region_crop(mask, mask).sum() == mask.sum()
    torch.testing.assert_close(cut, image[:, :, y0:y1, x0:x1], rtol=0, atol=0)


def test_no_crop_of_an_empty_region() -> None:
    with pytest.raises(UserError, match="empty"):
        crop_box(torch.zeros(1, 1, 8, 8))


@quick
@given(boxes(), st.integers(0, 23), st.integers(0, 23))
def test_one_changed_pixel_counts_only_outside(mask: Tensor, x: int, y: int) -> None:
    image = picture()
    changed = image.clone()
    changed[..., y, x] += torch.where(image[..., y, x] > 0, -0.02, 0.02)
    pair = torch.cat((image, changed))
    same = identical_outside(pair, image.expand(2, -1, -1, -1), mask)
    assert same.tolist() == [True, bool(mask[0, 0, y, x] > 0)]


def test_less_than_a_level_of_eight_bits_is_no_change() -> None:
    level = torch.full((1, 3, 4, 4), 0.5)
    assert identical_outside(level, level + 1e-4, torch.zeros(1, 1, 4, 4)).all()


@quick
@given(boxes(), boxes())
def test_overlap_is_symmetric_and_within_its_range(first: Tensor, second: Tensor) -> None:
    there, back = overlap(first, second), overlap(second, first)
    assert there.iou == back.iou
    assert (there.recall, there.precision) == (back.precision, back.recall)
    assert 0 <= there.iou <= min(there.recall, there.precision) <= 1
    assert there.area == pytest.approx(first.mean().item())


def test_overlap_of_known_boxes() -> None:
    half, whole = box_mask(8, 8, 0, 0, 4, 8), torch.ones(1, 1, 8, 8)
    assert overlap(half, whole).iou == 0.5
    assert (overlap(half, whole).recall, overlap(half, whole).precision) == (0.5, 1.0)
    assert overlap(half, 1 - half).iou == 0
    assert overlap(whole * 0, whole * 0).iou == 1


@quick
@given(st.integers(1, 300), st.data())
def test_the_wilson_interval_holds_the_rate(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1
    assert low < high
    mirrored = wilson_interval(trials - successes, trials)
    assert mirrored == pytest.approx((1 - high, 1 - low))


def test_wilson_intervals_of_known_counts() -> None:
    assert wilson_interval(0, 0) == (0, 1)
    assert wilson_interval(8, 10) == pytest.approx((0.490, 0.943), abs=1e-3)  # Wilson (1927)
    assert wilson_interval(180, 200) == pytest.approx((0.851, 0.934), abs=1e-3)
    with pytest.raises(ValueError, match="successes"):
        wilson_interval(3, 2)
