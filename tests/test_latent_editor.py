"""Editing with latent diffusion, and with whole pipelines, on tiny ones of the real format."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_latent
import torch
from editor_fakes import EdgeDistance, LinearClip, box_mask, outside_is_kept, picture
from PIL import Image

from lr_edit.backbones.half import balanced, network_dtype
from lr_edit.backbones.latent_diffusion import StableDiffusion
from lr_edit.backbones.memory import MemoryOptions, enough_memory
from lr_edit.editors.canvas import canvas_background, seen_on
from lr_edit.editors.denoisers import guided, model_denoiser
from lr_edit.editors.editor import LARGEST_SEED
from lr_edit.editors.guided import GuidedEditor
from lr_edit.editors.latent import latent_canvas, latent_mask, shrinking, widening
from lr_edit.editors.options import SamplingOptions, WindowOptions
from lr_edit.editors.sampling import noised, sample
from lr_edit.editors.schedulers import Solver, trailing_timesteps
from lr_edit.editors.window import open_window
from lr_edit.errors import UserError
from lr_edit.guidance.options import NO_GUIDANCE, AugmentOptions, GuidanceWeights, ViewOptions
from lr_edit.regions.rehearsal import rehearse

SIZE = tiny_latent.SIZE
WHOLE = WindowOptions(context=9, minimum=SIZE, grow=0, feather=0, match_color=False)
PROMPT = "a red apple"


@pytest.fixture(scope="session")
def models(latent_folders: Path) -> dict[str, StableDiffusion]:
    names = ("inpainting", "plain", "xl")
    return {name: StableDiffusion(str(latent_folders / name)) for name in names}


def editor(diffusion: StableDiffusion, **options: Any) -> GuidedEditor:
    """A guided editor; two steps unless told otherwise."""
    settings = {
        "weights": GuidanceWeights(clip=1, lpips=1, l2=1, range=1),
        "sampling": SamplingOptions(steps=2, bf16=False),
        "window": WindowOptions(minimum=32),
        "views": ViewOptions(side=16),
        "augment": AugmentOptions(copies=2),
    } | options
    return GuidedEditor(diffusion, LinearClip(), EdgeDistance(), **settings)


def region() -> torch.Tensor:
    """A region that is made of whole latent cells where the window is the picture."""
    return box_mask(SIZE, SIZE, 16, 24, 40, 48)


# Every kind of model through the editor


@pytest.mark.parametrize("name", ["inpainting", "plain", "xl"])
@pytest.mark.parametrize("gradient", ["unet", "straight"])
def test_every_kind_edits_and_keeps_the_outside(models, name, gradient):
    image = picture(80, 100)
    steps: list[torch.Tensor] = []
    build = editor(models[name], sampling=SamplingOptions(steps=2, gradient=gradient, bf16=False))
    result = build.edit(
        image, box_mask(80, 100, 20, 24, 50, 60), PROMPT, seeds=[1],
        on_step=lambda progress: steps.append(progress.denoised),
    )  # fmt: skip
    assert outside_is_kept(result, image)
    assert result.candidates.isfinite().all() and result.candidates.abs().amax() <= 1
    assert set(result.losses) == {"clip", "lpips", "l2", "range"}
    assert [step.shape for step in steps] == [(1, 3, SIZE, SIZE)] * 2


@pytest.mark.parametrize("solver", ["ddpm", "ddim", "dpmsolver"])
def test_a_candidate_depends_on_its_seed_alone(models, solver):
    image = picture(SIZE, SIZE)
    options = SamplingOptions(solver=solver, steps=2, bf16=False)
    build = partial(editor, sampling=options)
    together = build(models["plain"]).edit(image, region(), PROMPT, seeds=[5, 6, 7])
    for k, seed in enumerate((5, 6, 7)):
        alone = build(models["plain"], max_batch=1).edit(image, region(), PROMPT, seeds=[seed])
        torch.testing.assert_close(alone.candidates[0], together.candidates[k], atol=1e-3, rtol=0)


def test_a_gray_picture_stays_gray(models):
    image = picture(SIZE, SIZE)[:, :1].repeat(1, 3, 1, 1)
    result = editor(models["inpainting"]).edit(image, region(), PROMPT, seeds=[1], gray=True)
    gray = result.candidates[:, :1].expand_as(result.candidates)
    torch.testing.assert_close(result.candidates, gray, atol=1e-5, rtol=0)


def test_a_negative_prompt_is_heard(models):
    results = [
        editor(
            models["plain"],
            weights=NO_GUIDANCE,
            sampling=SamplingOptions(steps=2, negative=words, bf16=False),
        ).edit(picture(SIZE, SIZE), region(), PROMPT, seeds=[1])
        for words in ("", "a blue mug")
    ]
    assert not torch.equal(results[0].candidates, results[1].candidates)


# The same numbers as diffusers


def ours(model: StableDiffusion, blend: bool, noise: torch.Tensor, cfg: float) -> torch.Tensor:
    """The latents after five steps of DDIM from that noise, without guidance."""
    with torch.no_grad():
        canvas = latent_canvas(
            open_window(picture(SIZE, SIZE), region(), SIZE, WHOLE), model.codec, 0, False
        )
        condition, null = model.embed([PROMPT, ""]).split(1)
        denoise = model_denoiser(model, condition, null, cfg, canvas.shown, canvas.hole)
        solver = Solver("ddim", model.alphas_cumprod, trailing_timesteps(1000, 5))
        back = canvas_background(canvas, noise, solver.levels)

        def as_theirs(x: torch.Tensor, level: float) -> torch.Tensor:  # which begins all in noise
            return back(x, level) if blend and level != solver.levels[0] else x

        return sample(denoise, solver, noise, as_theirs, []).pictures


def theirs(folder: Path, noise: torch.Tensor, cfg: float, output: str) -> torch.Tensor:
    """The same by the pipeline that diffusers has for the folder."""
    from diffusers import AutoPipelineForInpainting

    pipeline = AutoPipelineForInpainting.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    hole = Image.fromarray((region()[0, 0].numpy() * 255).astype(np.uint8))
    return pipeline(
        prompt=PROMPT, image=picture(SIZE, SIZE) / 2 + 0.5, mask_image=hole, height=SIZE,
        width=SIZE, num_inference_steps=5, strength=1.0, guidance_scale=cfg, latents=noise,
        output_type=output,
    ).images  # fmt: skip


@pytest.mark.parametrize("name", ["inpainting", "plain", "xl"])
def test_unguided_latents_equal_those_of_diffusers(models, latent_folders, name):
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    got = ours(models[name], name == "plain", noise, 3.0)
    expected = theirs(latent_folders / name, noise, 3.0, "latent")
    assert (got - expected).abs().max() < 1e-4
    assert not torch.allclose(got, noise, atol=0.1)


def test_the_editor_paints_what_diffusers_paints(models, latent_folders):
    generator = torch.Generator().manual_seed(3)
    torch.randint(LARGEST_SEED, (), generator=generator)  # the seed of the views
    noise = torch.randn(4, 8, 8, generator=generator)[None]
    options = SamplingOptions(solver="ddim", steps=5, cfg=3.0, blend=False, bf16=False)
    build = editor(models["inpainting"], sampling=options, weights=NO_GUIDANCE, window=WHOLE)
    result = build.edit(picture(SIZE, SIZE), region(), PROMPT, seeds=[3])
    expected = theirs(latent_folders / "inpainting", noise, 3.0, "pt") * 2 - 1
    assert ((result.candidates - expected) * region()).abs().max() < 1e-3


# Blending, shrinking, guidance


def test_the_background_is_the_noised_source_at_every_level(models):
    codec = models["plain"].codec
    canvas = latent_canvas(open_window(picture(SIZE, SIZE), region(), SIZE, WHOLE), codec, 0, False)
    noise, levels = torch.randn(2, 4, 8, 8), (0.01, 0.3, 0.8, 1.0)
    blend, x = canvas_background(canvas, noise, levels), torch.randn(2, 4, 8, 8)
    source = codec.encode(picture(SIZE, SIZE))
    free = latent_mask(region(), 8).bool().expand_as(x)
    for level in levels:
        blended = blend(x, level)
        torch.testing.assert_close(blended[~free], noised(source, noise, level)[~free])
        assert torch.equal(blended[free], x[free])


def test_a_thin_region_begins_wide_and_ends_exact():
    image = picture(SIZE, SIZE)
    thin = box_mask(SIZE, SIZE, 33, 16, 35, 48)
    window = open_window(image, thin, SIZE, WHOLE)

    class Codec:
        factor, channels = 8, 4
        encode = staticmethod(lambda images: torch.zeros(1, 4, 8, 8))
        decode = glimpse = encode

    canvas = latent_canvas(window, Codec(), 3, False)
    areas = [int(canvas.free(done / 8).sum()) for done in range(9)]
    assert areas == sorted(areas, reverse=True) and areas[0] > areas[4] > areas[-1]
    assert torch.equal(canvas.free(1.0), latent_mask(thin, 8))
    assert torch.equal(canvas.hole, latent_mask(thin, 8)) and areas[-1] == 4


def test_only_thin_regions_are_widened():
    thick, thin = torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 16, 16)
    thick[..., 3:12, 3:12] = 1
    thin[..., 5:6, 3:12] = 1
    assert (widening(thick, 4), widening(thin, 4), widening(thin, 0)) == (0, 3, 0)
    assert [mask.shape for mask in shrinking(thin, 3)] == [thin.shape] * 4
    assert torch.equal(shrinking(thin, 0)[0], thin)


@pytest.mark.parametrize("gradient", ["unet", "straight"])
@pytest.mark.parametrize("tiny", [False, True])
def test_the_gradient_reaches_the_latents(models, latent_folders, gradient, tiny):
    model = models["inpainting"]
    if tiny:
        model = StableDiffusion(
            str(latent_folders / "inpainting"), tiny_decoder=str(latent_folders / "tiny"),
            memory=MemoryOptions(checkpointing=True),
        )  # fmt: skip
    canvas = latent_canvas(
        open_window(picture(SIZE, SIZE), region(), SIZE, WHOLE), model.codec, 0, False
    )

    def loss(x0: torch.Tensor, seen: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        assert seen.shape == (2, 3, SIZE, SIZE)
        return seen[:, :, 24:48, 16:40].square().mean(dim=(1, 2, 3)), {}

    denoise = model_denoiser(
        model, *model.embed([PROMPT, ""]).split(1), 2.0, canvas.shown, canvas.hole
    )
    steered = guided(
        denoise, seen_on(canvas, loss, False), model.alphas_cumprod.tolist(),
        SamplingOptions(gradient=gradient),
    )  # fmt: skip
    result = steered(torch.randn(2, 4, 8, 8), 500)
    moved = (result.guided.x0 - result.plain.x0).flatten(1)
    assert moved.isfinite().all() and (moved.square().mean(1) > 1e-6).all()
    assert not moved.requires_grad


def test_guidance_lowers_its_loss(models):
    losses = {}
    for scale in (0.0, 1.0):
        options = SamplingOptions(steps=6, guidance_scale=scale, guide_on="x0")
        weights = GuidanceWeights(clip=1, lpips=0, l2=0)
        build = editor(models["plain"], sampling=options, weights=weights)
        result = build.edit(picture(SIZE, SIZE), region(), PROMPT, seeds=[1])
        losses[scale] = float(result.losses["clip"])
    assert losses[1.0] < losses[0.0]


# Precision and memory


def test_small_gradients_survive_float16():
    torch.manual_seed(0)
    layer = torch.nn.Linear(8, 8)
    x = torch.randn(2, 8, requires_grad=True)
    weight = torch.tensor([[1e-9], [1e9]])  # the one would vanish, the other overflow

    def half(z: torch.Tensor) -> torch.Tensor:
        return layer.half()(z.half()).float()

    (got,) = torch.autograd.grad((balanced(half, x) * weight).sum() + x.sum(), x)
    (expected,) = torch.autograd.grad((layer.float()(x) * weight).sum() + x.sum(), x)
    torch.testing.assert_close(got, expected, rtol=0.02, atol=1e-3)
    (inner,) = torch.autograd.grad((balanced(half, x) * weight).sum(), x)
    (exact,) = torch.autograd.grad((layer.float()(x) * weight).sum(), x)
    torch.testing.assert_close(inner / weight, exact / weight, rtol=0.02, atol=1e-3)
    assert network_dtype("float16", torch.device("cpu")) == torch.float32


def test_every_lever_leaves_the_result_as_it_was(models, latent_folders):
    levers = MemoryOptions(1, True, True, True, True, True)
    small = StableDiffusion(str(latent_folders / "inpainting"), memory=levers)
    results = [
        editor(model).edit(picture(SIZE, SIZE), region(), PROMPT, seeds=[1, 2])
        for model in (models["inpainting"], small)
    ]
    torch.testing.assert_close(results[0].candidates, results[1].candidates, atol=1e-3, rtol=0)


def test_running_out_of_memory_is_told_with_the_remedy(models, monkeypatch):
    def no_memory(*arguments: Any, **options: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(models["plain"]._unet, "forward", no_memory)
    with pytest.raises(UserError, match=r"ran out of memory: put batch: 1, checkpointing: true"):
        editor(models["plain"]).edit(picture(SIZE, SIZE), region(), PROMPT, seeds=[1])
    with (
        pytest.raises(UserError, match="straight"),
        enough_memory(MemoryOptions(1, True, True, True, True, True).remedy),
    ):
        no_memory()
    with pytest.raises(UserError, match=r"memory\.batch is 0"):
        MemoryOptions(batch=0)


def test_code_for_pixels_tells_that_it_needs_them(models):
    model = models["plain"]
    with pytest.raises(UserError, match="works on pixels"):
        rehearse(
            model,
            picture(SIZE, SIZE),
            region(),
            model.embed([PROMPT]),
            torch.randn(1, 3, SIZE, SIZE),
        )
