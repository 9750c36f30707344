"""SegFormer's labels are those that transformers' own processor makes of its logits."""

from pathlib import Path
from typing import Any

import pytest
import torch
import weights
from reference import drawn
from safetensors.torch import load_file, save_file

from lr_edit.backbones.segformer import SegformerSegmenter
from lr_edit.images import to_pil

SIZE = (48, 90)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint in the hub's format; its weights make all three classes about as likely."""
    place = weights.segformer(tmp_path_factory.mktemp("weights") / "segformer")
    state = load_file(place / "model.safetensors")
    floats = {k: list(v.shape) for k, v in state.items() if v.is_floating_point()}
    state |= {key: value.half() for key, value in drawn(floats).items()}
    save_file(state, place / "model.safetensors", metadata={"format": "pt"})
    return place


def images() -> torch.Tensor:
    """Smooth pictures [2, 3, *SIZE] in [-1, 1], of whole numbers of 255ths as files hold them."""
    coarse = torch.rand(2, 3, 6, 11, generator=torch.Generator().manual_seed(4))
    smooth = torch.nn.functional.interpolate(coarse, SIZE, mode="bilinear")
    return (smooth * 255).round() / 127.5 - 1


def theirs(folder: Path, pictures: Any, **options: Any) -> torch.Tensor:
    """Labels [2, *SIZE] by transformers alone."""
    from transformers import SegformerForSemanticSegmentation, SegformerImageProcessor

    processor = SegformerImageProcessor.from_pretrained(folder)
    model = SegformerForSemanticSegmentation.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        out = model(**processor(images=pictures, return_tensors="pt", **options))
    labels = processor.post_process_semantic_segmentation(out, target_sizes=[SIZE] * 2)
    return torch.stack(labels)


def test_labels_are_transformers_own_at_a_size_that_is_not_square(folder: Path) -> None:
    ours = SegformerSegmenter(str(folder)).segment(images()).labels
    reference = theirs(folder, list((images() + 1) / 2), do_rescale=False)
    assert len(reference.unique()) == 3
    assert torch.equal(ours, reference)


def test_rounding_a_shrunken_file_to_bytes_moves_few_labels(folder: Path) -> None:
    ours = SegformerSegmenter(str(folder)).segment(images()).labels
    agreement = (ours == theirs(folder, to_pil(images()))).float().mean()
    assert agreement > 0.98
