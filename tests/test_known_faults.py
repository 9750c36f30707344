"""The faults found in earlier guided diffusion editors, each shown to be absent."""

from itertools import pairwise

import pytest
import torch
from editor_fakes import (
    EdgeDistance,
    GaussianDiffusion,
    LinearClip,
    box_mask,
    cosine_schedule,
    picture,
)
from torch import Tensor

from lr_edit.editors.guided import GuidedEditor
from lr_edit.editors.options import SamplingOptions, WindowOptions
from lr_edit.editors.window import open_window
from lr_edit.guidance.augment import homographies
from lr_edit.guidance.losses import background_l2, background_lpips
from lr_edit.guidance.options import AugmentOptions, GuidanceWeights, ViewOptions
from lr_edit.guidance.score import region_score
from lr_edit.guidance.terms import ClipTerm, L2Term, LpipsTerm, TextCache

ABAR = cosine_schedule().double().tolist()
SIZE = 24
MASK = box_mask(SIZE, SIZE, 6, 8, 16, 18)
EXACT = WindowOptions(context=4.0, minimum=SIZE, grow=0, feather=0, match_color=False)
"""A window that is the whole picture of side SIZE, so that pixels can be compared one by one."""


def edit(
    seeds=(1,),
    diffusion: GaussianDiffusion | None = None,
    weights: GuidanceWeights | None = None,
    region: Tensor = MASK,
    max_batch: int = 8,
    **sampling,
):
    """An edit of picture() by fakes, at the picture's own size."""
    build = GuidedEditor(
        diffusion or GaussianDiffusion(size=SIZE),
        LinearClip(),
        EdgeDistance(),
        weights=weights,
        sampling=SamplingOptions(**({"solver": "ddim", "steps": 5, "bf16": False} | sampling)),
        window=EXACT,
        views=ViewOptions(side=16),
        augment=AugmentOptions(copies=2),
        max_batch=max_batch,
    )
    return build.edit(picture(SIZE, SIZE), region, "an orange", seeds=list(seeds))


def background_noise(x_t: Tensor, t: int) -> Tensor:
    """The noise in the background of x_t, if that is the source noised to level t."""
    outside = (MASK == 0).expand_as(x_t)
    noise = (x_t - ABAR[t] ** 0.5 * picture(SIZE, SIZE)) / (1 - ABAR[t]) ** 0.5
    return noise[outside].view(len(x_t), -1)


@pytest.mark.parametrize("fill", ["gray", "source"])
def test_fault_1_ranking_shows_a_view_exactly_as_guidance_would(fill):
    guiding, ranking = LinearClip(), LinearClip()
    views, source, images = ViewOptions(side=16, fill=fill), picture(), picture(seed=1)
    augment = AugmentOptions(copies=2)
    same = homographies(augment, [torch.Generator().manual_seed(5)])[:, 1:]
    term = ClipTerm(guiding, TextCache(guiding), "cosine", views, augment=lambda: same)
    loss = term(images, source, MASK, "an orange")
    score = region_score(
        ranking, images, source, MASK, "an orange", views, AugmentOptions(copies=1), seed=5
    )
    assert torch.equal(guiding.seen[0], ranking.seen[0])
    torch.testing.assert_close(score, 1 - loss)


@pytest.mark.parametrize("solver", ["ddpm", "ddim", "dpmsolver"])
def test_fault_2_the_background_is_at_the_samples_own_level(solver):
    """Were it one level off, its noise would not have the same strength at every step."""
    diffusion = GaussianDiffusion(size=SIZE)
    edit(diffusion=diffusion, solver=solver, timesteps=(900, 500, 200, 40, 8))
    noises = [
        background_noise(x, t) for x, (_, t) in zip(diffusion.inputs, diffusion.calls, strict=True)
    ]
    for earlier, later in pairwise(noises):
        torch.testing.assert_close(earlier, later, atol=1e-4, rtol=0)


@pytest.mark.parametrize("max_batch", [1, 3])
def test_fault_3_background_noise_is_drawn_once_and_is_each_candidates_own(max_batch):
    diffusion = GaussianDiffusion(size=SIZE)
    edit(seeds=(1, 2, 3), diffusion=diffusion, max_batch=max_batch)
    of_batch = [
        background_noise(x, t) for x, (_, t) in zip(diffusion.inputs, diffusion.calls, strict=True)
    ]
    runs = [torch.stack(of_batch[i : i + 5]) for i in range(0, len(of_batch), 5)]
    noises = torch.cat(runs, dim=1)  # [steps, candidates, pixels]
    assert noises.shape[:2] == (5, 3)
    assert (noises - noises[:1]).abs().amax() < 1e-4
    assert (noises[0, 0] - noises[0, 1]).abs().mean() > 0.5
    assert noises.std().item() == pytest.approx(1, abs=0.05)


