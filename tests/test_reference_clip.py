"""CLIP through OpenCLIP says what OpenAI's own code says.

tests/golden/clip.safetensors was written by github.com/openai/CLIP, commit
d05afc436d78f1c48dc0dbf8e5980a9d471f35f6, on a CPU in float32, with the weights and pictures that
`reference.drawn` and `pictures(64)` make: CLIP(embed_dim=64, image_resolution=64, vision_layers=3,
vision_width=128, vision_patch_size=16, context_length=77, vocab_size=49408, transformer_width=128,
transformer_heads=2, transformer_layers=3). ids: tokenize(WORDS, truncate=True); image, text:
encode_image of the pictures under that code's mean and std, encode_text; logits: per image. In its
metadata are also the names and shapes of CLIP(512, 224, 12, 768, 16, 77, 49408, 512, 8, 12), which
is ViT-B/16.
"""

import json
from pathlib import Path

import pytest
import torch
from reference import drawn, golden, pictures, stored
from safetensors.torch import save_file

from lr_edit.backbones.open_clip import OpenClipEncoder

WORDS = ["a red apple", "the blue mug left of the football, and 23 other Things!", "soccer " * 90]
MODEL = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 64, "layers": 3, "width": 128, "patch_size": 16},
    "text_cfg": {
        "context_length": 77, "vocab_size": 49408, "width": 128, "heads": 2, "layers": 3,
    },
}  # fmt: skip
PREPROCESS = {
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("clip")
    save_file(drawn(stored("clip")), place / "open_clip_model.safetensors")
    return place


def encoder(folder: Path, quick_gelu: bool = True) -> OpenClipEncoder:
    config = {"model_cfg": {**MODEL, "quick_gelu": quick_gelu}, "preprocess_cfg": PREPROCESS}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return OpenClipEncoder(f"local-dir:{folder}")


@pytest.fixture(scope="module")
def ours(folder: Path) -> dict[str, torch.Tensor]:
    return said(encoder(folder))


@torch.no_grad()
def said(clip: OpenClipEncoder) -> dict[str, torch.Tensor]:
    image, text = clip.encode_image(pictures(64)), clip.encode_text(WORDS)
    ids = clip.token_ids(WORDS)
    return {"image": image, "text": text, "logits": clip.logit_scale * image @ text.T, "ids": ids}


def theirs() -> dict[str, torch.Tensor]:
    """What the public code gave, embeddings at length 1 as its forward takes them."""
    said = golden("clip")
    units = {key: said[key] / said[key].norm(dim=1, keepdim=True) for key in ("image", "text")}
    return {**said, **units}


@pytest.mark.parametrize("key", ["image", "text", "logits"])
def test_embeddings_are_those_of_the_public_code(ours: dict[str, torch.Tensor], key: str) -> None:
    torch.testing.assert_close(ours[key], theirs()[key], atol=1e-5, rtol=0)


def test_words_are_read_as_by_the_public_code(ours: dict[str, torch.Tensor]) -> None:
    assert torch.equal(ours["ids"], theirs()["ids"].long())


def test_another_gelu_would_be_seen(folder: Path) -> None:
    off = said(encoder(folder, quick_gelu=False))
    for key in ("image", "text"):
        assert (off[key] - theirs()[key]).abs().max() > 1e-3


def test_the_full_size_network_has_the_weights_of_vit_b_16() -> None:
    import open_clip

    with torch.device("meta"):
        network = open_clip.CLIP(**open_clip.get_model_config("ViT-B-16-quickgelu"))
    shapes = {key: list(value.shape) for key, value in network.state_dict().items()}
    assert shapes == stored("clip", "vit_b_16")
