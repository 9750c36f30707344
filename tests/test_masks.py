import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lr_edit.masks import feather_mask, grow_mask

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
