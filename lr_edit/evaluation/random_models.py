"""Networks with random weights, as the folders that the loaders read, to measure what they cost.

Of any size: REAL has those of the photograph model sets, of which nothing need be fetched then.
Stable Diffusion's writers are in `random_latent`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lr_edit.backbones.adm import empty_unet, write_folder
from lr_edit.backbones.adm_keys import Architecture
from lr_edit.backbones.perceptual import trunk_source

ADM_256 = Architecture(
    widths=(256, 256, 512, 512, 1024, 1024),
    attention=(False, False, False, True, True, True),
    layers=2,
    time_channels=256,
)
# Of the class-conditional checkpoint and its unconditional fine-tunes: half as many at 512 pixels.
ADM_512 = replace(
    ADM_256,
    widths=(128, 256, 256, 512, 512, 1024, 1024),
    attention=(False, False, False, False, True, True, True),
)
NARROW = replace(ADM_256, widths=(64, 64, 128, 128, 256, 256), time_channels=64)
VIT_B_16 = {
    "embed_dim": 512, "quick_gelu": True,
    "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 16},
    "text_cfg": {
        "context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12,
    },
}  # fmt: skip
SEGFORMER_B5 = {
    "hidden_sizes": [64, 128, 320, 512], "depths": [3, 6, 40, 3], "decoder_hidden_size": 768,
    "num_labels": 150,
}  # fmt: skip
# Stable Diffusion 1.5's UNet for inpainting, its autoencoder, and the text tower of CLIP ViT-L/14.
UNET = {
    "sample_size": 64, "in_channels": 9, "block_out_channels": (320, 640, 1280, 1280),
    "cross_attention_dim": 768, "attention_head_dim": 8,
}  # fmt: skip
VAE = {
    "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "sample_size": 512,
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
}  # fmt: skip
TEXT = {
    "vocab_size": 49408, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
    "num_attention_heads": 12, "max_position_embeddings": 77, "projection_dim": 768,
}  # fmt: skip
_STATISTICS = {
    "mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711],
}  # fmt: skip


@dataclass(frozen=True)
class Sizes:
    """How large every network is; the dicts are the arguments of its library's configuration.

    sides: of ADM's pictures, the small and the large one; Stable Diffusion and regions have the
    large one. clip: an OpenCLIP model_cfg. lpips: a trunk of the lpips package, vgg or squeeze.
    segmented: the side that SegFormer sees pictures at. tiny: the tiny decoder.
    """

    sides: tuple[int, int] = (256, 512)
    adm: tuple[Architecture, Architecture] = (ADM_256, ADM_512)
    clip: Mapping[str, Any] = field(default_factory=lambda: VIT_B_16)
    lpips: str = "vgg"
    segformer: Mapping[str, Any] = field(default_factory=lambda: SEGFORMER_B5)
    segmented: int = 640
    unet: Mapping[str, Any] = field(default_factory=lambda: UNET)
    vae: Mapping[str, Any] = field(default_factory=lambda: VAE)
    text: Mapping[str, Any] = field(default_factory=lambda: TEXT)
    tiny: Mapping[str, Any] = field(default_factory=dict)

    @property
    def view(self) -> int:
        """The side in pixels of what CLIP is shown."""
        return int(self.clip["vision_cfg"]["image_size"])


REAL = Sizes()


def random_weights(network: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """A state dict of the size that training begins with; the network's own need no memory."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, empty in network.state_dict().items():
        if empty.ndim > 1:
            spread = empty[0].numel() ** -0.5
            weights[name] = torch.randn(empty.shape, generator=generator) * spread
        else:
            weights[name] = torch.full(empty.shape, float(name.endswith("weight")))
    return weights


def write_adm(folder: Path, architecture: Architecture) -> None:
    """A folder as `adm.convert` writes it."""
    network = empty_unet(architecture)
    network.load_state_dict(random_weights(network), assign=True)
    write_folder(folder, network)


def write_clip(folder: Path, model: Mapping[str, Any] = VIT_B_16) -> None:
    """A CLIP as OpenCLIP's `local-dir:` has it; model: its model_cfg."""
    from open_clip import CLIP
    from safetensors.torch import save_model

    folder.mkdir()
    facts = {"model_cfg": dict(model), "preprocess_cfg": _STATISTICS}
    (folder / "open_clip_config.json").write_text(json.dumps(facts))
    save_model(CLIP(**model), str(folder / "open_clip_model.safetensors"))


def write_lpips(place: Path, net: str = "vgg") -> None:
    """The trunk's file where torch looks for what it fetched, if TORCH_HOME is place / "torch"."""
    import torchvision

    with torch.device("meta"):
        maker = {"vgg": "vgg16", "squeeze": "squeezenet1_1"}[net]
        trunk = getattr(torchvision.models, maker)().features
    target = trunk_source(net).within(place).target
    target.parent.mkdir(parents=True)
    torch.save({f"features.{name}": value for name, value in random_weights(trunk).items()}, target)


def write_segformer(folder: Path, network: Mapping[str, Any], side: int) -> None:
    """A SegFormer with the image processor that shows it squares of that side in pixels."""
    from transformers import (
        SegformerConfig,
        SegformerForSemanticSegmentation,
        SegformerImageProcessor,
    )

    SegformerForSemanticSegmentation(SegformerConfig(**network)).save_pretrained(str(folder))
    size = {"height": side, "width": side}
    SegformerImageProcessor(do_reduce_labels=False, size=size).save_pretrained(str(folder))
