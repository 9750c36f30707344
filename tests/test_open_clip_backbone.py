"""CLIP from an OpenCLIP folder with a vocabulary of its own."""

from pathlib import Path

import open_clip
import pytest
import torch
import weights
from hypothesis import given, settings
from hypothesis import strategies as st

from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.backbones.text_tower import load_text_tower
from lr_edit.backbones.tokenizer import load_tokenizer, token_ids
from lr_edit.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return weights.clip(tmp_path_factory.mktemp("weights") / "clip")


@pytest.fixture(scope="module")
def encoder(folder: Path) -> OpenClipEncoder:
    return OpenClipEncoder(f"local-dir:{folder}")


def pictures(height: int = 40, width: int = 56) -> torch.Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("size", [(32, 32), (40, 56), (17, 90), (1, 1)])
def test_images_of_any_size_give_unit_embeddings(
    encoder: OpenClipEncoder, size: tuple[int, int]
) -> None:
    embeddings = encoder.encode_image(pictures(*size))
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))


def test_texts_give_unit_embeddings_that_tell_them_apart(encoder: OpenClipEncoder) -> None:
    texts = encoder.encode_text(["a red apple", "the blue mug", "A RED apple"])
    torch.testing.assert_close(texts.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(texts[0], texts[2])
    assert (texts[0] @ texts[1]) < 0.9999


def test_images_are_normalised_as_the_folder_says(encoder: OpenClipEncoder, folder: Path) -> None:
    model = open_clip.create_model(f"local-dir:{folder}").eval()
    images = pictures(32, 32)
    mean, std = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.3, 0.4])
    pixels = ((images + 1) / 2 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    torch.testing.assert_close(
        encoder.encode_image(images), model.encode_image(pixels, normalize=True)
    )


def test_the_text_tower_as_a_transformers_model_gives_equal_embeddings(folder: Path) -> None:
    tower, model = load_text_tower(folder).eval(), open_clip.create_model(f"local-dir:{folder}")
    ids = token_ids(load_tokenizer(folder), ["a red apple", "the small ring on a table", ""])
    with torch.no_grad():
        theirs = model.eval().encode_text(ids)
        hidden = tower(input_ids=ids).last_hidden_state[torch.arange(3), ids.argmax(1)]
    ours = (hidden @ model.text_projection).detach()
    torch.testing.assert_close(ours, theirs)


def test_gradient_reaches_the_image_and_no_parameter(encoder: OpenClipEncoder) -> None:
    images = pictures().requires_grad_()
    (encoder.encode_image(images) @ encoder.encode_text(["a mug"])[0]).sum().backward()
    assert images.grad is not None
    assert torch.isfinite(images.grad).all() and images.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in encoder._model.parameters())


def test_logit_scale_is_the_inverse_temperature(encoder: OpenClipEncoder) -> None:
    assert encoder.logit_scale == pytest.approx(1 / 0.07, rel=1e-3)


def test_both_libraries_read_the_same_tokens(folder: Path) -> None:
    theirs = open_clip.get_tokenizer(f"local-dir:{folder}")
    texts = ["A red apple!", "", "häuser 猫 🍎", "the mug " * 20]
    assert torch.equal(theirs(texts), token_ids(load_tokenizer(folder), texts, 20))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_every_text_has_tokens_within_the_vocabulary(tmp_words: object, text: str) -> None:
    ids = token_ids(tmp_words, [text])[0]
    end = len(tmp_words) - 1  # type: ignore[arg-type]
    assert ids.min() >= 0 and ids.max() == end and ids[0] == end - 1


@pytest.fixture(scope="module")
def tmp_words(folder: Path) -> object:
    return load_tokenizer(folder)


def test_known_words_are_few_tokens(tmp_words: object) -> None:
    ids = token_ids(tmp_words, ["a red apple"])[0]
    assert (ids != ids.max()).sum() <= 8


def test_damaged_weights(tmp_path: Path) -> None:
    path = weights.clip(tmp_path / "clip") / "open_clip_model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UserError, match="damaged weights"):
        OpenClipEncoder(f"local-dir:{tmp_path / 'clip'}")


def test_no_weights(tmp_path: Path) -> None:
    (weights.clip(tmp_path / "clip") / "open_clip_model.safetensors").unlink()
    with pytest.raises(UserError, match="weights"):
        OpenClipEncoder(f"local-dir:{tmp_path / 'clip'}")
    with pytest.raises(UserError, match="missing weights"):
        OpenClipEncoder("local-dir:/no/such/folder")
    with pytest.raises(UserError, match="pretrained"):
        OpenClipEncoder("ViT-B-16")
    with pytest.raises(UserError, match="no-such-model"):
        OpenClipEncoder("no-such-model", "openai")
