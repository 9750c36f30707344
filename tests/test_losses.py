import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from editor_fakes import EdgeDistance, LinearClip, box_mask, picture
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lr_edit.errors import UserError
from lr_edit.guidance import terms
from lr_edit.guidance.augment import homographies
from lr_edit.guidance.losses import (
    background_l2,
    background_lpips,
    cosine_distance,
    range_loss,
    spherical_distance,
)
from lr_edit.guidance.options import AugmentOptions, GuidanceWeights, ViewOptions
from lr_edit.guidance.terms import (
    ClipTerm,
    L2Term,
    LpipsTerm,
    RangeTerm,
    TextCache,
    sloped,
    weighted_sum,
)

MASK = box_mask(24, 24, 6, 8, 16, 18)


def at_cosine(value: float) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor([[1.0, 0.0]]), torch.tensor([[value, math.sqrt(1 - value**2)]])


@pytest.mark.parametrize(
    ("cosine", "distance"), [(0.20, 0.938), (0.25, 0.869), (0.30, 0.802), (0.35, 0.736)]
)
def test_spherical_distance_has_the_values_of_blended_diffusion(cosine, distance):
    assert spherical_distance(*at_cosine(cosine)).item() == pytest.approx(distance, abs=5e-4)


@given(st.floats(-0.99, 0.99), st.floats(0.1, 10))
def test_distances_depend_on_the_angle_alone(cosine, length):
    u, v = at_cosine(cosine)
    assert spherical_distance(length * u, v).item() == pytest.approx(
        math.acos(cosine) ** 2 / 2, abs=1e-4
    )
    assert cosine_distance(length * u, v).item() == pytest.approx(1 - cosine, abs=1e-5)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_spherical_distance_has_a_finite_gradient_at_its_extremes(sign):
    u = torch.tensor([[1.0, 0.0]], requires_grad=True)
    spherical_distance(u, sign * u.detach()).sum().backward()
    assert u.grad.isfinite().all()


@given(st.integers(0, 1000))
def test_what_stands_inside_the_region_does_not_count_as_background(seed):
    source, inside = picture(seed=0), picture(seed=seed + 1)
    x0 = inside * MASK + source * (1 - MASK)
    assert background_l2(x0, source, MASK).item() == 0
    assert background_lpips(EdgeDistance(), x0, source, MASK).item() == 0


def test_background_l2_is_the_mean_square_of_what_changed_outside():
    source = picture()
    assert background_l2(source + 0.5, source, torch.zeros_like(MASK)).item() == pytest.approx(0.25)
    outside = (1 - MASK).mean().item()
    assert background_l2(source + 0.5, source, MASK).item() == pytest.approx(0.25 * outside)


def test_range_loss_counts_the_excess_only():
    x0 = torch.tensor([-1.5, -1.0, 0.3, 2.0]).view(1, 1, 2, 2)
    assert range_loss(x0).item() == pytest.approx((0.25 + 1) / 4)


def every_term():
    encoder = LinearClip()
    return {
        "clip": ClipTerm(encoder, TextCache(encoder)),
        "cosine": ClipTerm(encoder, TextCache(encoder), distance="cosine"),
        "lpips": LpipsTerm(EdgeDistance()),
        "l2": L2Term(),
        "range": RangeTerm(),
    }


@pytest.mark.parametrize("name", list(every_term()))
def test_a_samples_loss_and_gradient_are_the_same_alone_and_in_a_batch(name):
    term, source = every_term()[name], picture()
    batch = torch.cat([3 * picture(seed=s) for s in (1, 2, 3)]).requires_grad_()
    losses = term(batch, source, MASK, "an orange")
    assert losses.shape == (3,)
    (slopes,) = torch.autograd.grad(losses.sum(), batch)
    assert slopes.abs().amax() > 0
    for k in range(3):
        alone = batch[k : k + 1].detach().requires_grad_()
        loss = term(alone, source, MASK, "an orange")
        (slope,) = torch.autograd.grad(loss.sum(), alone)
        torch.testing.assert_close(loss[0], losses[k])
        torch.testing.assert_close(slope[0], slopes[k])


def test_clip_never_sees_outside_the_region():
    term = every_term()["clip"]
    x0 = picture(seed=1)
    elsewhere = x0 * MASK + picture(seed=2) * (1 - MASK)
    torch.testing.assert_close(
        term(x0, picture(), MASK, "a dog"), term(elsewhere, picture(), MASK, "a dog")
    )


