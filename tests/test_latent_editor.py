"""Editing with latent diffusion, and with whole pipelines, on tiny ones of the real format."""

import json
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_latent
import torch
from editor_fakes import EdgeDistance, LinearClip, box_mask, picture
from PIL import Image
from tiny_models import tiny_models

from lr_edit.backbones.half import balanced, network_dtype
from lr_edit.backbones.latent_diffusion import StableDiffusion, read_schedule
from lr_edit.backbones.memory import MemoryOptions, enough_memory
from lr_edit.backbones.pipeline import PipelineInpainter, cfg_name, pipeline_kind
from lr_edit.backbones.pipeline_files import hub_patterns
from lr_edit.cli.main import main
from lr_edit.cli.settings import edit_settings
from lr_edit.editors.canvas import canvas_background, seen_on
from lr_edit.editors.denoisers import guided, model_denoiser
from lr_edit.editors.editor import LARGEST_SEED
from lr_edit.editors.inpainting import InpaintingEditor
from lr_edit.editors.latent import latent_canvas, latent_mask, shrinking, widening
from lr_edit.editors.options import SamplingOptions, WindowOptions
from lr_edit.editors.pixel import PixelEditor
from lr_edit.editors.sampling import noised, sample
from lr_edit.editors.schedulers import Solver, trailing_timesteps
from lr_edit.editors.window import open_window
from lr_edit.errors import UserError
from lr_edit.guidance.options import NO_GUIDANCE, AugmentOptions, GuidanceWeights, ViewOptions
from lr_edit.images import to_pil
from lr_edit.models import load_models
from lr_edit.regions.rehearsal import rehearse

