"""Latent diffusion pipelines with random weights, tiny but in exactly the format of the real ones.

Pictures are 64 pixels wide and latents 8, as the factor is 8 in the real ones.
"""

import json
from pathlib import Path
from typing import Any

import torch
import weights

SIZE = 64


def stable_diffusion(folder: Path, channels: int = 9, prediction: str = "epsilon") -> Path:
    """Stable Diffusion 1 with inpainting channels (9) or without (4)."""
    from diffusers import StableDiffusionInpaintPipeline, StableDiffusionPipeline
    from transformers import CLIPTextModel

    torch.manual_seed(0)
    words = weights.tokenizer(folder.with_name(folder.name + "-words"))
    kind = StableDiffusionInpaintPipeline if channels == 9 else StableDiffusionPipeline
    kind(
        vae=vae(), text_encoder=CLIPTextModel(text_config(len(words), 32)), tokenizer=words,
        unet=unet(channels, 32), scheduler=scheduler(prediction), safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip
    as_published(folder / "tokenizer", folder / "text_encoder")
    first_names(folder / "vae")
    return folder


def stable_diffusion_xl(folder: Path) -> Path:
    """SDXL with inpainting channels: two text encoders, and sizes as added conditions."""
    from diffusers import StableDiffusionXLInpaintPipeline
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    torch.manual_seed(0)
    words = weights.tokenizer(folder.with_name(folder.name + "-words"))
    first, second = text_config(len(words), 32), text_config(len(words), 24)
    added: dict[str, Any] = {
        "addition_embed_type": "text_time", "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 6 * 8 + 16, "use_linear_projection": True,
    }  # fmt: skip
    StableDiffusionXLInpaintPipeline(
        vae=vae(), text_encoder=CLIPTextModel(first),
        text_encoder_2=CLIPTextModelWithProjection(second), tokenizer=words, tokenizer_2=words,
        unet=unet(9, 32 + 24, **added), scheduler=scheduler(), force_zeros_for_empty_prompt=True,
        add_watermarker=False,
    ).save_pretrained(folder)  # fmt: skip
    as_published(folder / "tokenizer", folder / "text_encoder")
    as_published(folder / "tokenizer_2", folder / "text_encoder_2")
    facts = folder / "tokenizer_2" / "tokenizer_config.json"
    facts.write_text(json.dumps(json.loads(facts.read_text()) | {"pad_token": "!"}))
    return folder


def tiny_decoder(folder: Path) -> Path:
    """An AutoencoderTiny, as TAESD."""
    from diffusers import AutoencoderTiny

    torch.manual_seed(1)
    AutoencoderTiny(
        encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4,
        num_encoder_blocks=(1,) * 4, num_decoder_blocks=(1,) * 4,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def flux_fill(folder: Path) -> Path:
    """FLUX Fill: a transformer of packed latents, CLIP and T5, flow matching."""
    from diffusers import (
        AutoencoderKL,
        FlowMatchEulerDiscreteScheduler,
        FluxFillPipeline,
        FluxTransformer2DModel,
    )
    from transformers import CLIPTextModel, T5Config, T5EncoderModel, T5Tokenizer

    torch.manual_seed(0)
    words = weights.tokenizer(folder.with_name(folder.name + "-words"))
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -1.0)]
    pieces += [(letter, -2.0) for letter in "abcdefghijklmnopqrstuvwxyz"]
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=4 + 4 + 4 * 4, out_channels=4, num_layers=1, num_single_layers=1,
        attention_head_dim=16, num_attention_heads=2, joint_attention_dim=32,
        pooled_projection_dim=32, axes_dims_rope=(4, 4, 8), guidance_embeds=True,
    )  # fmt: skip
    autoencoder = AutoencoderKL(
        block_out_channels=(4, 4), down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=1, norm_num_groups=1,
        sample_size=SIZE, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06,
        scaling_factor=1.5,
    )  # fmt: skip
    FluxFillPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(), vae=autoencoder, transformer=transformer,
        text_encoder=CLIPTextModel(text_config(len(words), 32)), tokenizer=words,
        text_encoder_2=T5EncoderModel(
            T5Config(vocab_size=200, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
        ),
        tokenizer_2=T5Tokenizer(vocab=pieces, model_max_length=16),
    ).save_pretrained(folder)  # fmt: skip
    return folder


def vae() -> Any:
    """An autoencoder of factor 8 whose posterior has no spread, so that samples are its mode."""
    from diffusers import AutoencoderKL

    made = AutoencoderKL(
        block_out_channels=(8,) * 4, down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4, norm_num_groups=4, layers_per_block=1,
        sample_size=SIZE, scaling_factor=0.18215,
    )  # fmt: skip
    with torch.no_grad():
        made.quant_conv.weight[4:] = 0
        made.quant_conv.bias[4:] = -30
    return made


def unet(channels: int, text: int, **added: Any) -> Any:
    """A UNet of that many input channels that reads tokens of width `text`."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=SIZE // 8, in_channels=channels, out_channels=4, block_out_channels=(16, 32),
        layers_per_block=1, cross_attention_dim=text, attention_head_dim=8, norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), **added,
    )  # fmt: skip


def scheduler(prediction: str = "epsilon") -> Any:
    """The schedule of Stable Diffusion, and DDIM steps that are spaced as this project's."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
        clip_sample=False, prediction_type=prediction, timestep_spacing="trailing", steps_offset=1,
    )  # fmt: skip


def text_config(vocabulary: int, width: int) -> Any:
    """A CLIP text encoder of two layers."""
    from transformers import CLIPTextConfig

    return CLIPTextConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=2 * width, projection_dim=16,
        num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=20,
        bos_token_id=vocabulary - 2, eos_token_id=vocabulary - 1, pad_token_id=vocabulary - 1,
    )  # fmt: skip


def as_published(tokenizer: Path, text_encoder: Path) -> None:
    """Rewrites what the libraries save otherwise today than the published repositories hold it:
    a vocabulary and its merges, and names of tensors under text_model, positions among them."""
    from safetensors.torch import load_file, save_file

    model = json.loads((tokenizer / "tokenizer.json").read_text())["model"]
    (tokenizer / "tokenizer.json").unlink()
    (tokenizer / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = [" ".join(pair) for pair in model["merges"]]
    (tokenizer / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    path = text_encoder / "model.safetensors"
    state = {
        name if name.startswith("text_") else f"text_model.{name}": tensor
        for name, tensor in load_file(path).items()
    }
    length = len(state["text_model.embeddings.position_embedding.weight"])
    state["text_model.embeddings.position_ids"] = torch.arange(length)[None]
    save_file(state, path, metadata={"format": "pt"})


def first_names(vae: Path) -> None:
    """Gives an autoencoder's attention the names that Stable Diffusion 1 was published with."""
    from safetensors.torch import load_file, save_file

    path = vae / "diffusion_pytorch_model.safetensors"
    names = {"to_q.": "query.", "to_k.": "key.", "to_v.": "value.", "to_out.0.": "proj_attn."}
    state = load_file(path)
    for now, then in names.items():
        state = {name.replace(now, then): tensor for name, tensor in state.items()}
    save_file(state, path, metadata={"format": "pt"})
