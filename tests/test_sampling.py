from itertools import pairwise

import pytest
import torch
from editor_fakes import GaussianDiffusion, box_mask, cosine_schedule, picture
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from lr_edit.backbones.base import Prediction
from lr_edit.editors.denoisers import (
    Denoise,
    Denoised,
    clamped,
    gray_projection,
    guided,
    model_denoiser,
    normalized,
    projected,
)
from lr_edit.editors.options import SamplingOptions
from lr_edit.editors.sampling import background, initial_noise, noised, sample, unblended
from lr_edit.editors.schedulers import Solver, trailing_timesteps
from lr_edit.errors import UserError

ABAR = cosine_schedule().double().tolist()
SOLVERS = ("ddpm", "ddim", "dpmsolver")


def seeded(*seeds: int) -> list[Generator]:
    return [Generator().manual_seed(seed) for seed in seeds]


def plain_denoiser(diffusion: GaussianDiffusion, cfg: float = 0.0) -> Denoise:
    condition, null = diffusion.embed(["a dog", ""]).split(1)
    size = diffusion.size
    return model_denoiser(
        diffusion, condition, null, cfg, picture(size, size), torch.ones(1, 1, size, size)
    )


def squared_distance_to(target: float):
    """A loss whose gradient is known: mean (x - target)^2."""

    def loss(x0: Tensor, seen: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        value = (seen - target).square().flatten(1).mean(1)
        return value, {"distance": value.detach()}

    return loss


def run(name: str, denoise: Denoise, timesteps, seeds=(1,), size: int = 16) -> Tensor:
    generators = seeded(*seeds)
    noise = initial_noise(generators, size, torch.device("cpu"))
    solver = Solver(name, cosine_schedule(), timesteps)
    return sample(denoise, solver, noise, unblended, generators).pictures


# Timesteps


@given(st.integers(1, 1000), st.integers(1, 200), st.floats(0.01, 1.0))
def test_trailing_timesteps_are_as_many_as_asked_and_start_at_the_strength(total, steps, strength):
    assume(1 <= steps <= round(strength * total))
    timesteps = trailing_timesteps(total, steps, strength)
    assert len(timesteps) == steps
    assert timesteps[0] == round(strength * total) - 1
    assert all(a > b >= 0 for a, b in pairwise(timesteps))


def test_trailing_timesteps_are_those_of_diffusers():
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(timestep_spacing="trailing")
    scheduler.set_timesteps(25)
    assert list(trailing_timesteps(1000, 25)) == scheduler.timesteps.tolist()


@pytest.mark.parametrize(("steps", "strength"), [(0, 1.0), (11, 0.01), (5, 0.0), (5, 1.5)])
def test_impossible_steps_are_a_users_mistake(steps, strength):
    with pytest.raises(UserError):
        trailing_timesteps(1000, steps, strength)


@pytest.mark.parametrize("timesteps", [(), (1, 2), (5, 5), (1000, 3), (4, -1)])
def test_impossible_timesteps_are_a_users_mistake(timesteps):
    with pytest.raises(UserError, match="descending"):
        Solver("ddim", cosine_schedule(), timesteps)


def test_an_unknown_solver_is_a_users_mistake():
    with pytest.raises(UserError, match="euler"):
        Solver("euler", cosine_schedule(), (5, 3))


# Solvers


@pytest.mark.parametrize(("name", "steps"), [("ddpm", 250), ("ddim", 100), ("dpmsolver", 50)])
def test_samples_have_the_statistics_of_the_data(name, steps):
    diffusion = GaussianDiffusion(size=64, mean=0.3, std=0.5)
    pixels = run(name, plain_denoiser(diffusion), trailing_timesteps(1000, steps))
    assert pixels.mean().item() == pytest.approx(0.3, abs=0.02)
    assert pixels.std().item() == pytest.approx(0.5, rel=0.03)


def test_ddim_steps_by_its_equation():
    x, denoise = picture(16, 16), plain_denoiser(GaussianDiffusion())
    solver = Solver("ddim", cosine_schedule(), (900, 500, 40))
    now = denoise(x, 500)
    expected = ABAR[40] ** 0.5 * now.plain.x0 + (1 - ABAR[40]) ** 0.5 * now.plain.eps
    torch.testing.assert_close(solver.step(1, x, now, seeded(0)), expected, atol=2e-6, rtol=1e-5)


def test_ddpm_draws_from_the_posterior():
    x, denoise = picture(16, 16), plain_denoiser(GaussianDiffusion())
    solver = Solver("ddpm", cosine_schedule(), (900, 500, 40))
    now, beta = denoise(x, 500), 1 - ABAR[500] / ABAR[40]
    mean = ABAR[40] ** 0.5 * beta / (1 - ABAR[500]) * now.plain.x0
    mean = mean + (1 - beta) ** 0.5 * (1 - ABAR[40]) / (1 - ABAR[500]) * x
    noise = torch.randn(x.shape, generator=seeded(4)[0])
    expected = mean + (beta * (1 - ABAR[40]) / (1 - ABAR[500])) ** 0.5 * noise
    torch.testing.assert_close(solver.step(1, x, now, seeded(4)), expected, atol=2e-6, rtol=1e-5)


def test_dpmsolver_converges_faster_than_ddim():
    diffusion = GaussianDiffusion(mean=0.3, std=0.5)
    truth = run("ddim", plain_denoiser(diffusion), trailing_timesteps(1000, 1000))
    error = {
        name: (run(name, plain_denoiser(diffusion), trailing_timesteps(1000, 20)) - truth).abs()
        for name in ("ddim", "dpmsolver")
    }
    assert error["dpmsolver"].mean() < 0.5 * error["ddim"].mean()


@pytest.mark.parametrize("name", ["ddpm", "ddim"])
def test_a_guided_step_is_a_step_with_the_guided_prediction(name):
    x, diffusion = picture(16, 16), GaussianDiffusion()
    options = SamplingOptions(gradient="unet", guidance_scale=0.5)
    denoise = guided(plain_denoiser(diffusion), squared_distance_to(0.7), ABAR, options)
    now = denoise(x, 500)
    assert (now.guided.x0 - now.plain.x0).abs().mean() > 0.01
    by_parts, at_once = (Solver(name, cosine_schedule(), (500, 300, 40)) for _ in range(2))
    torch.testing.assert_close(
        by_parts.step(0, x, now, seeded(0)),
        at_once.step(0, x, Denoised(now.guided, now.guided), seeded(0)),
        atol=1e-5,
        rtol=1e-4,
    )


def test_guidance_stays_out_of_the_multistep_history():
    x, diffusion = picture(16, 16), GaussianDiffusion()
    plain = plain_denoiser(diffusion)
    pushed = guided(
        plain, squared_distance_to(5.0), ABAR, SamplingOptions(gradient="unet", guidance_scale=3.0)
    )
    ends = []
    for first in (plain, pushed):
        solver = Solver("dpmsolver", cosine_schedule(), trailing_timesteps(1000, 20))
        start = solver.step(0, x, first(x, 999), seeded(0))
        ends.append((start, solver.step(1, x, plain(x, 949), seeded(0))))
    (plain_start, plain_end), (pushed_start, pushed_end) = ends
    assert (pushed_start - plain_start).abs().mean() > 0.1
    assert torch.equal(plain_end, pushed_end)


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
def test_a_loss_without_a_slope_leaves_the_sample_as_it_is(gradient):
    def kinked(x0: Tensor, seen: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return (0 * x0).square().sum((1, 2, 3)).sqrt(), {}

    options = SamplingOptions(gradient=gradient)
    now = guided(plain_denoiser(GaussianDiffusion()), kinked, ABAR, options)(picture(16, 16), 500)
    assert torch.equal(now.guided.x0, now.plain.x0)


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


# The loop


@pytest.mark.parametrize("name", SOLVERS)
def test_a_candidate_is_the_same_alone_and_in_a_batch(name):
    denoise = guided(
        plain_denoiser(GaussianDiffusion()), squared_distance_to(0.5), ABAR, SamplingOptions()
    )
    steps = trailing_timesteps(1000, 6)
    together = run(name, denoise, steps, seeds=(1, 2, 3))
    assert (together[0] - together[1]).abs().mean() > 0.01
    for k, seed in enumerate((1, 2, 3)):
        alone = run(name, denoise, steps, seeds=(seed,))
        torch.testing.assert_close(alone[0], together[k], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", SOLVERS)
def test_the_last_blend_puts_the_clean_source_outside(name):
    source, mask = picture(16, 16), box_mask(16, 16, 4, 4, 10, 12)
    generators = seeded(1, 2)
    noise = initial_noise(generators, 16, torch.device("cpu"))
    solver = Solver(name, cosine_schedule(), trailing_timesteps(1000, 5))
    blend = background(source, mask, noise)
    end = sample(plain_denoiser(GaussianDiffusion()), solver, noise, blend, generators)
    assert torch.equal(end.pictures * (1 - mask), (source * (1 - mask)).expand(2, -1, -1, -1))
    assert torch.equal(end.pictures * mask, end.unblended * mask)


@settings(max_examples=20)
@given(st.floats(0, 1), st.floats(0, 1))
def test_blending_softly_mixes_signal_and_noise_alike(weight, abar):
    source = picture(8, 8)
    noise = torch.randn(1, 3, 8, 8, generator=seeded(1)[0])
    mask = torch.full((1, 1, 8, 8), weight)
    same = background(source, mask, noise)(noised(source, noise, abar), abar)
    torch.testing.assert_close(same, noised(source, noise, abar))


def test_progress_tells_every_step():
    seen = []
    denoise = guided(
        plain_denoiser(GaussianDiffusion()), squared_distance_to(0.5), ABAR, SamplingOptions()
    )
    solver = Solver("ddim", cosine_schedule(), (800, 400, 100))
    sample(denoise, solver, picture(16, 16), unblended, seeded(1), seen.append)
    assert [(p.step, p.steps, p.t) for p in seen] == [(1, 3, 800), (2, 3, 400), (3, 3, 100)]
    assert all(p.denoised.shape == (1, 3, 16, 16) for p in seen)
    assert all(p.losses["distance"].shape == (1,) for p in seen)
    assert seen[0].seconds <= seen[-1].seconds


def test_an_interruption_goes_straight_through():
    def interrupt(progress):
        raise KeyboardInterrupt

    diffusion = GaussianDiffusion()
    solver = Solver("ddim", cosine_schedule(), (800, 400, 100))
    with pytest.raises(KeyboardInterrupt):
        sample(plain_denoiser(diffusion), solver, picture(16, 16), unblended, seeded(1), interrupt)
    assert len(diffusion.calls) == 1
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("name", SOLVERS)
def test_a_schedule_that_ends_in_pure_noise_stays_finite(name):
    schedule = cosine_schedule()
    schedule[-1] = 0
    solver = Solver(name, schedule, (999, 600, 200))

    def zero(x_t: Tensor, t: int) -> Denoised:
        prediction = Prediction(torch.zeros_like(x_t), x_t)
        return Denoised(prediction, prediction)

    end = sample(zero, solver, picture(8, 8), unblended, seeded(1))
    assert end.pictures.isfinite().all()
