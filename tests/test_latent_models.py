"""Whole pipelines as editors, and sets of latent models, on tiny ones of the real format."""

import json
import shutil
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import tiny_latent
import torch
from editor_fakes import box_mask, outside_is_kept, picture
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tiny_models import tiny_models

from lr_edit.backbones.latent_diffusion import StableDiffusion, read_schedule
from lr_edit.backbones.pipeline import PipelineInpainter, told_steps
from lr_edit.backbones.pipeline_files import hub_patterns
from lr_edit.backbones.pipeline_kinds import cfg_name, pipeline_kind
from lr_edit.backbones.vae import load_vae
from lr_edit.cli.main import main
from lr_edit.cli.settings import edit_settings
from lr_edit.editors.inpainting import InpaintingEditor
from lr_edit.editors.options import SamplingOptions, WindowOptions
from lr_edit.errors import UserError
from lr_edit.images import to_pil
from lr_edit.models import load_models

SIZE = tiny_latent.SIZE
PROMPT = "a red apple"


# Pipelines that edit by themselves


@pytest.mark.parametrize("name", ["inpainting", "plain", "flux"])
def test_whole_pipelines_edit_and_keep_the_outside(latent_folders, name):
    image, seen = picture(72, 96), []
    inpainter = PipelineInpainter(str(latent_folders / name), size=SIZE)
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
def test_infer_edits_with_it(latent_folders, tmp_path, monkeypatch, capsys, kind):
    monkeypatch.chdir(tmp_path)
    tiny_models(tmp_path / "models")
    text = SET.format((tmp_path / "models").as_posix(), kind.format(latent_folders.as_posix()))
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


@settings(deadline=None)
@given(st.integers(1, 100), st.floats(0.05, 1))
def test_a_pipeline_runs_the_steps_that_were_asked_for(steps: int, strength: float) -> None:
    """As diffusers counts them in StableDiffusionInpaintPipeline and in FluxFillPipeline."""
    told = told_steps(steps, strength, unet=True)
    assert min(int(told * strength), told) == steps
    told = told_steps(steps, strength, unet=False)
    run = told - int(max(told - min(told * strength, told), 0))
    assert steps <= run <= steps + 1  # where 0.3 * 100 is 30.000000000000004


def test_a_vae_that_says_nothing_of_float16_keeps_to_it(latent_folders, tmp_path):
    """Stable Diffusion 1's; diffusers takes silence for overflow."""
    folder = tmp_path / "copy"
    shutil.copytree(latent_folders / "inpainting", folder)
    config = folder / "vae" / "config.json"
    for said, expected in ((None, torch.float16), (False, torch.float16), (True, torch.float32)):
        facts = json.loads(config.read_text())
        facts.pop("force_upcast", None)
        config.write_text(json.dumps(facts | ({} if said is None else {"force_upcast": said})))
        assert load_vae(folder, torch.float16).dtype == expected


def test_what_cannot_be_used_is_told(latent_folders, tmp_path):
    with pytest.raises(UserError, match="missing weights"):
        StableDiffusion(str(tmp_path / "none"))
    with pytest.raises(UserError, match="FluxFillPipeline: expected Stable Diffusion"):
        StableDiffusion(str(latent_folders / "flux"))
    with pytest.raises(UserError, match="multiple of 8"):
        StableDiffusion(str(latent_folders / "plain"), size=60)
    with pytest.raises(UserError, match="cannot be loaded"):
        StableDiffusion(str(latent_folders / "plain"), variant="fp16")
    with pytest.raises(UserError, match="beta_schedule"):
        read_schedule(latent_folders / "flux" / "scheduler")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"model_index\.json"):
        StableDiffusion(str(tmp_path / "empty"))


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
