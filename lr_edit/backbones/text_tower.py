"""The text tower of an OpenCLIP folder as transformers' `CLIPTextModel`, weights and all.

A diffusion model that reads text starts from a CLIP's tower, as Stable Diffusion does (Rombach et
al., 2022): what tells a cone from a ring in words is learned already.
"""

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from lr_edit.backbones.folders import loading, located
from lr_edit.errors import UserError

_BLOCK = {
    "ln_1": "layer_norm1", "ln_2": "layer_norm2", "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2",
}  # fmt: skip


def text_model(vocabulary: int, width: int, layers: int, heads: int, context_length: int) -> Any:
    """A `CLIPTextModel` with random weights and the geometry of OpenCLIP's text towers."""
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            intermediate_size=4 * width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            max_position_embeddings=context_length,
            hidden_act="gelu",
            bos_token_id=vocabulary - 2,
            eos_token_id=vocabulary - 1,
            pad_token_id=vocabulary - 1,
        )
    )


def renamed(state: dict[str, Tensor], width: int) -> dict[str, Tensor]:
    """OpenCLIP's names to transformers'; each packed q, k, v projection becomes three."""
    out = {
        "embeddings.token_embedding.weight": state["token_embedding.weight"],
        "embeddings.position_embedding.weight": state["positional_embedding"],
        "final_layer_norm.weight": state["ln_final.weight"],
        "final_layer_norm.bias": state["ln_final.bias"],
    }
    for name, value in state.items():
        if not name.startswith("transformer.resblocks."):
            continue
        number, rest = name.removeprefix("transformer.resblocks.").split(".", 1)
        place = f"encoder.layers.{number}"
        if rest.startswith("attn.in_proj_"):
            kind = rest.removeprefix("attn.in_proj_")
            for letter, part in zip("qkv", value.split(width), strict=True):
                out[f"{place}.self_attn.{letter}_proj.{kind}"] = part
        else:
            part_name, kind = rest.rsplit(".", 1)
            out[f"{place}.{_BLOCK[part_name]}.{kind}"] = value
    return out


def load_text_tower(folder: str | Path) -> Any:
    """The text tower of an OpenCLIP folder, float32: its last_hidden_state, at the end token and
    projected, is what OpenCLIP's encode_text gives. UserError for a folder that is none."""
    from safetensors.torch import load_file

    folder = located(folder)
    config = folder / "open_clip_config.json"
    if not config.is_file():
        raise UserError(f"{folder}: found no open_clip_config.json, expected an OpenCLIP folder")
    with loading(str(folder), "damaged weights", "reinstall or run make weights"):
        facts = json.loads(config.read_text())["model_cfg"]["text_cfg"]
        state = {k: v.float() for k, v in load_file(folder / "open_clip_model.safetensors").items()}
        model = text_model(
            facts["vocab_size"], facts["width"], facts["layers"], facts["heads"],
            facts["context_length"],
        )  # fmt: skip
        model.load_state_dict(renamed(state, facts["width"]))
    return model
