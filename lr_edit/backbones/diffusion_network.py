"""The text-conditional inpainting UNet and its text encoder as one module, and its folder on disk.

Training and inference use this very module. The folder has diffusers' layout: unet/, text_encoder/,
tokenizer/, scheduler/, and lr_edit.json for what diffusers has no place for.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from lr_edit.backbones.folders import replacing_folder
from lr_edit.backbones.growth import grown
from lr_edit.backbones.pretrained import from_folder, quiet
from lr_edit.errors import UserError


class TextConditionedUNet(nn.Module):
    """A UNet at 1/unshuffle of the picture's resolution, told what to paint and where.

    It sees PixelUnshuffle of (x_t, source outside the region, region) and gives v at full size. The
    text enters by cross-attention and, its last token, beside the time embedding.
    """

    def __init__(self, unet: Any, text_encoder: Any, size: int, unshuffle: int) -> None:
        super().__init__()
        self.unet, self.text_encoder = unet, text_encoder
        self.size, self.unshuffle = size, unshuffle
        self.context_length = text_encoder.config.max_position_embeddings

    def encode_tokens(self, ids: Tensor) -> Tensor:
        """The conditioning [B, L, D] of token ids [B, L]."""
        return self.text_encoder(input_ids=ids).last_hidden_state

    def forward(
        self, x_t: Tensor, t: Tensor, condition: Tensor, source: Tensor, mask: Tensor
    ) -> Tensor:
        """v [B, 3, S, S] at timesteps t [B]; mask [B, 1, S, S], 1 = paint."""
        inputs = torch.cat((x_t, source * (1 - mask), mask), 1)
        folded = pixel_unshuffle(inputs, self.unshuffle)
        if folded.is_cuda:  # on a CPU channels-last costs a quarter more
            folded = folded.contiguous(memory_format=torch.channels_last)
        out = self.unet(folded, t, condition, class_labels=condition[:, -1]).sample
        return pixel_shuffle(out, self.unshuffle)

    def load_folder(self, folder: str | Path) -> None:
        """Weights from a folder that `save_diffusion` wrote.

        Where this UNet has more residual blocks than the folder's, they change nothing at first,
        see `grown`. Raises UserError where a file is missing, or where the weights are those of
        another network.
        """
        from safetensors.torch import load_file

        for part, name in (("unet", "diffusion_pytorch_model"), ("text_encoder", "model")):
            path = Path(folder) / part / f"{name}.safetensors"
            if not path.is_file():
                raise UserError(f"{path}: no such file, expected the weights of a diffusion folder")
            network = getattr(self, part)
            state = {k: v.float() for k, v in load_file(path).items()}
            state = grown(state, network.state_dict())
            unlike = differing(state, network.state_dict())
            if unlike:
                raise UserError(
                    f"{path}: {len(unlike)} tensors are not those of this network, {unlike[0]} for "
                    "one: give the channels, layers and attention of the folder's own network"
                )
            network.load_state_dict(state)


def differing(state: dict[str, Tensor], own: dict[str, Tensor]) -> list[str]:
    """Names that only one of both has, or whose shapes differ."""
    missing = state.keys() ^ own.keys()
    both = state.keys() & own.keys()
    return sorted(missing | {name for name in both if state[name].shape != own[name].shape})


def build_diffusion(
    text_encoder: Any,
    size: int = 64,
    unshuffle: int = 2,
    channels: Sequence[int] = (64, 128, 192),
    layers: Sequence[int] = (1, 1, 1),
    attention: Sequence[bool] = (False, False, True),
) -> TextConditionedUNet:
    """A network with a UNet of random weights around a text encoder (a `CLIPTextModel`).

    channels, layers, attention: width, residual blocks and text cross-attention of each level, the
    finest first; the first level works at size / unshuffle.
    """
    from diffusers import UNet2DConditionModel

    down = tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attention)
    up = tuple("CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attention))
    text_width = text_encoder.config.hidden_size
    unet = UNet2DConditionModel(
        sample_size=size // unshuffle,
        in_channels=7 * unshuffle**2,
        out_channels=3 * unshuffle**2,
        block_out_channels=tuple(channels),
        layers_per_block=tuple(layers),
        down_block_types=down,
        up_block_types=up,
        cross_attention_dim=text_width,
        attention_head_dim=4,
        resnet_time_scale_shift="scale_shift",
        class_embed_type="projection",
        projection_class_embeddings_input_dim=text_width,
    )
    return TextConditionedUNet(unet, text_encoder, size, unshuffle)


def save_diffusion(
    folder: str | Path, network: TextConditionedUNet, tokenizer: Any, scheduler: Any
) -> None:
    """Write the folder, whole or not at all; weights as float16."""
    from copy import deepcopy

    facts = {"size": network.size, "unshuffle": network.unshuffle, "inputs": "inpaint"}
    with replacing_folder(folder) as place, quiet():
        for part in ("unet", "text_encoder"):
            deepcopy(getattr(network, part)).half().cpu().save_pretrained(place / part)
        tokenizer.save_pretrained(place / "tokenizer")
        scheduler.save_pretrained(place / "scheduler")
        (place / "lr_edit.json").write_text(json.dumps(facts, indent=1) + "\n")


def load_network(folder: str | Path) -> TextConditionedUNet:
    """The network of a folder, float32, in eval mode; UserError where a part is missing."""
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextModel

    folder = Path(folder)
    facts_path = folder / "lr_edit.json"
    if not facts_path.is_file():
        raise UserError(f"{folder}: found no lr_edit.json, expected a diffusion folder")
    facts = json.loads(facts_path.read_text())
    unet = from_folder(UNet2DConditionModel, folder / "unet")
    text_encoder = from_folder(CLIPTextModel, folder / "text_encoder")
    return TextConditionedUNet(unet, text_encoder, facts["size"], facts["unshuffle"]).eval()
