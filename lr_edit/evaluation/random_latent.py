"""Stable Diffusion and a tiny decoder with random weights, as the folders that the loaders read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lr_edit.backbones.tokenizer import train_tokenizer

VARIANT = "fp16"


def write_stable_diffusion(
    folder: Path, unet: Mapping[str, Any], vae: Mapping[str, Any], text: Mapping[str, Any]
) -> None:
    """Stable Diffusion 1 as a pipeline of diffusers, of float16 in the variant fp16, as published.

    The mappings are the arguments of UNet2DConditionModel, AutoencoderKL and CLIPTextConfig. The
    vocabulary is a short one: what tokens mean costs nothing.
    """
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionInpaintPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel

    words = train_tokenizer(["a photograph of a mug"], folder.with_name("words"), merges=0)
    config: Any = CLIPTextConfig(
        **text, bos_token_id=len(words) - 2, eos_token_id=len(words) - 1,
        pad_token_id=len(words) - 1,
    )  # fmt: skip
    network: Any = UNet2DConditionModel(**unet)
    network.half()  # at once: together in float32 they would need twice the memory
    codec: Any = AutoencoderKL(**vae)
    tower: Any = CLIPTextModel(config)
    scheduler: Any = DDIMScheduler(
        1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
        clip_sample=False, prediction_type="epsilon", steps_offset=1,
    )  # fmt: skip
    pipeline: Any = StableDiffusionInpaintPipeline(
        vae=codec.half(), text_encoder=tower.half(), tokenizer=words, unet=network,
        scheduler=scheduler, safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(str(folder), variant=VARIANT)


def write_tiny_decoder(folder: Path, arguments: Mapping[str, Any]) -> None:
    """An AutoencoderTiny, as TAESD; without arguments of TAESD's own size."""
    from diffusers import AutoencoderTiny

    network: Any = AutoencoderTiny(**arguments)
    network.save_pretrained(str(folder))
