import pytest
import torch
from editor_fakes import EdgeDistance, GaussianDiffusion, LinearClip, box_mask, picture
from hypothesis import given, settings
from hypothesis import strategies as st

from lr_edit.editors.guided import GuidedEditor
from lr_edit.editors.options import SamplingOptions, WindowOptions
from lr_edit.editors.window import open_window
from lr_edit.errors import UserError
from lr_edit.guidance.options import (
    NO_GUIDANCE,
    AugmentOptions,
    GuidanceWeights,
    ViewOptions,
)

FAST = SamplingOptions(steps=3)


def editor(diffusion: GaussianDiffusion | None = None, **options) -> GuidedEditor:
    """A guided editor of fakes; three steps unless told otherwise."""
    settings = {
        "weights": GuidanceWeights(clip=1, lpips=1, l2=1, range=1),
        "sampling": FAST,
        "window": WindowOptions(minimum=8, grow=1, feather=1),
        "views": ViewOptions(side=16),
        "augment": AugmentOptions(copies=2),
    } | options
    return GuidedEditor(
        diffusion or GaussianDiffusion(pull=0.4), LinearClip(), EdgeDistance(), **settings
    )


def plain(diffusion: GaussianDiffusion | None = None, **options) -> GuidedEditor:
    """An editor without guidance."""
    return editor(diffusion, weights=NO_GUIDANCE, **options)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_pictures_of_any_shape_keep_their_outside(data):
    height, width = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    x1, y1 = data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height))
    image, region = picture(height, width), box_mask(height, width, x0, y0, x1, y1)
    result = plain().edit(image, region, "a dog", seeds=[1, 2])
    assert result.candidates.shape == (2, 3, height, width)
    assert result.mask.shape == region.shape
    assert result.mask.amin() >= 0 and result.mask.amax() <= 1
    outside = (result.mask == 0).expand(2, 3, -1, -1)
    assert torch.equal(result.candidates[outside], image.expand(2, -1, -1, -1)[outside])
    assert result.candidates.abs().amax() <= 1
    assert not torch.equal(result.candidates[0], image[0])


def test_the_region_is_repainted_and_grown():
    region = box_mask(40, 40, 12, 14, 24, 26)
    window = WindowOptions(minimum=8, grow=2, feather=0)
    result = plain(window=window).edit(picture(40, 40), region, "a dog", seeds=[1])
    assert (result.mask[region > 0] > 0.95).all()
    assert (result.mask > 0.5).sum() > region.sum()
    far = 1 - box_mask(40, 40, 6, 8, 30, 32)
    assert (result.mask[far > 0] == 0).all()


@pytest.mark.parametrize("batch", [1, 2, 8])
@pytest.mark.parametrize("solver", ["ddpm", "ddim", "dpmsolver"])
def test_a_candidate_depends_on_its_seed_alone(solver, batch):
    image, region = picture(), box_mask(24, 24, 6, 8, 16, 18)
    options = SamplingOptions(solver=solver, steps=3)
    seeds = [5, 6, 7]
    together = editor(sampling=options, max_batch=batch).edit(image, region, "a dog", seeds=seeds)
    assert together.seeds == (5, 6, 7)
    assert all(losses.shape == (3,) for losses in together.losses.values())
    for k, seed in enumerate(seeds):
        alone = editor(sampling=options).edit(image, region, "a dog", seeds=[seed])
        torch.testing.assert_close(alone.candidates[0], together.candidates[k], atol=1e-5, rtol=0)


def test_a_candidates_noise_is_the_same_whatever_guides_it():
    image, region = picture(), box_mask(24, 24, 6, 8, 16, 18)
    results = []
    for weights, copies in ((NO_GUIDANCE, 1), (GuidanceWeights(lpips=0, l2=0), 7)):
        build = editor(
            weights=weights,
            augment=AugmentOptions(copies=copies),
            sampling=SamplingOptions(solver="ddpm", steps=4, guidance_scale=0),
        )
        results.append(build.edit(image, region, "a dog", seeds=[5]).candidates)
    torch.testing.assert_close(*results)


def test_colour_is_matched_inside_the_region_alone():
    image, region = picture(), box_mask(24, 24, 6, 8, 16, 18)
    results = []
    for match in (False, True):
        window = WindowOptions(minimum=8, grow=1, feather=1, match_color=match)
        results.append(plain(window=window).edit(image, region, "a dog", seeds=[1]))
    moved = (results[1].candidates - results[0].candidates).abs()
    inside = (results[0].mask > 0).expand_as(moved)
    assert moved[inside].mean() > 1e-3
    assert moved[~inside].amax() == 0


