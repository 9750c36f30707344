"""Checkpoints with random weights, tiny but in exactly the formats of the real ones."""

import json
from pathlib import Path
from typing import Any

import torch

from lr_edit.backbones.tokenizer import CONTEXT_LENGTH

SENTENCES = [
    "a red apple on a wooden table",
    "the small blue mug left of the football",
    "an orange and a camper van",
    "the girl behind the green house",
    "nothing and nothing and nothing and nothing",
]


def tokenizer(folder: Path) -> Any:
    """A tokenizer trained on SENTENCES, in `folder`."""
    from lr_edit.backbones.tokenizer import train_tokenizer

    return train_tokenizer(SENTENCES, folder, merges=68)


def diffusion(folder: Path, prediction: str = "v_prediction") -> Path:
    """A text-conditional inpainting model for 16 pixels."""
    from diffusers import DDPMScheduler

    from lr_edit.backbones.diffusion_network import build_diffusion, save_diffusion
    from lr_edit.backbones.text_tower import text_model

    torch.manual_seed(0)
    words = tokenizer(folder.with_name(folder.name + "-words"))
    network = build_diffusion(
        text_model(len(words), width=48, layers=1, heads=1, context_length=CONTEXT_LENGTH),
        size=16, channels=(32, 32), layers=(1, 1), attention=(False, True),
    )  # fmt: skip
    scheduler = DDPMScheduler(
        1000, beta_schedule="squaredcos_cap_v2", prediction_type=prediction, clip_sample=False
    )
    save_diffusion(folder, network, words, scheduler)
    return folder


def unconditional(folder: Path) -> Path:
    """An unconditional UNet2DModel with learned variance, as ADM's, for 16 pixels."""
    from diffusers import DDPMScheduler, UNet2DModel

    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=16, out_channels=6, block_out_channels=(32, 32), layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    unet.save_pretrained(str(folder / "unet"))
    DDPMScheduler(1000, variance_type="learned_range").save_pretrained(str(folder / "scheduler"))
    return folder


def clip(folder: Path, size: int = 32, layers: int = 1, context: int = 20) -> Path:
    """An OpenCLIP `local-dir:` folder with its own tokenizer; it reads `context` tokens."""
    from open_clip.model import CLIP
    from safetensors.torch import save_model

    torch.manual_seed(0)
    words = tokenizer(folder)
    model: dict[str, Any] = {
        "embed_dim": 32,
        "vision_cfg": {
            "image_size": size, "layers": layers, "width": 32, "head_width": 16, "patch_size": 8,
        },
        "text_cfg": {
            "context_length": context, "vocab_size": len(words), "width": 32, "heads": 2,
            "layers": 1, "hf_tokenizer_name": "tokenizer",
        },
    }  # fmt: skip
    network = CLIP(32, dict(model["vision_cfg"]), dict(model["text_cfg"]))
    save_model(network, str(folder / "open_clip_model.safetensors"))
    preprocess = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}
    config = {"model_cfg": model, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


def segformer(folder: Path) -> Path:
    """A SegFormer with three classes and its image processor."""
    from transformers import (
        SegformerConfig,
        SegformerForSemanticSegmentation,
        SegformerImageProcessor,
    )

    torch.manual_seed(0)
    names = {0: "backdrop", 1: "apple", 2: "mug"}
    config = SegformerConfig(
        hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16, id2label=names, label2id={n: i for i, n in names.items()},
    )  # fmt: skip
    SegformerForSemanticSegmentation(config).half().save_pretrained(str(folder))
    SegformerImageProcessor(
        do_reduce_labels=False, size={"height": 32, "width": 32}, image_mean=[0.5] * 3,
        image_std=[0.25] * 3,
    ).save_pretrained(str(folder))  # fmt: skip
    return folder


def clip_and_dino(folder: Path) -> Path:
    """The folder with clip/ and dino/: what the recipes for photographs keep frozen."""
    clip(folder / "clip")
    dino(folder / "dino")
    return folder


def dino(folder: Path, kind: str = "vit") -> Path:
    """A DINO of three layers and patches of 8 at 32 pixels, of a transformers model type, as the
    checkpoints of that type are: without a pooler, the mean and std in a file of their own."""
    from transformers import AutoConfig, AutoModel, ViTImageProcessor, ViTModel

    torch.manual_seed(0)
    facts: dict[str, Any] = {
        "image_size": 32, "patch_size": 8, "hidden_size": 32, "num_hidden_layers": 3,
        "num_attention_heads": 2, "intermediate_size": 64,
    }  # fmt: skip
    if kind in ("dinov2_with_registers", "dinov3_vit"):
        facts["num_register_tokens"] = 3
    config = AutoConfig.for_model(kind, **facts)
    if kind == "vit":
        model: Any = ViTModel(config, add_pooling_layer=False)
    else:
        model = AutoModel.from_config(config)
    for parameter in model.parameters():  # Biases, scales and tokens would begin as constants.
        torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(str(folder))
    ViTImageProcessor(
        size={"height": 32, "width": 32}, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.3, 0.4]
    ).save_pretrained(str(folder))
    return folder


def region(folder: Path, clip_folder: Path) -> Path:
    """A region network on the last layer of a CLIP folder's patch tokens."""
    from lr_edit.backbones.open_clip import OpenClipEncoder
    from lr_edit.backbones.open_clip_dense import OpenClipDense
    from lr_edit.regions.network import RegionNetwork

    dense = OpenClipDense(OpenClipEncoder(f"local-dir:{clip_folder}"))
    torch.manual_seed(0)
    network = RegionNetwork(
        dense.channels, dense.token_channels, (dense.identity,), width=16, heads=2, mixers=1,
        side=32,
    )  # fmt: skip
    network.save_pretrained(folder)
    return folder
