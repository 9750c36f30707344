"""Random views: of pictures alike, within range, repeatable, and differentiable."""

import pytest
import torch
from torch import Tensor

from lr_edit.errors import UserError
from lr_edit.regions.per_image import PerImageOptions
from lr_edit.regions.views import random_views


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def picture(count: int = 1) -> Tensor:
    return torch.rand(count, 3, 24, 32, generator=noise()) * 2 - 1


def test_all_pictures_of_a_view_are_seen_alike_and_views_differ() -> None:
    same = picture().expand(2, -1, -1, -1)
    seen = random_views(same, 6, noise()).unflatten(0, (6, 2))
    assert seen.shape == (6, 2, 3, 24, 32)
    assert torch.equal(seen[:, 0], seen[:, 1])
    assert all(not torch.equal(seen[k, 0], seen[k + 1, 0]) for k in range(5))


def test_views_stay_in_range_and_depend_on_the_generator_alone() -> None:
    outside = torch.get_rng_state()
    seen = random_views(picture(), 16, noise(3))
    assert torch.equal(torch.get_rng_state(), outside)
    torch.rand(1)
    assert torch.equal(seen, random_views(picture(), 16, noise(3)))
    assert not torch.equal(seen, random_views(picture(), 16, noise(4)))
    assert seen.min() >= -1 - 1e-5 and seen.max() <= 1 + 1e-5


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_gradients_are_finite_even_of_a_flat_picture(value: float) -> None:
    flat = torch.full((1, 3, 24, 32), value, requires_grad=True)
    random_views(flat, 16, noise()).square().sum().backward()
    assert flat.grad is not None and torch.isfinite(flat.grad).all()


def test_a_negative_count_is_one_line() -> None:
    with pytest.raises(UserError, match="views is -1: give 0"):
        PerImageOptions(views=-1)