def test_guidance_brings_the_region_nearer_to_the_prompt():
    image, region = picture(), box_mask(24, 24, 6, 8, 16, 18)
    losses = {}
    for scale in (0.0, 0.5):
        options = SamplingOptions(gradient="unet", steps=12, guidance_scale=scale)
        build = editor(weights=GuidanceWeights(lpips=0, l2=0), sampling=options)
        losses[scale] = build.edit(image, region, "a dog", seeds=range(4)).losses["clip"].mean()
    assert losses[0.5] < losses[0.0] - 0.1


def test_the_prompt_conditions_the_model():
    image, region = picture(), box_mask(24, 24, 6, 8, 16, 18)
    means = []
    for cfg in (0.0, 1.0):
        build = plain(sampling=SamplingOptions(steps=8, cfg=cfg))
        result = build.edit(image, region, "a dog", seeds=range(4))
        means.append(result.candidates[..., 9:17, 7:15].mean())
    assert means[1] - means[0] == pytest.approx(0.4, abs=0.1)


def test_a_model_without_text_takes_one_forward_a_step():
    diffusion = GaussianDiffusion(pull=0)
    plain(diffusion).edit(picture(), box_mask(24, 24, 6, 8, 16, 18), "a dog", seeds=[1, 2])
    assert [batch for batch, _ in diffusion.calls] == [2, 2, 2]


def test_little_strength_stays_near_the_source():
    image, region = picture(), box_mask(24, 24, 6, 8, 16, 18)
    distance = {}
    for strength in (0.1, 1.0):
        diffusion = GaussianDiffusion(std=0.5)
        options = SamplingOptions(steps=5, strength=strength)
        result = plain(diffusion, sampling=options).edit(image, region, "a dog", seeds=[1])
        distance[strength] = (result.candidates - image).abs().mean()
        assert len(diffusion.calls) == 5
        assert diffusion.calls[0][1] == round(1000 * strength) - 1
    assert distance[0.1] < 0.5 * distance[1.0]


def test_at_full_strength_nothing_of_the_old_thing_leaks():
    region = box_mask(24, 24, 6, 8, 16, 18)
    insides = []
    for value in (-1.0, 1.0):
        image = picture() * (1 - region) + value * region
        window = WindowOptions(minimum=8, grow=4, feather=0, match_color=False)
        result = plain(window=window).edit(image, region, "a dog", seeds=[3])
        insides.append(result.candidates[..., 8:18, 6:16])
    torch.testing.assert_close(*insides, atol=1e-5, rtol=0)


def test_a_soft_region_is_repainted_in_part():
    image, region = picture(), 0.3 * box_mask(24, 24, 6, 8, 16, 18)
    result = plain(window=WindowOptions(minimum=8, grow=0, feather=0)).edit(
        image, region, "a dog", seeds=[1]
    )
    assert result.mask.amax().item() == pytest.approx(0.3, abs=1e-3)


@pytest.mark.parametrize("gradient", ["unet", "straight"])
def test_a_gray_picture_stays_gray(gradient):
    image = picture()[:, :1].repeat(1, 3, 1, 1)
    build = editor(sampling=SamplingOptions(steps=3, gradient=gradient))
    result = build.edit(image, box_mask(24, 24, 6, 8, 16, 18), "a dog", seeds=[1], gray=True)
    gray = result.candidates[:, :1].expand_as(result.candidates)
    torch.testing.assert_close(result.candidates, gray, atol=1e-5, rtol=0)


def test_without_blending_the_outside_is_still_the_source():
    image, region = picture(), box_mask(24, 24, 6, 8, 16, 18)
    result = plain(sampling=SamplingOptions(steps=3, blend=False)).edit(
        image, region, "a dog", seeds=[1]
    )
    outside = (result.mask == 0).expand_as(image)
    assert torch.equal(result.candidates[outside], image[outside])


def test_progress_counts_over_all_batches():
    seen = []
    build = editor(max_batch=2)
    build.edit(
        picture(), box_mask(24, 24, 6, 8, 16, 18), "a dog", seeds=[1, 2, 3], on_step=seen.append
    )
    assert [p.step for p in seen] == [1, 2, 3, 4, 5, 6]
    assert {p.steps for p in seen} == {6}
    assert [(p.first, len(p.denoised)) for p in seen] == [(0, 2)] * 3 + [(2, 1)] * 3
    assert set(seen[0].losses) == {"clip", "lpips", "l2", "range"}
    assert all(p.denoised.abs().amax() <= 1 for p in seen)


def test_an_interruption_leaves_the_editor_fit_for_the_next_edit():
    def interrupt(progress):
        if progress.step == 2:
            raise KeyboardInterrupt

    image, region, build = picture(), box_mask(24, 24, 6, 8, 16, 18), editor()
    before = build.edit(image, region, "a dog", seeds=[1])
    with pytest.raises(KeyboardInterrupt):
        build.edit(image, region, "a dog", seeds=[1], on_step=interrupt)
    assert torch.is_grad_enabled()
    after = build.edit(image, region, "a dog", seeds=[1])
    assert torch.equal(before.candidates, after.candidates)


