"""Timesteps, solvers and the loop, on pictures whose denoiser is known exactly."""

from itertools import pairwise

import pytest
import torch
from editor_fakes import GaussianDiffusion, box_mask, cosine_schedule, picture
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sampling_fakes import ABAR, SOLVERS, plain_denoiser, run, seeded, squared_distance_to
from torch import Tensor

from lr_edit.backbones.base import Prediction
from lr_edit.editors.denoisers import (
    Denoised,
    guided,
)
from lr_edit.editors.options import SamplingOptions
from lr_edit.editors.sampling import background, initial_noise, noised, sample, unblended
from lr_edit.editors.schedulers import Solver, trailing_timesteps
from lr_edit.errors import UserError

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
