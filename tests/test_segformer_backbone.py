"""SegFormer from a transformers folder."""

from pathlib import Path

import pytest
import torch
import weights

from lr_edit.backbones.segformer import SegformerSegmenter, most_likely
from lr_edit.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return weights.segformer(tmp_path_factory.mktemp("weights") / "segformer")


@pytest.fixture(scope="module")
def segmenter(folder: Path) -> SegformerSegmenter:
    return SegformerSegmenter(str(folder))


def pictures(height: int, width: int) -> torch.Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("size", [(32, 32), (40, 57), (90, 33)])
def test_labels_have_the_size_of_the_picture(
    segmenter: SegformerSegmenter, size: tuple[int, int]
) -> None:
    segmentation = segmenter.segment(pictures(*size))
    assert segmentation.names == ("backdrop", "apple", "mug")
    assert segmentation.labels.shape == (2, *size) and segmentation.labels.dtype == torch.int64
    assert segmentation.labels.min() >= 0 and segmentation.labels.max() <= 2


def test_it_agrees_with_transformers_own_processor(
    segmenter: SegformerSegmenter, folder: Path
) -> None:
    from transformers import SegformerForSemanticSegmentation, SegformerImageProcessor

    from lr_edit.images import to_pil

    images = (pictures(32, 32) * 127.5 + 127.5).round() / 127.5 - 1
    processor = SegformerImageProcessor.from_pretrained(folder)
    model = SegformerForSemanticSegmentation.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        out = model(**processor(images=to_pil(images), return_tensors="pt"))
    theirs = processor.post_process_semantic_segmentation(out, target_sizes=[(32, 32)] * 2)
    assert torch.equal(segmenter.segment(images).labels, torch.stack(theirs))


@pytest.mark.parametrize("size", [(40, 57), (7, 300), (3, 2)])
@pytest.mark.parametrize("classes", [1, 2, 7])
def test_labels_are_the_same_however_many_classes_at_once(
    size: tuple[int, int], classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    coarse = torch.randn(1, 7, 5, 9, generator=torch.Generator().manual_seed(0))
    coarse[:, 4] = coarse[:, 1]  # equal ones: the first wins
    whole = torch.nn.functional.interpolate(coarse, size, mode="bilinear", align_corners=False)
    monkeypatch.setattr("lr_edit.backbones.segformer._AT_ONCE", classes * size[0] * size[1])
    labels = most_likely(coarse, size)
    assert labels.dtype == torch.int64 and torch.equal(labels, whole.argmax(1))
    assert (labels == 1).any() and not (labels == 4).any()


def test_labels_are_those_of_the_logits(segmenter: SegformerSegmenter) -> None:
    images = pictures(40, 57)
    logits = segmenter.logits(images)
    assert logits.shape == (2, 3, 40, 57)
    assert torch.equal(segmenter.segment(images).labels, logits.argmax(1))


def test_a_picture_does_not_depend_on_its_neighbours(segmenter: SegformerSegmenter) -> None:
    images = pictures(40, 48)
    both, alone = segmenter.segment(images), segmenter.segment(images[1:])
    assert torch.equal(both.labels[1], alone.labels[0])


def test_missing_tensors_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = weights.segformer(tmp_path / "segformer") / "model.safetensors"
    state = load_file(path)
    state.pop("decode_head.classifier.weight")
    save_file(state, path, metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"damaged weights.*classifier"):
        SegformerSegmenter(str(tmp_path / "segformer"))


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_missing_files_are_told(tmp_path: Path, name: str) -> None:
    (weights.segformer(tmp_path / "segformer") / name).unlink()
    with pytest.raises(UserError, match="damaged weights"):
        SegformerSegmenter(str(tmp_path / "segformer"))