SIZE = tiny_latent.SIZE
WHOLE = WindowOptions(context=9, minimum=SIZE, grow=0, feather=0, match_color=False)
PROMPT = "a red apple"


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every pipeline of these tests, saved once."""
    folder = tmp_path_factory.mktemp("latent")
    tiny_latent.stable_diffusion(folder / "inpainting")
    tiny_latent.stable_diffusion(folder / "plain", 4, "v_prediction")
    tiny_latent.stable_diffusion_xl(folder / "xl")
    tiny_latent.tiny_decoder(folder / "tiny")
    tiny_latent.flux_fill(folder / "flux")
    return folder


@pytest.fixture(scope="session")
def models(folders: Path) -> dict[str, StableDiffusion]:
    return {name: StableDiffusion(str(folders / name)) for name in ("inpainting", "plain", "xl")}


def editor(diffusion: StableDiffusion, **options: Any) -> PixelEditor:
    """A guided editor; two steps unless told otherwise."""
    settings = {
        "weights": GuidanceWeights(clip=1, lpips=1, l2=1, range=1),
        "sampling": SamplingOptions(steps=2, bf16=False),
        "window": WindowOptions(minimum=32),
        "views": ViewOptions(side=16),
        "augment": AugmentOptions(copies=2),
    } | options
    return PixelEditor(diffusion, LinearClip(), EdgeDistance(), **settings)


def region() -> torch.Tensor:
    """A region that is made of whole latent cells where the window is the picture."""
    return box_mask(SIZE, SIZE, 16, 24, 40, 48)


def outside_is_kept(result: Any, image: torch.Tensor) -> bool:
    """Whether every candidate is the image where nothing was painted, and something was."""
    outside = (result.mask == 0).expand_as(result.candidates)
    images = image.expand_as(result.candidates)
    same = torch.equal(result.candidates[outside], images[outside])
    return same and bool(outside.any()) and not torch.equal(result.candidates, images)


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
def test_unguided_latents_equal_those_of_diffusers(models, folders, name):
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    got = ours(models[name], name == "plain", noise, 3.0)
    expected = theirs(folders / name, noise, 3.0, "latent")
    assert (got - expected).abs().max() < 1e-4
    assert not torch.allclose(got, noise, atol=0.1)


def test_the_editor_paints_what_diffusers_paints(models, folders):
    generator = torch.Generator().manual_seed(3)
    torch.randint(LARGEST_SEED, (), generator=generator)  # the seed of the views
    noise = torch.randn(4, 8, 8, generator=generator)[None]
    options = SamplingOptions(solver="ddim", steps=5, cfg=3.0, blend=False, bf16=False)
    build = editor(models["inpainting"], sampling=options, weights=NO_GUIDANCE, window=WHOLE)
    result = build.edit(picture(SIZE, SIZE), region(), PROMPT, seeds=[3])
    expected = theirs(folders / "inpainting", noise, 3.0, "pt") * 2 - 1
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
def test_the_gradient_reaches_the_latents(models, folders, gradient, tiny):
    model = models["inpainting"]
    if tiny:
        model = StableDiffusion(
            str(folders / "inpainting"), tiny_decoder=str(folders / "tiny"),
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


def test_every_lever_leaves_the_result_as_it_was(models, folders):
    levers = MemoryOptions(1, True, True, True, True, True)
    small = StableDiffusion(str(folders / "inpainting"), memory=levers)
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


# Pipelines that edit by themselves


@pytest.mark.parametrize("name", ["inpainting", "plain", "flux"])
def test_whole_pipelines_edit_and_keep_the_outside(folders, name):
    image, seen = picture(72, 96), []
    inpainter = PipelineInpainter(str(folders / name), size=SIZE)
    build = InpaintingEditor(
        inpainter, SamplingOptions(steps=2, bf16=False), WindowOptions(minimum=32)
    )
    area = box_mask(72, 96, 20, 24, 50, 60)
    result = build.edit(image, area, PROMPT, seeds=[4, 5], on_step=seen.append)
    assert outside_is_kept(result, image)
    assert [p.step for p in seen] == [1, 2, 3, 4] and {p.steps for p in seen} == {4}
    assert seen[0].denoised.shape == (1, 3, SIZE, SIZE)
    alone = build.edit(image, area, PROMPT, seeds=[5])
    assert torch.equal(alone.candidates[0], result.candidates[1])
    assert not torch.equal(result.candidates[0], result.candidates[1])


def test_a_pipeline_is_found_for_every_family(tmp_path):
    import diffusers

    found = {
        "FluxFillPipeline": "FluxFillPipeline",
        "StableDiffusionXLInpaintPipeline": "StableDiffusionXLInpaintPipeline",
        "QwenImageEditPipeline": "AutoPipelineForInpainting",
        "FluxPipeline": "AutoPipelineForInpainting",
    }
    for name, expected in found.items():
        (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": name}))
        assert pipeline_kind(tmp_path).__name__ == expected
    named = pipeline_kind(tmp_path, "FluxKontextInpaintPipeline")
    assert named is diffusers.FluxKontextInpaintPipeline
    with pytest.raises(UserError, match="FluxPipeline"):
        pipeline_kind(tmp_path, "FluxPipeline")
    scales = {
        diffusers.FluxFillPipeline: "guidance_scale",
        diffusers.QwenImageEditInpaintPipeline: "true_cfg_scale",
        diffusers.StableDiffusionInpaintPipeline: "guidance_scale",
    }
    for kind, scale in scales.items():
        assert cfg_name(signature(kind.__call__).parameters) == scale


# Model sets and the command line

SET = """
clip:
  class_path: lr_edit.backbones.open_clip.OpenClipEncoder
  init_args: {{name: "local-dir:{0}/clip"}}
perceptual:
  class_path: lr_edit.backbones.perceptual.LpipsDistance
  init_args: {{folder: "{0}/perceptual"}}
{1}
"""
GUIDED = """diffusion:
  class_path: lr_edit.backbones.latent_diffusion.StableDiffusion
  init_args:
    name: "{0}/inpainting"
    tiny_decoder: "{0}/tiny"
    dtype: bfloat16
    memory: {{batch: 1, vae_slicing: true, checkpointing: true}}
