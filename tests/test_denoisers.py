"""What wraps the denoiser: gradient guidance, classifier-free guidance, projections."""

import pytest
import torch
from editor_fakes import GaussianDiffusion, cosine_schedule, picture
from hypothesis import given
from hypothesis import strategies as st
from sampling_fakes import ABAR, SOLVERS, plain_denoiser, run, seeded, squared_distance_to
from torch import Tensor

from lr_edit.editors.denoisers import (
    Denoised,
    clamped,
    gray_projection,
    guided,
    normalized,
    projected,
)
from lr_edit.editors.options import SamplingOptions
from lr_edit.editors.sampling import noised
from lr_edit.editors.schedulers import Solver, trailing_timesteps

# Gradient guidance


@pytest.mark.parametrize("cfg", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("guide_on", ["x0", "mixture"])
def test_the_unet_gradient_is_the_slope_of_the_loss(guide_on, cfg):
    diffusion, t = GaussianDiffusion(size=8, pull=0.4), 400
    denoise = plain_denoiser(diffusion, cfg)
    options = SamplingOptions(
        gradient="unet", guide_on=guide_on, normalize="none", guidance_scale=1.0
    )
    loss, x = squared_distance_to(0.7), picture(8, 8)
    sigma = (1 - ABAR[t]) ** 0.5

    def value(x_t: Tensor) -> Tensor:
        x0 = denoise(x_t, t).plain.x0
        seen = x0 * sigma + x_t * (1 - sigma) if guide_on == "mixture" else x0
        return loss(x0, seen)[0]

    now = guided(denoise, loss, ABAR, options)(x, t)
    slope = (now.guided.eps - now.plain.eps) / sigma
    for seed in range(3):
        direction = torch.randn(x.shape, generator=seeded(seed)[0])
        finite = (value(x + 0.05 * direction) - value(x - 0.05 * direction)) / 0.1
        assert (slope * direction).sum().item() == pytest.approx(finite.item(), rel=1e-3, abs=1e-5)


def test_unet_guidance_keeps_x0_and_eps_consistent():
    x = picture(16, 16)
    options = SamplingOptions(gradient="unet", guidance_scale=0.5)
    now = guided(plain_denoiser(GaussianDiffusion()), squared_distance_to(1), ABAR, options)(x, 300)
    torch.testing.assert_close(noised(now.guided.x0, now.guided.eps, ABAR[300]), x)


def test_straight_guidance_is_mpgd():
    x, t, scale = picture(16, 16), 500, 0.8
    options = SamplingOptions(
        gradient="straight", guide_on="x0", normalize="none", guidance_scale=scale
    )
    plain = plain_denoiser(GaussianDiffusion())
    solver = Solver("ddim", cosine_schedule(), (t, 300))
    stepped = solver.step(
        0, x, guided(plain, squared_distance_to(0.7), ABAR, options)(x, t), seeded(0)
    )
    now = plain(x, t).plain
    slope = 2 * (now.x0 - 0.7) / now.x0[0].numel()
    moved = now.x0 - scale * (1 - ABAR[t]) ** 0.5 * slope
    expected = ABAR[300] ** 0.5 * moved + (1 - ABAR[300]) ** 0.5 * now.eps
    torch.testing.assert_close(stepped, expected, atol=2e-6, rtol=1e-5)


def test_straight_guidance_never_differentiates_the_model():
    diffusion = GaussianDiffusion()
    plain, graphs = plain_denoiser(diffusion), []

    def watched(x_t: Tensor, t: int) -> Denoised:
        now = plain(x_t, t)
        graphs.append(now.plain.x0.requires_grad)
        return now

    for gradient in ("straight", "unet"):
        options = SamplingOptions(gradient=gradient)
        guided(watched, squared_distance_to(1), ABAR, options)(picture(16, 16), 500)
    assert graphs == [False, True]


@pytest.mark.parametrize("gradient", ["unet", "straight"])
@pytest.mark.parametrize("name", SOLVERS)
def test_guidance_lowers_its_loss(name, gradient):
    options = SamplingOptions(gradient=gradient, guidance_scale=0.2)
    plain = plain_denoiser(GaussianDiffusion())
    steps = trailing_timesteps(1000, 20)
    loss = squared_distance_to(0.8)
    before = run(name, plain, steps)
    after = run(name, guided(plain, loss, ABAR, options), steps)
    assert loss(after, after)[0] < 0.8 * loss(before, before)[0]


def test_steps_that_are_not_guided_cost_no_gradient():
    def never(x0: Tensor, seen: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        raise AssertionError("the loss was asked for")

    denoise = guided(
        plain_denoiser(GaussianDiffusion()), never, ABAR, SamplingOptions(), frozenset({900})
    )
    now = denoise(picture(16, 16), 300)
    assert now.guided is now.plain


@given(st.floats(1e-6, 1e4), st.floats(0.01, 10))
def test_normalised_gradients(length, tau):
    slope = torch.randn(2, 3, 4, 4, generator=seeded(1)[0]) * torch.tensor([1.0, length]).view(
        2, 1, 1, 1
    )
    rms = slope.square().mean((1, 2, 3)).sqrt()
    unit = normalized(slope, "unit", tau).square().mean((1, 2, 3)).sqrt()
    torch.testing.assert_close(unit, torch.ones(2), atol=1e-4, rtol=0)
    clip = normalized(slope, "clip", tau).square().mean((1, 2, 3)).sqrt()
    torch.testing.assert_close(clip, rms.clamp(max=tau))
    assert normalized(slope, "none", tau) is slope


@pytest.mark.parametrize("mode", ["unit", "clip", "none"])
def test_no_gradient_moves_nothing(mode):
    assert torch.equal(normalized(torch.zeros(1, 3, 4, 4), mode, 0.1), torch.zeros(1, 3, 4, 4))


# Classifier-free guidance and projections


def test_cfg_extrapolates_from_the_null_prompt():
    x, diffusion = picture(16, 16), GaussianDiffusion(pull=0.4)
    null, condition, strong = (plain_denoiser(diffusion, cfg)(x, 600).plain for cfg in (0, 1, 3))
    for part in ("x0", "eps"):
        low, high = getattr(null, part), getattr(condition, part)
        assert (low - high).abs().amax() > 1e-3
        torch.testing.assert_close(getattr(strong, part), low + 3 * (high - low))


@pytest.mark.parametrize(("cfg", "batch"), [(0.0, 2), (1.0, 2), (3.0, 4)])
def test_cfg_takes_one_forward(cfg, batch):
    diffusion = GaussianDiffusion(pull=0.4)
    plain_denoiser(diffusion, cfg)(torch.cat([picture(16, 16)] * 2), 600)
    assert diffusion.calls == [(batch, 600)]


@pytest.mark.parametrize("project", [clamped, gray_projection])
def test_projections_keep_the_noisy_sample(project):
    x = 3 * picture(16, 16)
    denoise = projected(plain_denoiser(GaussianDiffusion(std=2.0)), project, ABAR)
    now = denoise(x, 300)
    assert now.guided is now.plain
    torch.testing.assert_close(now.plain.x0, project(now.plain.x0))
    torch.testing.assert_close(noised(now.plain.x0, now.plain.eps, ABAR[300]), x)


def test_projections_reach_guided_predictions_too():
    pushed = guided(
        plain_denoiser(GaussianDiffusion()),
        squared_distance_to(9),
        ABAR,
        SamplingOptions(guidance_scale=9),
    )
    now = projected(pushed, clamped, ABAR)(picture(16, 16), 700)
    assert now.guided.x0.abs().amax() <= 1
    assert not torch.equal(now.guided.x0, now.plain.x0)
    assert "distance" in now.losses


@pytest.mark.parametrize("name", SOLVERS)
def test_a_gray_projection_gives_gray_pictures(name):
    denoise = projected(plain_denoiser(GaussianDiffusion()), gray_projection, ABAR)
    pixels = run(name, denoise, trailing_timesteps(1000, 5))
    torch.testing.assert_close(pixels[:, :1].expand_as(pixels), pixels, atol=1e-6, rtol=0)
