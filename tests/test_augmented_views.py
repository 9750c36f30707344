"""Views of parts of pictures: squares cut out of a batch, each distorted in its own way."""

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lr_edit.images import luma
from lr_edit.tabletop.augmented_views import (
    UNCHANGED,
    blurred,
    drawn_change,
    recoloured,
    turned,
    views,
)


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, 32, 32, 3), generator=generator, dtype=torch.uint8)


def test_what_is_unchanged_is_the_part_inside_the_box() -> None:
    column = torch.arange(32) * 8
    across = column.expand(32, 32)
    ramp = torch.stack((across, across.T, 0 * across), -1)
    pictures = torch.stack((ramp, 255 - ramp)).to(torch.uint8)
    boxes = torch.tensor([[[4, 8, 20, 24], [12, 2, 20, 10]], [[0, 0, 32, 32], [10, 16, 26, 32]]])
    made = views(pictures, boxes.float(), torch.tensor(UNCHANGED).expand(2, 2, -1), 16)
    assert made.shape == (2, 2, 3, 16, 16) and made.dtype == torch.float32
    for picture, way in ((0, 1), (1, -1)):
        for k, (x0, y0, x1, _) in enumerate(boxes[picture].tolist()):
            places = (torch.arange(16) + 0.5) * (x1 - x0) / 16 - 0.5
            wide, high = (way * ((start + places) * 8 / 127.5 - 1) for start in (x0, y0))
            inner = made[picture, k, :, 1:-1, 1:-1]
            torch.testing.assert_close(inner[0], wide[1:-1].expand(14, 14))
            torch.testing.assert_close(inner[1], high[1:-1, None].expand(14, 14))


def test_every_view_is_distorted_in_its_own_way(pictures: Tensor) -> None:
    rows = [UNCHANGED, (1.0, *UNCHANGED[1:]), (*UNCHANGED[:5], 1.0, 0.0), (*UNCHANGED[:6], 1.0)]
    boxes = torch.tensor([0.0, 0, 32, 32]).expand(2, 4, -1)
    plain, flipped, gray, soft = views(
        pictures, boxes, torch.tensor(rows).expand(2, -1, -1), 32
    ).unbind(1)
    torch.testing.assert_close(flipped, plain.flip(-1))
    torch.testing.assert_close(gray[:, 0], gray[:, 1])
    torch.testing.assert_close(luma(gray), luma(plain))
    assert soft.std() < 0.7 * plain.std()
    torch.testing.assert_close(soft, blurred(plain, torch.ones(2)))


def test_autocast_changes_nothing(pictures: Tensor) -> None:
    boxes = torch.tensor([1.0, 3, 20, 22]).expand(2, 1, -1)
    changes = torch.tensor([[drawn_change(random.Random(2), 1.0)]]).expand(2, -1, -1)
    plain = views(pictures, boxes, changes, 16)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(views(pictures, boxes, changes, 16), plain)


def test_recolouring_keeps_the_range_and_sometimes_the_picture() -> None:
    image = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    changes = torch.tensor([drawn_change(random.Random(k), 0.5) for k in range(60)])
    results = recoloured(image.expand(60, -1, -1, -1), changes)
    assert results.shape == (60, 3, 8, 8) and results.abs().max() <= 1
    gray = (results - results.mean(1, keepdim=True)).abs().amax((1, 2, 3)) < 1e-5
    assert torch.equal(gray, changes[:, 5] > 0) and gray.any() and not gray.all()
    same = (results - image).abs().amax((1, 2, 3)) < 1e-5
    assert torch.equal(same, (changes[:, 1:6] == torch.tensor(UNCHANGED[1:6])).all(1))
    assert same.any()


@pytest.mark.parametrize(("place", "mean", "spread"), [(2, 0.5, 1.5), (3, 0.0, 1.5)])
def test_brightness_and_contrast_scale_levels(place: int, mean: float, spread: float) -> None:
    image = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(1)) * 0.4 - 0.2
    image = (image - image.mean()).expand(1, 3, 8, 8)
    change = torch.tensor([UNCHANGED])
    change[0, place] = 1.5
    result = recoloured(image, change)
    assert result.mean() == pytest.approx(mean, abs=1e-5)
    torch.testing.assert_close(result - result.mean(), spread * image)


@given(st.floats(-3.1, 3.1))
def test_turning_colours_changes_hues_alone(angle: float) -> None:
    colour, gray = torch.tensor([0.9, -0.4, 0.1]), torch.full((3,), 0.3)
    forth, back = turned(torch.tensor([angle, -angle]))
    there = forth @ colour
    torch.testing.assert_close(forth @ gray, gray)
    torch.testing.assert_close(there.mean(), colour.mean())
    torch.testing.assert_close((there - there.mean()).norm(), (colour - colour.mean()).norm())
    torch.testing.assert_close(back @ there, colour)


def test_blur_spreads_a_point_as_far_as_it_is_told() -> None:
    point = torch.zeros(3, 1, 17, 17)
    point[..., 8, 8] = 1
    soft = blurred(point, torch.tensor([0.0, 0.5, 1.0]))
    torch.testing.assert_close(soft[0], point[0])
    torch.testing.assert_close(soft.sum((1, 2, 3)), torch.ones(3))
    offsets = torch.arange(17) - 8.0
    widths = (soft[:, 0].sum(1) * offsets**2).sum(-1).sqrt()
    torch.testing.assert_close(widths[1:], torch.tensor([0.5, 1.0]), rtol=0.1, atol=0)
    torch.testing.assert_close(soft, soft.transpose(-1, -2))


def test_distortions_are_drawn_as_often_as_told() -> None:
    drawn = torch.tensor([drawn_change(random.Random(k), 0.2) for k in range(2000)])
    shares = {0: 0.5, 5: 0.15}
    for place, share in shares.items():
        assert drawn[:, place].mean() == pytest.approx(share, abs=0.04)
    assert (drawn[:, 6] > 0).float().mean() == pytest.approx(0.2, abs=0.04)
    assert (drawn[:, 1] != 0).float().mean() == pytest.approx(0.8, abs=0.04)
    assert ((drawn[:, 2:5] >= 0.7) & (drawn[:, 2:5] <= 1.3)).all()