"""
UNGUIDED = """inpainter:
  class_path: lr_edit.backbones.pipeline.PipelineInpainter
  init_args: {{name: "{0}/flux", size: 64}}
"""


@pytest.mark.parametrize("kind", [GUIDED, UNGUIDED])
def test_infer_edits_with_it(folders, tmp_path, monkeypatch, capsys, kind):
    monkeypatch.chdir(tmp_path)
    tiny_models(tmp_path / "models")
    text = SET.format((tmp_path / "models").as_posix(), kind.format(folders.as_posix()))
    Path("set.yaml").write_text(text)
    to_pil(picture(72, 96))[0].save("photo.png")
    mask = Image.new("L", (96, 72))
    mask.paste(255, (20, 24, 50, 60))
    mask.save("mask.png")
    words = "--image photo.png --mask mask.png --with apple --models set.yaml --output out"
    words += " --device cpu --count 2 --steps 2"
    status = main(words.split())
    captured = capsys.readouterr()
    assert status == 0, captured.err
    report = json.loads(Path("out/report.json").read_text())
    assert report["figures"]["changed_outside"] == 0 and len(report["candidates"]) == 2
    before, after = (np.asarray(Image.open(name)) for name in ("photo.png", "out/edit.png"))
    assert (before != after).any() and (before[:, 70:] == after[:, 70:]).all()


@pytest.mark.parametrize("name", ["photo_latent", "photo_small"])
def test_shipped_sets_say_what_is_missing(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match="missing weights: 'stable-diffusion-v1-5/") as got:
        _ = load_models(name).diffusion
    assert "\n" not in str(got.value)


def test_a_set_suggests_options_and_the_command_line_wins(tmp_path):
    line = "--image a.png --replace mug --with cat --output out --models"
    words = line.split()
    for name in ("photo_latent", "photo_small"):
        settings = edit_settings([*words, name, "--sampling.steps", "7"])
        assert (settings.sampling.cfg, settings.sampling.steps) == (7.5, 7)
        assert settings.views.side == 224
    assert settings.sampling.gradient == "straight"
    for text, says in {
        "options: {sampling: 3}": "groups",
        "options: {views: {hue: 3}}": "hue",
    }.items():
        (tmp_path / "mine.yaml").write_text(text)
        with pytest.raises(UserError, match=says):
            edit_settings([*words, str(tmp_path / "mine.yaml")])


def test_what_cannot_be_used_is_told(folders, models, tmp_path):
    with pytest.raises(UserError, match="missing weights"):
        StableDiffusion(str(tmp_path / "none"))
    with pytest.raises(UserError, match="FluxFillPipeline: expected Stable Diffusion"):
        StableDiffusion(str(folders / "flux"))
    with pytest.raises(UserError, match="multiple of 8"):
        StableDiffusion(str(folders / "plain"), size=60)
    with pytest.raises(UserError, match="cannot be loaded"):
        StableDiffusion(str(folders / "plain"), variant="fp16")
    with pytest.raises(UserError, match="beta_schedule"):
        read_schedule(folders / "flux" / "scheduler")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"model_index\.json"):
        StableDiffusion(str(tmp_path / "empty"))


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


def test_from_the_hub_come_the_parts_and_no_whole_checkpoints():
    from fnmatch import fnmatch

    wanted = hub_patterns("fp16", ("unet", "tokenizer"))

    def taken(name: str) -> bool:
        return any(fnmatch(name, pattern) for pattern in wanted)

    assert taken("unet/diffusion_pytorch_model.fp16.safetensors") and taken("model_index.json")
    assert taken("tokenizer/merges.txt") and taken("unet/config.json")
    for name in (
        "sd-v1-5-inpainting.safetensors", "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.bin", "safety_checker/model.fp16.safetensors",
    ):  # fmt: skip
        assert not taken(name)
