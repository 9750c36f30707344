"""Qwen-Image-Edit with random weights, tiny but in the format of the real one."""

import json
from pathlib import Path
from typing import Any

import torch

SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
    "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip


def qwen_image_edit(folder: Path, kind: str = "QwenImageEditPipeline") -> Path:
    """A transformer of packed latents, a video autoencoder of factor 8, and Qwen2.5-VL, which reads
    the picture along with the prompt. kind: the class that the folder says it is saved by."""
    import diffusers
    from transformers import Qwen2VLImageProcessor, Qwen2VLProcessor, Qwen2VLVideoProcessor

    torch.manual_seed(0)
    words = tokenizer()
    processor = Qwen2VLProcessor(
        Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=56 * 56), words,
        Qwen2VLVideoProcessor(),
    )  # fmt: skip
    getattr(diffusers, kind)(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(
            base_image_seq_len=256, base_shift=0.5, max_image_seq_len=8192, max_shift=0.9,
            shift_terminal=0.02, use_dynamic_shifting=True, time_shift_type="exponential",
        ),
        vae=diffusers.AutoencoderKLQwenImage(
            base_dim=4, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1,
            latents_mean=[0.1, -0.2, 0.3, 0.0], latents_std=[1.1, 0.9, 1.2, 1.0],
        ),
        text_encoder=text_encoder(words), tokenizer=words, processor=processor,
        transformer=diffusers.QwenImageTransformer2DModel(
            in_channels=16, out_channels=4, num_layers=1, attention_head_dim=8,
            num_attention_heads=1, joint_attention_dim=16, axes_dims_rope=(4, 2, 2),
        ),
    ).save_pretrained(folder)  # fmt: skip
    as_published(folder)
    return folder


def tokenizer() -> Any:
    """Byte for byte, with Qwen's special tokens behind."""
    from tokenizers import AddedToken
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    made = Qwen2Tokenizer(
        vocab={letter: k for k, letter in enumerate(sorted(ByteLevel.alphabet()))}, merges=[],
        pad_token=SPECIAL[0], eos_token=SPECIAL[2], model_max_length=4096,
    )  # fmt: skip
    made.add_special_tokens(
        {"additional_special_tokens": [AddedToken(token, special=True) for token in SPECIAL]}
    )
    return made


def text_encoder(words: Any) -> Any:
    """Qwen2.5-VL of one block for the text and two for the picture."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    ids = dict(zip(SPECIAL, words.convert_tokens_to_ids(list(SPECIAL)), strict=True))
    text = {
        "vocab_size": len(words), "hidden_size": 16, "intermediate_size": 32,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
        "max_position_embeddings": 4096, "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "rope_parameters": {
            "rope_type": "default", "rope_theta": 1e6, "mrope_section": [1, 1, 2],
        },
    }  # fmt: skip
    vision = {
        "depth": 2, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2,
        "out_hidden_size": 16, "fullatt_block_indexes": [1],
    }  # fmt: skip
    config = Qwen2_5_VLConfig(
        text_config=text, vision_config=vision, image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"], vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )  # fmt: skip
    return Qwen2_5_VLForConditionalGeneration(config)


def as_published(folder: Path) -> None:
    """Rewrites what the libraries save otherwise today than the published repository holds it:
    a vocabulary and its merges, one file for each processor, and the names of rotary positions."""
    said = json.loads((folder / "processor" / "processor_config.json").read_text())
    (folder / "processor" / "processor_config.json").unlink()
    for name, file in {"image": "preprocessor", "video": "video_preprocessor"}.items():
        facts = said[f"{name}_processor"] | {"processor_class": "Qwen2VLProcessor"}
        (folder / "processor" / f"{file}_config.json").write_text(json.dumps(facts))
    for place in (folder / "processor", folder / "tokenizer"):
        plain_tokenizer(place)
    (folder / "tokenizer" / "tokenizer.json").unlink()
    path = folder / "text_encoder" / "config.json"
    config = json.loads(path.read_text())
    for part in ("text_config", "vision_config"):
        rope = config[part].pop("rope_parameters")
        if part == "text_config":
            config[part]["rope_theta"] = rope.pop("rope_theta")
            config[part]["rope_scaling"] = rope | {"type": "default"}
    path.write_text(json.dumps(config))


def plain_tokenizer(folder: Path) -> None:
    """Writes the older files of a tokenizer beside its tokenizer.json."""
    said = json.loads((folder / "tokenizer.json").read_text())
    added = {token.pop("id"): token for token in said["added_tokens"]}
    facts = {
        "add_bos_token": False, "add_prefix_space": False, "bos_token": None, "errors": "replace",
        "added_tokens_decoder": {str(k): token for k, token in added.items()},
        "additional_special_tokens": list(SPECIAL[1:]), "clean_up_tokenization_spaces": False,
        "eos_token": SPECIAL[2], "model_max_length": 4096, "pad_token": SPECIAL[0],
        "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer", "unk_token": None,
    }  # fmt: skip
    files = {
        "vocab.json": said["model"]["vocab"],
        "added_tokens.json": {token["content"]: k for k, token in added.items()},
        "tokenizer_config.json": facts,
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    (folder / "merges.txt").write_text("#version: 0.2\n")
