"""DINO of every generation from tiny transformers folders."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import weights
from safetensors.torch import load_file, save_file

from lr_edit.backbones.dino import DinoEncoder
from lr_edit.errors import UserError

KINDS = ("vit", "dinov2", "dinov2_with_registers", "dinov3_vit")


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return weights.dino(tmp_path_factory.mktemp("weights") / request.param, request.param)


def pictures(height: int = 32, width: int = 32) -> torch.Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


def called_directly(folder: Path, images: torch.Tensor) -> tuple[Any, int]:
    """What transformers gives for the folder, and how many tokens stand before the patches."""
    from transformers import AutoModel, ViTModel

    vit = folder.name == "vit"
    options: dict[str, Any] = {"add_pooling_layer": False} if vit else {}
    model = (ViTModel if vit else AutoModel).from_pretrained(
        folder, attn_implementation="eager", **options
    )
    mean, std = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.3, 0.4])
    pixels = ((images + 1) / 2 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    sized = {"interpolate_pos_encoding": True} if vit else {}
    with torch.no_grad():
        out = model.eval()(pixels, output_hidden_states=True, output_attentions=True, **sized)
    return out, 1 + getattr(model.config, "num_register_tokens", 0)


@pytest.mark.parametrize("side", [32, 64])
def test_features_and_attention_are_those_of_transformers(folder: Path, side: int) -> None:
    images, rows = pictures(side, side), side // 8
    encoder = DinoEncoder(str(folder), (1, 2, 3), side)
    out, before = called_directly(folder, images)
    states = (out.hidden_states[1], out.hidden_states[2], out.last_hidden_state)
    for ours, state in zip(encoder.patch_features(images), states, strict=True):
        theirs = state[:, before:].reshape(2, rows, rows, 32).permute(0, 3, 1, 2)
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    weights_ = out.attentions[-1][:, :, 0, before:].reshape(2, 2, rows, rows)
    torch.testing.assert_close(encoder.attention(images), weights_, atol=1e-5, rtol=1e-4)


def test_the_default_is_the_last_layer_at_the_networks_own_side(folder: Path) -> None:
    encoder = DinoEncoder(str(folder))
    features = encoder.patch_features(pictures(40, 57))
    assert [tuple(f.shape) for f in features] == [(2, 32, 4, 4)] and encoder.channels == (32,)
    last = DinoEncoder(str(folder), (3,), 32).patch_features(pictures(40, 57))
    torch.testing.assert_close(features[0], last[0])


def test_attention_leaves_the_rest_to_other_tokens(folder: Path) -> None:
    seen = DinoEncoder(str(folder), (), 64).attention(pictures(50, 90))
    assert seen.shape == (2, 2, 8, 8) and (seen >= 0).all()
    total = seen.sum((2, 3))
    assert (total < 1).all() and (total > 0).all()


def test_asking_for_attention_changes_no_features(folder: Path) -> None:
    encoder = DinoEncoder(str(folder))
    before = encoder.patch_features(pictures())[0]
    encoder.attention(pictures())
    assert torch.equal(before, encoder.patch_features(pictures())[0])


def test_gradient_reaches_the_image(folder: Path) -> None:
    images = pictures(40, 40).requires_grad_()
    DinoEncoder(str(folder), (2,)).patch_features(images)[0].square().mean().backward()
    assert images.grad is not None and torch.isfinite(images.grad).all()
    assert (images.grad.abs().sum((1, 2, 3)) > 0).all()


@pytest.fixture
def vit(tmp_path: Path) -> Path:
    return weights.dino(tmp_path / "vit")


def test_without_preprocessing_it_is_imagenets(vit: Path) -> None:
    before = DinoEncoder(str(vit)).patch_features(pictures())[0]
    (vit / "preprocessor_config.json").unlink()
    mean, std = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    images = pictures()
    own = torch.tensor([[0.4, 0.5, 0.6], [0.2, 0.3, 0.4]])[:, :, None, None]
    pixels = ((images + 1) / 2 - own[0]) / own[1]
    other = torch.tensor([mean, std])[:, :, None, None]
    equal = (pixels * other[1] + other[0]) * 2 - 1
    torch.testing.assert_close(
        DinoEncoder(str(vit)).patch_features(equal)[0], before, atol=1e-4, rtol=1e-4
    )


def test_a_pooler_in_the_file_is_passed_over(vit: Path) -> None:
    before = DinoEncoder(str(vit)).patch_features(pictures())[0]
    state = load_file(vit / "model.safetensors")
    state |= {"pooler.dense.weight": torch.zeros(32, 32), "pooler.dense.bias": torch.zeros(32)}
    save_file(state, vit / "model.safetensors", metadata={"format": "pt"})
    assert torch.equal(before, DinoEncoder(str(vit)).patch_features(pictures())[0])


def test_the_identity_tells_weights_layers_and_sides_apart_but_not_folders(
    vit: Path, tmp_path: Path
) -> None:
    first = DinoEncoder(str(vit)).identity
    others = (DinoEncoder(str(vit), (2,)), DinoEncoder(str(vit), (), 64))
    assert len({first, *(other.identity for other in others)}) == 3
    moved = weights.dino(tmp_path / "elsewhere/again")
    assert DinoEncoder(str(moved)).identity == first and str(tmp_path) not in first
    state = load_file(moved / "model.safetensors")
    state["layernorm.bias"] = state["layernorm.bias"] + 0.01
    save_file(state, moved / "model.safetensors", metadata={"format": "pt"})
    assert DinoEncoder(str(moved)).identity != first


def test_missing_tensors_are_refused(vit: Path) -> None:
    state = load_file(vit / "model.safetensors")
    state.pop("layernorm.bias")
    save_file(state, vit / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"damaged weights.*layernorm"):
        DinoEncoder(str(vit))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_missing_files_are_told(vit: Path, name: str) -> None:
    (vit / name).unlink()
    with pytest.raises(UserError, match="damaged weights"):
        DinoEncoder(str(vit))


def test_unreadable_preprocessing_is_told(vit: Path) -> None:
    (vit / "preprocessor_config.json").write_text("{")
    with pytest.raises(UserError, match="damaged weights"):
        DinoEncoder(str(vit))


def test_another_kind_of_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a DINO"):
        DinoEncoder(str(weights.segformer(tmp_path / "segformer")))


def test_layers_and_sides_that_do_not_fit(vit: Path) -> None:
    with pytest.raises(UserError, match="from 1 to 3"):
        DinoEncoder(str(vit), (4,))
    with pytest.raises(UserError, match="multiple"):
        DinoEncoder(str(vit), (), 30)


def test_a_folder_that_is_not_there() -> None:
    with pytest.raises(UserError, match="missing weights"):
        DinoEncoder("/no/such/folder")


def test_preprocessing_without_mean_is_imagenets(vit: Path) -> None:
    from lr_edit.backbones.dino import IMAGENET, preprocessing

    (vit / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 8}}))
    assert preprocessing(vit) == IMAGENET