def test_guidance_works_in_inference_mode():
    build = editor()
    with torch.inference_mode():
        image, region = picture(), box_mask(24, 24, 6, 8, 16, 18)
        result = build.edit(image, region, "a dog", seeds=[1])
    assert result.losses["clip"].isfinite().all()


def test_bfloat16_is_near_float32():
    image, region = picture(), box_mask(24, 24, 6, 8, 16, 18)
    results = [
        editor(sampling=SamplingOptions(steps=3, bf16=bf16)).edit(image, region, "a dog", seeds=[1])
        for bf16 in (False, True)
    ]
    assert results[1].candidates.dtype == torch.float32
    torch.testing.assert_close(results[0].candidates, results[1].candidates, atol=0.1, rtol=0)


def test_a_region_that_holds_all_that_changes_gets_a_margin_alone():
    image, region = picture(32, 32), box_mask(32, 32, 12, 12, 20, 20)
    options = WindowOptions(minimum=32, grow=6, margin=2)
    wide, narrow = (open_window(image, region, 32, options, complete) for complete in (False, True))
    assert wide.mask.sum() > narrow.mask.sum() > region.sum()
    close = plain(window=options).edit(image, region, "a cat", seeds=[1], complete=True)
    assert (
        close.mask.gt(0).sum()
        < plain(window=options).edit(image, region, "a cat", seeds=[1]).mask.gt(0).sum()
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"region": torch.zeros(1, 1, 24, 24)}, "empty"),
        ({"region": torch.ones(1, 1, 12, 24)}, "24x24"),
        ({"image": torch.zeros(1, 1, 24, 24)}, r"\[1, 3, H, W\]"),
        ({"prompt": "  "}, "blank"),
        ({"seeds": []}, "seeds"),
        ({"seeds": [-1]}, "4294967295"),
    ],
)
def test_what_cannot_be_edited_is_a_users_mistake(changed, message):
    given = {
        "image": picture(),
        "region": box_mask(24, 24, 6, 8, 16, 18),
        "prompt": "a dog",
        "seeds": [1],
    } | changed
    with pytest.raises(UserError, match=message):
        plain().edit(given["image"], given["region"], given["prompt"], seeds=given["seeds"])


def test_a_weight_without_its_network_is_a_users_mistake():
    with pytest.raises(UserError, match=r"weights\.clip"):
        GuidedEditor(GaussianDiffusion(), None, EdgeDistance())
    with pytest.raises(UserError, match=r"weights\.lpips"):
        GuidedEditor(GaussianDiffusion(), LinearClip(), None)


@pytest.mark.parametrize("wrong", [{"steps": 2000}, {"timesteps": (1000, 5)}])
def test_steps_beyond_the_models_schedule_are_told_before_any_edit(wrong):
    with pytest.raises(UserError, match="steps"):
        editor(sampling=SamplingOptions(**wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        {"solver": "euler"},
        {"steps": 0},
        {"strength": 0.0},
        {"strength": float("nan")},
        {"cfg": -1.0},
        {"cfg": float("nan")},
        {"gradient": "both"},
        {"normalize": "max"},
        {"guide_on": "noise"},
        {"guidance_scale": float("inf")},
    ],
)
def test_impossible_sampling_is_a_users_mistake(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        SamplingOptions(**wrong)


@pytest.mark.parametrize("wrong", [{"context": -1.0}, {"minimum": 0}, {"grow": -1}])
def test_impossible_windows_are_a_users_mistake(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        WindowOptions(**wrong)


def test_a_config_file_can_build_the_editor():
    from jsonargparse import ArgumentParser

    config = """
    editor:
      diffusion: {class_path: editor_fakes.GaussianDiffusion, init_args: {size: 24}}
      clip: {class_path: editor_fakes.LinearClip}
      weights: {clip: 500, lpips: 0}
      sampling: {solver: ddpm, steps: 50, timesteps: [900, 40]}
      window: {grow: 3}
      views: {fill: source}
      augment: {copies: 2}
      distance: cosine
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(GuidedEditor, "editor")
    build = parser.instantiate_classes(parser.parse_string(config)).editor
    assert build.weights == GuidanceWeights(clip=500, lpips=0)
    assert build.sampling == SamplingOptions(solver="ddpm", steps=50, timesteps=(900, 40))
    assert build.window == WindowOptions(grow=3)
    assert build.views == ViewOptions(fill="source")
    assert build.augment == AugmentOptions(copies=2)
    result = build.edit(picture(), box_mask(24, 24, 6, 8, 16, 18), "a dog", seeds=[1])
    assert set(result.losses) == {"clip", "l2"}