def test_fault_4_background_losses_compare_masked_with_masked():
    source = picture()
    for x0 in (source, source * (1 - MASK), source + MASK):
        assert background_l2(x0, source, MASK).item() == 0
        assert background_lpips(EdgeDistance(), x0, source, MASK).item() == 0
        for term in (L2Term(), LpipsTerm(EdgeDistance())):
            assert term(x0, source, MASK, "an orange").item() == 0


@pytest.mark.parametrize("name", ["clip", "lpips", "l2"])
def test_fault_5_every_loss_of_weight_above_0_counts_without_a_flag(name):
    """By default all three are on, and each changes the result."""
    assert set(edit().losses) == {"clip", "lpips", "l2"}
    without = GuidanceWeights(**{name: 0.0})
    with_all, with_two = edit(), edit(weights=without)
    assert name not in with_two.losses
    assert (with_all.candidates - with_two.candidates).abs().amax() > 1e-3


def test_fault_5_no_loss_grows_with_the_batch():
    alone, together = edit(seeds=(1,)), edit(seeds=(1, 2, 3))
    for name, losses in together.losses.items():
        torch.testing.assert_close(losses[:1], alone.losses[name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("cfg", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("gradient", ["unet", "straight"])
def test_fault_6_a_guided_step_takes_one_forward(gradient, cfg):
    diffusion = GaussianDiffusion(size=SIZE, pull=0.4)
    edit(seeds=(1, 2), diffusion=diffusion, gradient=gradient, cfg=cfg)
    assert len(diffusion.calls) == 5


@pytest.mark.parametrize("solver", ["ddpm", "ddim", "dpmsolver"])
def test_fault_7_the_result_holds_the_last_guidance(solver):
    options = {"solver": solver, "timesteps": (900, 600, 300), "guide_on": "x0"}
    guided, unguided = edit(**options), edit(**options, unguided_steps=1)
    difference = (guided.candidates - unguided.candidates).abs()
    assert difference.amax() > 1e-2


def test_fault_8_a_faint_mask_is_not_a_full_one():
    faint = 2 / 255
    region = torch.where(MASK > 0, 1.0, faint)
    result = edit(region=region)
    torch.testing.assert_close(result.mask, region)
    assert torch.equal(open_window(picture(), region, SIZE, EXACT).hole, MASK)
    changed = (result.candidates - picture(SIZE, SIZE)).abs()
    assert changed[(MASK == 0).expand_as(changed)].amax() <= 2 * faint
    assert changed[(MASK == 1).expand_as(changed)].amax() > 0.2


@pytest.mark.parametrize(("height", "width"), [(48, 120), (120, 48)])
def test_fault_9_a_disc_stays_round(height, width):
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    disc = ((rows - height // 2) ** 2 + (columns - width // 2) ** 2 <= 15**2).float()[None, None]
    window = open_window(picture(height, width), disc, 64, WindowOptions(grow=0))
    inside = (window.mask > 0.5)[0, 0]
    tall, wide = inside.any(1).sum().item(), inside.any(0).sum().item()
    assert tall > 20
    assert abs(tall - wide) <= 1


def test_fault_10_sectioned_timesteps_keep_their_levels():
    """DDIM on Gaussian pixels against its closed recursion, at unevenly spaced timesteps."""
    timesteps = (990, 700, 650, 300, 299, 120, 20, 3)
    diffusion = GaussianDiffusion(size=SIZE, mean=0.2, std=0.4)
    result = edit(
        diffusion=diffusion,
        weights=GuidanceWeights(clip=0, lpips=0, l2=0),
        timesteps=timesteps,
        clamp=False,
        region=torch.ones_like(MASK),
    )
    assert [t for _, t in diffusion.calls] == list(timesteps)
    x = diffusion.inputs[0].double()
    for t, later in pairwise((*timesteps, None)):
        now, then = ABAR[t], 1.0 if later is None else ABAR[later]
        x0 = 0.2 + now**0.5 * 0.16 / (now * 0.16 + 1 - now) * (x - now**0.5 * 0.2)
        eps = (x - now**0.5 * x0) / (1 - now) ** 0.5
        x = then**0.5 * x0 + (1 - then) ** 0.5 * eps
    torch.testing.assert_close(result.candidates, x.float().clamp(-1, 1), atol=1e-4, rtol=0)


@pytest.mark.parametrize("solver", ["ddpm", "ddim", "dpmsolver"])
def test_fault_11_a_result_depends_on_its_own_seed_alone(solver):
    together = edit(seeds=(7, 8, 9), solver=solver)
    for k, seed in enumerate((7, 8, 9)):
        alone = edit(seeds=(seed,), solver=solver)
        torch.testing.assert_close(alone.candidates[0], together.candidates[k], atol=1e-5, rtol=0)


@pytest.mark.parametrize("solver", ["ddpm", "ddim", "dpmsolver"])
def test_fault_11_the_global_random_state_is_neither_used_nor_changed(solver):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = edit(solver=solver)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    assert torch.equal(first.candidates, edit(solver=solver).candidates)
