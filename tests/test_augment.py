import pytest
import torch
from editor_fakes import box_mask, picture
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator

from lr_edit.errors import UserError
from lr_edit.guidance.augment import compose, homographies, square_window, warp
from lr_edit.guidance.options import AugmentOptions, ViewOptions
from lr_edit.guidance.views import region_views

IDENTITY = torch.eye(3).view(1, 1, 3, 3)


def seeded(*seeds: int) -> list[Generator]:
    return [Generator().manual_seed(seed) for seed in seeds]


def test_the_first_copy_is_plain_and_the_others_are_not():
    matrices = homographies(AugmentOptions(copies=5, probability=1), seeded(1, 2))
    assert matrices.shape == (2, 5, 3, 3)
    assert (matrices[:, 0] == IDENTITY).all()
    assert ((matrices[:, 1:] - IDENTITY).abs().amax(dim=(2, 3)) > 1e-3).all()


@given(st.lists(st.integers(0, 2**31), min_size=1, max_size=4))
def test_a_candidates_augmentations_depend_on_its_generator_alone(seeds):
    together = homographies(AugmentOptions(), seeded(*seeds))
    for k, seed in enumerate(seeds):
        assert torch.equal(homographies(AugmentOptions(), seeded(seed))[0], together[k])


def test_probability_zero_leaves_every_copy_plain():
    matrices = homographies(AugmentOptions(probability=0), seeded(3))
    assert (matrices == IDENTITY).all()


def test_the_identity_shows_the_picture_itself():
    image = picture(16, 16)
    torch.testing.assert_close(warp(image, IDENTITY, 16)[:, 0], image)


def test_matrices_compose_like_views_of_views():
    first, second = homographies(AugmentOptions(copies=2, probability=1), seeded(1, 2))[:, 1]
    torch.testing.assert_close(compose(first, second), first @ second)


@settings(max_examples=40)
@given(st.data())
def test_a_tight_window_is_the_slice_of_the_picture(data):
    height, width = data.draw(st.integers(8, 20)), data.draw(st.integers(8, 20))
    side = data.draw(st.integers(1, 8))
    x, y = data.draw(st.integers(0, width - side)), data.draw(st.integers(0, height - side))
    image = picture(height, width)
    window = square_window(box_mask(height, width, x, y, x + side, y + side), context=1.0)
    view = warp(image, window[:, None], side)[:, 0]
    torch.testing.assert_close(view, image[..., y : y + side, x : x + side], atol=1e-5, rtol=0)


@given(st.integers(1, 20), st.integers(1, 12), st.floats(1, 2))
def test_a_window_is_square_and_as_wide_as_the_longer_side(wide, tall, context):
    window = square_window(box_mask(30, 40, 5, 4, 5 + wide, 4 + tall), context)[0]
    side = max(wide, tall) * context
    assert (window[0, 0] * 40).item() == pytest.approx(side, rel=1e-5)
    assert (window[1, 1] * 30).item() == pytest.approx(side, rel=1e-5)


def test_the_window_of_nothing_is_the_whole_picture():
    assert torch.equal(square_window(torch.zeros(1, 1, 9, 5), 1.2), torch.eye(3)[None])


def test_a_faint_mask_has_the_window_of_a_strong_one():
    mask = box_mask(20, 20, 4, 6, 11, 9)
    assert torch.equal(square_window(mask, 1.2), square_window(0.1 * mask, 1.2))


def test_every_image_of_a_batch_gets_its_own_views():
    images = torch.cat([picture(16, 16, seed) for seed in (1, 2)])
    matrices = homographies(AugmentOptions(copies=3), seeded(5, 6))
    views = warp(images, matrices, 12)
    assert views.shape == (2, 3, 3, 12, 12)
    for k in range(2):
        alone = warp(images[k : k + 1], matrices[k : k + 1], 12)
        torch.testing.assert_close(views[k], alone[0])


@given(st.integers(0, 2**31), st.floats(-1, 1))
@settings(max_examples=20)
def test_a_view_of_a_flat_picture_is_flat(seed, value):
    matrices = homographies(AugmentOptions(probability=1, perspective=0.4), seeded(seed))
    views = warp(torch.full((1, 3, 8, 8), value), matrices, 8)
    torch.testing.assert_close(views, torch.full_like(views, value), atol=1e-5, rtol=0)


def test_gradients_reach_the_region_through_every_view_and_nothing_else():
    image = picture().requires_grad_()
    mask = box_mask(24, 24, 6, 8, 16, 18)
    matrices = homographies(AugmentOptions(copies=3), seeded(0))
    views = region_views(image, picture(seed=1), mask, ViewOptions(side=16), matrices)
    (slope,) = torch.autograd.grad(views.square().sum(), image)
    assert (slope * mask).abs().amax() > 0
    assert (slope * (1 - mask)).abs().amax() == 0


@pytest.mark.parametrize("fill", ["gray", "source"])
def test_outside_the_region_a_view_shows_the_fill(fill):
    source, mask = picture(seed=1), box_mask(24, 24, 8, 8, 16, 16)
    whole = ViewOptions(side=24, context=3.0, fill=fill)
    view = region_views(picture(seed=2), source, mask, whole)[0, 0]
    expected = source if fill == "source" else torch.zeros_like(source)
    keep = 1 - mask[0]
    torch.testing.assert_close(view * keep, expected[0] * keep, atol=1e-5, rtol=0)


@pytest.mark.parametrize("wrong", [{"copies": 0}, {"perspective": 0.9}, {"probability": 2.0}])
def test_impossible_augmentations_are_a_users_mistake(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        AugmentOptions(**wrong)


@pytest.mark.parametrize("wrong", [{"side": 0}, {"context": -1.0}, {"fill": "pink"}])
def test_impossible_views_are_a_users_mistake(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        ViewOptions(**wrong)