def test_a_prompt_is_encoded_once():
    encoder = LinearClip()
    term = ClipTerm(encoder, TextCache(encoder))
    for _ in range(3):
        term(picture(), picture(), MASK, "a dog")
    assert encoder.texts == 1


def test_the_sum_weighs_terms_and_keeps_noise_from_the_range_loss():
    terms = {"l2": (2.0, L2Term()), "range": (3.0, RangeTerm())}
    clean, seen, source = 3 * picture(seed=1), picture(seed=2), picture()
    total, losses = weighted_sum(terms, clean, seen, source, MASK, "a dog")
    torch.testing.assert_close(losses["range"], range_loss(clean))
    torch.testing.assert_close(losses["l2"], background_l2(seen, source, MASK))
    torch.testing.assert_close(total, 2 * losses["l2"] + 3 * losses["range"])


def test_the_sum_has_the_slope_of_its_terms_through_whatever_made_the_picture():
    terms = {name: (k + 1.0, term) for k, (name, term) in enumerate(every_term().items())}
    x = (
        picture(seed=1).repeat(2, 1, 1, 1) * torch.tensor((1.0, 2.0))[:, None, None, None]
    ).double()

    def slope_of(total: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        leaf = x.clone().requires_grad_()
        clean = (1.5 * leaf.sin()).float()
        (slope,) = torch.autograd.grad(
            total(clean, clean.mul(0.7) + 0.3 * leaf.float()).sum(), leaf
        )
        return slope

    def at_once(clean: Tensor, seen: Tensor) -> Tensor:
        return sum(
            weight * term(clean if term.clean_only else seen, picture(), MASK, "a dog")
            for weight, term in terms.values()
        )

    one_by_one = slope_of(lambda c, s: weighted_sum(terms, c, s, picture(), MASK, "a dog")[0])
    torch.testing.assert_close(one_by_one, slope_of(at_once))


def test_what_a_term_remembers_is_gone_before_the_next():
    kept: set[int] = set()

    class Memory:
        def __init__(self, tensor: Tensor) -> None:
            self.tensor = tensor
            kept.add(id(self))

        def __del__(self) -> None:
            kept.discard(id(self))

    class Curious(L2Term):
        def __call__(self, denoised, source, mask, prompt):
            seen_before.append(len(kept))
            return super().__call__(denoised, source, mask, prompt)

    seen_before: list[int] = []
    terms = {"first": (1.0, Curious()), "second": (1.0, Curious())}
    x = picture(seed=1).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(Memory, lambda memory: memory.tensor):
        weighted_sum(terms, x, x, picture(), MASK, "a dog")
    assert seen_before == [0, seen_before[1]] and seen_before[1] <= 2


def test_views_may_go_through_the_encoder_in_parts(monkeypatch):
    options = AugmentOptions(copies=5, probability=1.0)
    x = torch.cat((picture(seed=1), picture(seed=2)))

    def measured() -> tuple[LinearClip, Tensor, Tensor]:
        encoder, leaf = LinearClip(), x.clone().requires_grad_()
        generators = [torch.Generator().manual_seed(k) for k in range(2)]
        draw = partial(homographies, options, generators)
        term = ClipTerm(encoder, TextCache(encoder), views=ViewOptions(side=8), augment=draw)
        loss = term(leaf, picture(), MASK, "a dog")
        return encoder, loss.detach(), torch.autograd.grad(loss.sum(), leaf)[0]

    together, loss, slope = measured()
    monkeypatch.setattr(terms, "VIEW_PIXELS", 2 * 2 * 8**2)
    parted, parts_loss, parts_slope = measured()
    assert [len(seen) for seen in together.seen] == [10]
    assert [len(seen) for seen in parted.seen] == [4, 4, 2]
    torch.testing.assert_close(parts_loss, loss)
    torch.testing.assert_close(parts_slope, slope)


def test_a_loss_without_a_slope_has_no_opinion():
    x = torch.zeros(1, 3, 4, 4, requires_grad=True)
    loss = sloped(lambda images: images.flatten(1).norm(dim=1).sqrt(), x)
    (slope,) = torch.autograd.grad(loss.sum(), x)
    assert loss.item() == 0 and (slope == 0).all()
    with torch.no_grad():
        assert not sloped(lambda images: images.flatten(1).sum(1), x).requires_grad


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
@pytest.mark.parametrize("name", ["clip", "lpips", "l2", "range"])
def test_a_weight_that_is_no_weight_is_a_users_mistake(name, value):
    with pytest.raises(UserError, match=rf"weights\.{name}"):
        GuidanceWeights(**{name: value})
