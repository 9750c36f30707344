import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lr_edit.errors import UserError
from lr_edit.masks import feather_mask, grow_mask, large_pieces, separated

PATIENT = settings(deadline=None)  # a busy machine is no failure

SHAPES = st.tuples(st.integers(1, 2), st.just(1), st.integers(1, 12), st.integers(1, 12))
LEVELS = st.sampled_from([0.0, 0.0, 0.0, 0.25, 1.0])
MASKS = hnp.arrays(np.float32, SHAPES, elements=LEVELS).map(torch.from_numpy)


def disc(size, radius):
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    centre = size // 2
    return ((y - centre) ** 2 + (x - centre) ** 2 <= radius**2).float()[None, None]


@PATIENT
@given(MASKS, st.integers(0, 14))
def test_growing_takes_the_largest_value_within_reach(mask, pixels):
    grown = grow_mask(mask, pixels)
    height, width = mask.shape[2:]
    y, x = np.mgrid[:height, :width]
    for row in range(height):
        for column in range(0, width, 3):
            near = (y - row) ** 2 + (x - column) ** 2 <= pixels**2
            assert torch.equal(grown[..., row, column], mask[..., torch.from_numpy(near)].amax(-1))


def test_a_point_grows_to_a_disc():
    assert torch.equal(grow_mask(disc(21, 0), 7), disc(21, 7))


@PATIENT
@given(MASKS, st.integers(0, 8))
def test_feathering_only_lowers_and_keeps_the_support(mask, pixels):
    soft = feather_mask(mask, pixels)
    assert soft.shape == mask.shape and soft.dtype == mask.dtype
    assert torch.equal(soft > 0, mask > 0)
    assert (soft <= mask).all()
    if pixels == 0:
        assert torch.equal(soft, mask)


@PATIENT
@given(hnp.arrays(np.bool_, (1, 1, 9, 9)), st.integers(1, 8))
def test_some_of_every_region_is_edited_in_full(region, pixels):
    mask = torch.from_numpy(region).float()
    assert feather_mask(mask, pixels).max() == mask.max()


def test_the_ramp_rises_over_the_given_width_and_then_is_flat():
    mask = torch.zeros(1, 1, 6, 20)
    mask[..., 5:] = 1
    row = feather_mask(mask, 4)[0, 0, 3]
    assert torch.allclose(row[4:10], torch.arange(6) / 5, atol=1e-6)
    assert (row[9:] == 1).all()


def test_the_border_of_the_picture_is_no_rim():
    mask = torch.zeros(1, 1, 20, 20)
    mask[..., :10] = 1
    soft = feather_mask(mask, 3)
    assert (soft[..., :6] == 1).all() and (soft[..., 9] == 0.25).all()


def test_negative_widths_are_refused():
    for change in (grow_mask, feather_mask):
        with pytest.raises(ValueError, match="-1"):
            change(disc(5, 1), -1)


def dots(columns, rows=1):
    """A mask of equal squares, three pixels apart."""
    mask = torch.zeros(1, 1, 5 * rows, 5 * columns)
    for dy in (0, 1):
        for dx in (0, 1):
            mask[..., dy::5, dx::5] = 1
    return mask


@pytest.mark.parametrize("count", [2, 10, 11, 25])
def test_as_many_things_as_there_are_stay_apart(count):
    pieces = separated(dots(count))
    assert len(pieces) == count and torch.equal(torch.stack(pieces).sum(0), dots(count))
    firsts = [int((piece[0, 0] > 0).any(0).nonzero()[0]) for piece in pieces]
    assert firsts == sorted(firsts)


def test_more_things_than_can_be_painted_one_by_one_are_refused():
    assert len(separated(dots(10, 10))) == 100
    with pytest.raises(UserError, match=r"in 110 pieces, and 100 at most"):
        separated(dots(11, 10))


def test_pieces_are_compared_with_the_largest():
    inside = np.zeros((20, 60), bool)
    inside[:10, 40:50] = True  # 100
    for k, area in enumerate((9, 10, 11)):
        inside[12, 15 * k : 15 * k + area] = True
    numbers, large = large_pieces(inside, 0.1)
    assert [int((numbers == k).sum()) for k in large] == [10, 11, 100]
    assert large_pieces(np.zeros((4, 5), bool), 0.1)[1] == []


@PATIENT
@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))), st.floats(0, 1))
def test_large_pieces_are_as_they_are_counted_one_by_one(inside, least):
    numbers, large = large_pieces(inside, least)
    assert np.array_equal(numbers > 0, inside)
    area = {k: int((numbers == k).sum()) for k in range(1, numbers.max() + 1)}
    assert set(large) == {k for k in area if area[k] >= least * max(area.values())}
    middles = [np.nonzero(numbers == k)[1].mean() for k in large]
    assert middles == sorted(middles)


def test_specks_cost_next_to_nothing():
    """Counted one by one, 40,000 pieces of a megapixel would take minutes."""
    inside = np.random.default_rng(0).random((1000, 1000)) > 0.95
    inside[300:600, 300:600] = True
    began = time.process_time()
    assert len(large_pieces(inside, 0.1)[1]) == 1
    assert time.process_time() - began < 5
