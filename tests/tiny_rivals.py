"""CLIPSeg, Grounding DINO and SAM 2 with random weights: tiny, but in the format of the real ones.

What the libraries save otherwise today than the published repositories hold it is put back: plain
vocabularies, and SAM 2 as a model of videos.
"""

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import weights

from lr_edit.models import load_models
from lr_edit.regions.region import RegionProposer

CONTEXT = 16
"""Tokens that the tiny models read at most, start and end included."""

_SET = """
clipseg:
  class_path: lr_edit.regions.clipseg.ClipsegProposer
  init_args: {{name: "{0}/clipseg", threshold: {1}}}
grounded_sam:
  class_path: lr_edit.regions.grounded_sam.GroundedSamProposer
  init_args: {{detector: "{0}/grounding_dino", segmenter: "{0}/sam2", box_threshold: {1}}}
"""


def tiny_rivals(folder: Path, threshold: float = 0.5) -> str:
    """Entries of a model set's .yaml whose weights are in `folder`; threshold: of both."""
    clipseg(folder / "clipseg")
    grounding_dino(folder / "grounding_dino")
    sam2(folder / "sam2")
    return _SET.format(folder.as_posix(), threshold)


@cache
def proposers() -> dict[str, RegionProposer]:
    """Both, by the names of their entries."""
    with TemporaryDirectory() as name:
        path = Path(name, "rivals.yaml")
        path.write_text(tiny_rivals(Path(name)))
        models = load_models(path)
        return {part: models.part(part) for part in ("clipseg", "grounded_sam")}


def clipseg(folder: Path) -> Path:
    """CIDAS/clipseg-rd64-refined: squares of 32 pixels in place of 352."""
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation, ViTImageProcessor

    torch.manual_seed(0)
    words = weights.tokenizer(folder)
    count = len(words)
    text: dict[str, Any] = {
        "vocab_size": count, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2, "max_position_embeddings": CONTEXT, "bos_token_id": count - 2,
        "eos_token_id": count - 1, "pad_token_id": count - 1,
    }  # fmt: skip
    vision = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 4,
        "num_attention_heads": 2, "image_size": 32, "patch_size": 16,
    }  # fmt: skip
    config = CLIPSegConfig(
        text_config=text, vision_config=vision, projection_dim=16, reduce_dim=8,
        extract_layers=[1, 2, 3], decoder_num_attention_heads=2, decoder_intermediate_size=16,
        use_complex_transposed_convolution=True,
    )  # fmt: skip
    lively(CLIPSegForImageSegmentation(config)).save_pretrained(folder)
    ViTImageProcessor(
        size={"height": 32, "width": 32}, image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225], resample=2,
    ).save_pretrained(folder)  # fmt: skip
    edit(
        folder / "preprocessor_config.json", image_processor_type=None,
        feature_extractor_type="ViTFeatureExtractor", processor_class="CLIPSegProcessor",
    )  # fmt: skip
    edit(folder / "tokenizer_config.json", model_max_length=CONTEXT)
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = [" ".join(pair) for pair in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    return folder


def grounding_dino(folder: Path) -> Path:
    """IDEA-Research/grounding-dino-tiny: Swin and BERT in small, ten queries."""
    from transformers import (
        BertConfig,
        GroundingDinoConfig,
        GroundingDinoForObjectDetection,
        GroundingDinoImageProcessor,
        SwinConfig,
    )

    torch.manual_seed(0)
    vocabulary = bert_vocabulary()
    backbone = SwinConfig(
        image_size=64, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=4,
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    text = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=2 * CONTEXT,
    )  # fmt: skip
    config = GroundingDinoConfig(
        backbone_config=backbone, text_config=text, num_queries=10, encoder_layers=1,
        decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2, d_model=32,
        encoder_ffn_dim=32, decoder_ffn_dim=32, max_text_len=CONTEXT,
    )  # fmt: skip
    lively(GroundingDinoForObjectDetection(config), 0.05).save_pretrained(folder)
    GroundingDinoImageProcessor(size={"shortest_edge": 80, "longest_edge": 133}).save_pretrained(
        folder
    )
    edit(folder / "preprocessor_config.json", processor_class="GroundingDinoProcessor")
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    facts = {"do_lower_case": True, "model_max_length": 512, "tokenizer_class": "BertTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(facts))
    return folder


def sam2(folder: Path) -> Path:
    """facebook/sam2.1-hiera-tiny, which is a video model, at 64 pixels in place of 1024."""
    from transformers import Sam2ImageProcessor, Sam2VideoConfig, Sam2VideoModel

    torch.manual_seed(0)
    backbone = {
        "model_type": "sam2_hiera_det_model", "hidden_size": 8, "image_size": [64, 64],
        "blocks_per_stage": [1, 1, 2, 1], "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 1, 2, 4], "window_size_per_stage": [4, 4, 4, 4],
        "global_attention_blocks": [3], "window_positional_embedding_background_size": [4, 4],
    }  # fmt: skip
    vision = {
        "model_type": "sam2_vision_model", "backbone_config": backbone, "fpn_hidden_size": 32,
        "backbone_channel_list": [64, 32, 16, 8],
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
    }  # fmt: skip
    config = Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config={"hidden_size": 32, "image_size": 64, "patch_size": 16},
        mask_decoder_config={
            "hidden_size": 32, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16,
        },
        image_size=64, memory_attention_hidden_size=32, memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32, memory_attention_rope_feat_sizes=[4, 4],
        memory_encoder_hidden_size=32, memory_encoder_output_channels=8,
        mask_downsampler_embed_dim=32, memory_fuser_embed_dim=32, memory_fuser_num_layers=1,
        memory_fuser_intermediate_dim=32,
    )  # fmt: skip
    lively(Sam2VideoModel(config)).save_pretrained(folder)
    Sam2ImageProcessor(
        size={"height": 64, "width": 64}, mask_size={"height": 16, "width": 16}
    ).save_pretrained(folder)
    edit(
        folder / "preprocessor_config.json", image_processor_type="Sam2ImageProcessorFast",
        processor_class="Sam2VideoProcessor",
    )  # fmt: skip
    return folder


def lively(model: Any, scale: float = 0.1) -> Any:
    """The model with weights so large that what it sees and reads makes a difference."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += scale * torch.randn(parameter.shape, generator=generator)
    return model


def bert_vocabulary() -> list[str]:
    """Letters and a few words; what Grounding DINO knows by number stands where BERT has it."""
    places = {
        0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]", 1012: ".", 1029: "?",
    }  # fmt: skip
    words = [places.get(k, f"[unused{k}]") for k in range(1030)]
    letters = "abcdefghijklmnopqrstuvwxyz"
    return [*words, *letters, *(f"##{c}" for c in letters), "the", "red", "green", "apple"]


def edit(path: Path, **changes: Any) -> None:
    """Rewrites a .json with these entries; None takes one away."""
    facts = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in facts.items() if v is not None}))
