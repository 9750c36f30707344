"""DINO and DINOv2 through transformers say what Facebook's own code says.

tests/golden/dino*.safetensors were written on a CPU in float32 with the weights and pictures that
`reference.drawn` and `pictures(side)[:1]` make, normalised by ImageNet's mean and std:

dino_s16, dino_b8: github.com/facebookresearch/dino, commit
7c446df5b9f45747937fb0d72314eb9f7b66930a, VisionTransformer(img_size=[64], patch_size=16,
num_heads=3) and (img_size=[32], patch_size=8, num_heads=4), both with embed_dim=48, depth=3,
mlp_ratio=4, qkv_bias=True, LayerNorm(eps=1e-6).

dinov2, dinov2_registers: github.com/facebookresearch/dinov2, commit
b8931f7bf91576930313be2c6d6af376033b35f0, without xformers, DinoVisionTransformer(img_size=84,
patch_size=14, embed_dim=48, depth=3, num_heads=3, init_values=1.0, block_chunks=0), the first with
interpolate_offset=0.1, the second with num_register_tokens=4, interpolate_antialias=True,
interpolate_offset=0.0: what its hub entries vits14 and vits14_reg say.

For a picture of a side, last: get_intermediate_layers; second: what the second block gives;
attention: of the class token to the patches in the last block, from get_last_selfattention, and in
DINOv2, which has no such method, softmax(q·k / √d) of the last block's qkv; positions: the
position embeddings as interpolate_pos_encoding makes them for a side that is not the network's own.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from reference import drawn, golden, pictures, stored
from safetensors.torch import save_file
from torch import Tensor

from lr_edit.backbones.dino import DinoEncoder

FACTS: dict[str, dict[str, Any]] = {
    "dino_s16": {"model_type": "vit", "image_size": 64, "patch_size": 16, "intermediate_size": 192},
    "dino_b8": {"model_type": "vit", "image_size": 32, "patch_size": 8, "intermediate_size": 192,
                "num_attention_heads": 4},
    "dinov2": {"model_type": "dinov2", "image_size": 84, "patch_size": 14},
    "dinov2_registers": {"model_type": "dinov2_with_registers", "image_size": 84, "patch_size": 14,
                         "num_register_tokens": 4},
}  # fmt: skip
COMMON = {
    "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 3, "layer_norm_eps": 1e-6,
}  # fmt: skip
OTHER = {"dino_s16": 96, "dino_b8": 48, "dinov2": 112, "dinov2_registers": 42}
NAMES = {
    "cls_token": "embeddings.cls_token",
    "mask_token": "embeddings.mask_token",
    "register_tokens": "embeddings.register_tokens",
    "pos_embed": "embeddings.position_embeddings",
    "patch_embed.proj": "embeddings.patch_embeddings.projection",
    "norm": "layernorm",
}
IN_VIT = {
    "attn.proj": "attention.output.dense", "norm1": "layernorm_before", "norm2": "layernorm_after",
    "mlp.fc1": "intermediate.dense", "mlp.fc2": "output.dense",
}  # fmt: skip
IN_DINOV2 = {
    "attn.proj": "attention.output.dense", "norm1": "norm1", "norm2": "norm2",
    "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2",
    "ls1.gamma": "layer_scale1.lambda1", "ls2.gamma": "layer_scale2.lambda1",
}  # fmt: skip


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The public code's weights under the names that its models have on the hub."""
    inner, out = IN_DINOV2 if "mask_token" in state else IN_VIT, {}
    for key, value in state.items():
        stem, kind = key.rsplit(".", 1) if key.endswith(("weight", "bias")) else (key, "")
        if not stem.startswith("blocks."):
            out[".".join(filter(None, (NAMES[stem], kind)))] = value
            continue
        _, number, stem = stem.split(".", 2)
        layer = f"encoder.layer.{number}."
        if stem == "attn.qkv":
            for part, third in zip(("query", "key", "value"), value.chunk(3), strict=True):
                out[f"{layer}attention.attention.{part}.{kind}"] = third.clone()
        else:
            out[layer + ".".join(filter(None, (inner[stem], kind)))] = value
    return out


