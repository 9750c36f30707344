"""The presence of a region network, moved to where people want its threshold."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lr_edit.regions.network import RegionNetwork
from lr_edit.training.calibrate import shift_presence


@given(st.integers(0, 2**31 - 1), st.floats(0.05, 0.99))
def test_the_share_that_is_wanted_lies_above_the_threshold(seed: int, share: float) -> None:
    logits = torch.randn(401, generator=torch.Generator().manual_seed(seed)) * 5
    network = RegionNetwork((4,), 4, width=16, heads=2, mixers=1, rounds=1, side=16)
    before = network.presence.bias.clone()
    shift = shift_presence(network, logits, share)
    assert float((network.presence.bias - before).detach()) == pytest.approx(shift, abs=1e-5)
    assert float((logits + shift > -1e-5).float().mean()) == pytest.approx(share, abs=0.01)
