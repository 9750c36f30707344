"""What the keys and shapes of an ADM checkpoint tell of its network, and diffusers' names for them.

ADM is the UNet of Dhariwal and Nichol (2021), as OpenAI's guided-diffusion code stores it. Nothing
here touches a value or a file.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lr_edit.errors import UserError

_DEEPEST_SIDE = 8  # what every released ADM halves its pictures down to
# Released checkpoints with other attention or another schedule, which their tensors do not show.
_BUILT_OTHERWISE = {(192, 384, 576, 768): "64x64", (256, 256, 512, 768, 1024): "128x128"}
_BLOCK = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
_ATTENTION = {
    "group_norm": "norm", "to_q": "qkv", "to_k": "qkv", "to_v": "qkv", "to_out.0": "proj_out",
}  # fmt: skip
_ENDS = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
    "time_proj": "time_table",
}  # fmt: skip


@dataclass(frozen=True)
class Architecture:
    """An ADM network: its levels, the finest first.

    widths: channels of each level. attention: which levels have it. layers: residual blocks a
    level. time_channels: of the sinusoidal embedding of t.
    """

    widths: tuple[int, ...]
    attention: tuple[bool, ...]
    layers: int
    time_channels: int

    @property
    def size(self) -> int:
        """The side in pixels that such a network is made for."""
        return _DEEPEST_SIDE * 2 ** (len(self.widths) - 1)

    @property
    def tabled(self) -> bool:
        """Whether a UNet2DModel, with as many sinusoids as channels, needs a table of t instead."""
        return self.time_channels != self.widths[0]

    def unet_config(self, head_channels: int) -> dict[str, Any]:
        """The arguments of diffusers' UNet2DModel with attention heads of `head_channels`."""
        down = ["AttnDownBlock2D" if here else "ResnetDownsampleBlock2D" for here in self.attention]
        up = ["AttnUpBlock2D" if here else "ResnetUpsampleBlock2D" for here in self.attention]
        return {
            "sample_size": self.size, "in_channels": 3, "out_channels": 6,
            "block_out_channels": self.widths, "layers_per_block": self.layers,
            "down_block_types": tuple(down), "up_block_types": tuple(reversed(up)),
            "downsample_type": "resnet", "upsample_type": "resnet",
            "resnet_time_scale_shift": "scale_shift", "attention_head_dim": head_channels,
            "norm_num_groups": 32, "attn_norm_num_groups": 32, "norm_eps": 1e-5,
            "act_fn": "silu", "flip_sin_to_cos": True, "freq_shift": 0,
            "time_embedding_dim": 4 * self.time_channels, "num_train_timesteps": 1000,
            "time_embedding_type": "learned" if self.tabled else "positional",
        }  # fmt: skip

    def modules(self) -> dict[str, str]:
        """diffusers' name => ADM's for every module that has weights, and for a few more.

        Every residual block is given a shortcut, every level a way down and up. `time_table` is no
        module of ADM: `adm_tensors.with_time_table` makes it.
        """
        group = self.layers + 1
        blocks = {"mid_block.resnets.0": "middle_block.0", "mid_block.resnets.1": "middle_block.2"}
        attentions = {"mid_block.attentions.0": "middle_block.1"}
        for level, attends in enumerate(self.attention):
            rising = len(self.widths) - 1 - level
            down, up = f"down_blocks.{level}", f"up_blocks.{rising}"
            for i in range(group):
                falls, rises = level * group + 1 + i, rising * group + i
                name = f"resnets.{i}" if i < self.layers else "downsamplers.0"
                blocks[f"{down}.{name}"] = f"input_blocks.{falls}.0"
                blocks[f"{up}.resnets.{i}"] = f"output_blocks.{rises}.0"
                if attends:
                    attentions[f"{down}.attentions.{i}"] = f"input_blocks.{falls}.1"
                    attentions[f"{up}.attentions.{i}"] = f"output_blocks.{rises}.1"
            blocks[f"{up}.upsamplers.0"] = f"output_blocks.{rises}.{1 + attends}"
        inner = {f"{a}.{x}": f"{b}.{y}" for a, b in blocks.items() for x, y in _BLOCK.items()}
        attended = {
            f"{a}.{x}": f"{b}.{y}" for a, b in attentions.items() for x, y in _ATTENTION.items()
        }
        return _ENDS | inner | attended


def architecture_of(state: Mapping[str, Tensor]) -> Architecture:
    """The network that a state dict is of; UserError where it is no ADM that can be converted."""
    outputs = {int(k.split(".")[1]) for k in state if re.match(r"output_blocks\.\d+\.", k)}
    raising = {k.split(".")[1] for k in state if re.match(r"output_blocks\.\d+\.[12]\.in_", k)}
    levels, blocks = 1 + len(raising), 1 + max(outputs, default=0)
    if not raising or blocks % levels:
        raise UserError(
            "the checkpoint has no output_blocks of several levels, each ending in a residual "
            "block that upsamples: expected an ADM diffusion UNet"
        )
    layers = blocks // levels - 1
    firsts = [level * (layers + 1) + 1 for level in range(levels)]
    widths = tuple(shape_in(state, f"input_blocks.{n}.0.out_layers.3.bias")[0] for n in firsts)
    attention = tuple(any(k.startswith(f"input_blocks.{n}.1.") for k in state) for n in firsts)
    takes = shape_in(state, "input_blocks.0.0.weight")[1]
    gives = shape_in(state, "out.2.weight")[0]
    if (takes, gives) != (3, 6):
        raise UserError(
            f"the checkpoint takes {takes} channels and gives {gives}: expected 3 (it is no "
            "upsampler) and 6 (noise and variance)"
        )
    if widths in _BUILT_OTHERWISE:
        raise UserError(
            f"the checkpoint is built as ADM's {_BUILT_OTHERWISE[widths]} model, whose attention "
            "cannot be converted: expected one for 256 or 512 pixels"
        )
    return Architecture(widths, attention, layers, shape_in(state, "time_embed.0.weight")[1])


def shape_in(state: Mapping[str, Tensor], key: str) -> torch.Size:
    """The shape of a tensor that has to be there; UserError where it is not."""
    if key not in state:
        raise UserError(f"the checkpoint lacks {key}: expected an ADM diffusion UNet")
    return state[key].shape