def encoder(
    folder: Path, name: str, layers: tuple[int, ...] = (), side: int = 0, **changed: Any
) -> DinoEncoder:
    """An encoder on the weights of a golden file; changed: in its configuration, or `positions`,
    position embeddings to have in place of its own."""
    state = renamed(drawn(stored(name)))
    if "positions" in changed:
        state["embeddings.position_embeddings"] = changed.pop("positions")
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps({**COMMON, **FACTS[name], **changed}))
    return DinoEncoder(str(folder), layers, side)


def difference(ours: Tensor, theirs: Tensor) -> float:
    """The largest; ours: maps [1, C, h, w]; theirs: tokens [1, h·w, C]."""
    return (ours.flatten(2).mT - theirs).abs().max().item()


def attention_difference(dino: DinoEncoder, name: str, side: int) -> float:
    said = golden(name)[f"attention_{side}"]
    return (dino.attention(pictures(side)[:1]).flatten(2) - said).abs().max().item()


@pytest.mark.parametrize("name", list(FACTS))
def test_tokens_and_attention_are_those_of_the_public_code(name: str, tmp_path: Path) -> None:
    said, side = golden(name), FACTS[name]["image_size"]
    dino = encoder(tmp_path, name, (2, 3))
    second, last = dino.patch_features(pictures(side)[:1])
    assert difference(second, said[f"second_{side}"]) < 1e-5
    assert difference(last, said[f"last_{side}"]) < 1e-5
    assert attention_difference(dino, name, side) < 1e-6


@pytest.mark.parametrize("name", ["dino_s16", "dino_b8"])
def test_the_epsilon_that_the_hub_gives_the_first_dino_makes_no_difference(
    name: str, tmp_path: Path
) -> None:
    """facebook/dino-* say 1e-12 there, the public code 1e-6."""
    side = FACTS[name]["image_size"]
    dino = encoder(tmp_path, name, layer_norm_eps=1e-12)
    (last,) = dino.patch_features(pictures(side)[:1])
    assert difference(last, golden(name)[f"last_{side}"]) < 5e-5
    assert attention_difference(dino, name, side) < 1e-5


@pytest.mark.parametrize("name", list(FACTS))
def test_at_another_side_nothing_but_the_position_embeddings_differs(
    name: str, tmp_path: Path
) -> None:
    said, side = golden(name), OTHER[name]
    positions = said[f"positions_{side}"]
    dino = encoder(tmp_path, name, image_size=side, positions=positions)
    (last,) = dino.patch_features(pictures(side)[:1])
    assert difference(last, said[f"last_{side}"]) < 1e-5
    assert attention_difference(dino, name, side) < 1e-6


def test_with_registers_the_position_embeddings_are_the_public_codes_too(tmp_path: Path) -> None:
    name = "dinov2_registers"
    dino = encoder(tmp_path, name, side=OTHER[name])
    (last,) = dino.patch_features(pictures(OTHER[name])[:1])
    assert difference(last, golden(name)[f"last_{OTHER[name]}"]) < 1e-5
    assert attention_difference(dino, name, OTHER[name]) < 1e-6


@pytest.mark.parametrize("name", ["dino_s16", "dino_b8", "dinov2"])
def test_else_the_public_code_stretches_them_by_a_tenth_of_a_patch_more(
    name: str, tmp_path: Path
) -> None:
    """It samples at (i + ½) / scale for scale = (n + 0.1) / its own n, transformers for n / its
    own n. With position embeddings that are pure noise, the worst case, features of standard
    deviation 1 are 0.008 apart."""
    said, side, patch = golden(name), OTHER[name], FACTS[name]["patch_size"]
    own, wanted = FACTS[name]["image_size"] // patch, side // patch
    grid = drawn(stored(name))["pos_embed"][:, 1:].mT.unflatten(2, (own, own))
    stretched = F.interpolate(grid, scale_factor=(wanted + 0.1) / own, mode="bicubic")
    positions = said[f"positions_{side}"][:, 1:]
    torch.testing.assert_close(stretched.flatten(2).mT, positions, atol=1e-6, rtol=0)
    dino = encoder(tmp_path, name, side=side)
    (last,) = dino.patch_features(pictures(side)[:1])
    apart = last.flatten(2).mT - said[f"last_{side}"]
    assert 1e-3 < apart.square().mean().sqrt() < 0.01
    assert attention_difference(dino, name, side) < 5e-3
