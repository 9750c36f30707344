"""The diffusion folder, and what the model says of x0 and eps."""

from pathlib import Path
from typing import Any

import pytest
import torch
import weights

from lr_edit.backbones.devices import arrange
from lr_edit.backbones.diffusion import UNetDiffusion, to_prediction
from lr_edit.backbones.diffusion_network import build_diffusion, load_network
from lr_edit.backbones.tokenizer import knows_a_word, load_tokenizer, train_tokenizer
from lr_edit.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return weights.diffusion(tmp_path_factory.mktemp("weights") / "diffusion")


@pytest.fixture(scope="module")
def model(folder: Path) -> UNetDiffusion:
    return UNetDiffusion(str(folder))


def inputs(batch: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x_t, source = torch.randn(2, batch, 3, 16, 16, generator=generator)
    mask = torch.zeros(batch, 1, 16, 16)
    mask[..., 4:12, 4:12] = 1
    return x_t, source, mask


def said(model: UNetDiffusion, **changed: torch.Tensor) -> torch.Tensor:
    x_t, source, mask = inputs()
    values = {
        "x_t": x_t, "t": torch.tensor([300, 700]), "condition": model.embed(["a mug", ""]),
        "source": source, "mask": mask,
    }  # fmt: skip
    return model.predict(**{**values, **changed}).x0


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_prediction_inverts_the_forward_process(kind: str) -> None:
    x0, eps = torch.randn(2, 4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    alpha = torch.tensor([0.99, 0.7, 0.3, 0.01]).view(-1, 1, 1, 1)
    x_t = alpha.sqrt() * x0 + (1 - alpha).sqrt() * eps
    output = eps if kind == "epsilon" else alpha.sqrt() * eps - (1 - alpha).sqrt() * x0
    prediction = to_prediction(output, x_t, alpha, kind)
    torch.testing.assert_close(prediction.x0, x0, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(prediction.eps, eps)


def test_v_prediction_is_finite_without_any_signal() -> None:
    ones, alpha = torch.ones(1, 3, 4, 4), torch.zeros(1, 1, 1, 1)
    prediction = to_prediction(ones, ones, alpha, "v_prediction")
    assert torch.isfinite(prediction.x0).all()


def test_facts_of_the_folder(model: UNetDiffusion) -> None:
    assert model.size == 16 and model.text_conditional
    assert model.alphas_cumprod.shape == (1000,)
    assert model.alphas_cumprod[0] > 0.99 and model.alphas_cumprod[-1] < 0.01
    assert (model.alphas_cumprod.diff() < 0).all()


def test_prompts_differ_and_do_not_depend_on_the_batch(model: UNetDiffusion) -> None:
    both = model.embed(["a red apple", ""])
    assert both.shape[0] == 2 and not torch.allclose(both[0], both[1])
    torch.testing.assert_close(model.embed([""])[0], both[1])


@pytest.mark.parametrize("prompt", ["苹果", "🍎" * 200, "a " * 500, "RED APPLE", "\x00"])
def test_any_text_has_an_embedding(model: UNetDiffusion, prompt: str) -> None:
    embedding = model.embed([prompt])
    assert torch.isfinite(embedding).all() and embedding.shape == model.embed([""]).shape


def test_case_of_letters_does_not_matter(model: UNetDiffusion) -> None:
    torch.testing.assert_close(model.embed(["RED Apple"]), model.embed(["red apple"]))


def test_the_source_inside_the_region_is_not_seen(model: UNetDiffusion) -> None:
    _, source, mask = inputs()
    torch.testing.assert_close(said(model, source=source + 5 * mask), said(model))
    assert not torch.allclose(said(model, source=source + 5 * (1 - mask)), said(model))


def test_prompt_time_and_mask_matter(model: UNetDiffusion) -> None:
    _, _, mask = inputs()
    plain = said(model)
    for changed in (
        {"condition": model.embed(["the girl", "a camper van"])},
        {"t": torch.tensor([400, 100])},
        {"mask": 1 - mask},
    ):
        assert not torch.allclose(said(model, **changed), plain)


def test_gradient_reaches_x_t_and_no_parameter(model: UNetDiffusion) -> None:
    x_t, _, _ = inputs()
    x_t.requires_grad_()
    said(model, x_t=x_t).square().sum().backward()
    assert x_t.grad is not None and x_t.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in model._network.parameters())


def test_a_sample_does_not_depend_on_its_neighbours(model: UNetDiffusion) -> None:
    x_t, source, mask = inputs()
    condition, t = model.embed(["a mug", ""]), torch.tensor([300, 700])
    both = model.predict(x_t, t, condition, source, mask).x0
    alone = model.predict(x_t[1:], t[1:], condition[1:], source[1:], mask[1:]).x0
    torch.testing.assert_close(alone[0], both[1], atol=1e-5, rtol=1e-4)


def test_bfloat16_says_about_the_same(folder: Path, model: UNetDiffusion) -> None:
    half = UNetDiffusion(str(folder), dtype="bfloat16")
    x0 = said(half, condition=half.embed(["a mug", ""]))
    assert x0.dtype == torch.float32
    torch.testing.assert_close(x0, said(model), atol=0.15, rtol=0.1)


def test_the_folder_gives_back_the_trained_network(folder: Path) -> None:
    from lr_edit.backbones.diffusion_network import load_network

    network = load_network(folder)
    x_t, source, mask = inputs()
    ids = torch.zeros(2, network.context_length, dtype=torch.long)
    t = torch.tensor([300, 700])
    v = network(x_t, t, network.encode_tokens(ids), source, mask)
    assert v.shape == x_t.shape and torch.isfinite(v).all()


def test_unconditional_models_load_too(tmp_path: Path) -> None:
    model = UNetDiffusion(str(weights.unconditional(tmp_path / "adm")))
    assert model.size == 16 and not model.text_conditional
    x_t, source, mask = inputs()
    condition, t = model.embed(["a", "b"]), torch.tensor([500, 20])
    prediction = model.predict(x_t, t, condition, source, mask)
    alpha = model.alphas_cumprod[t].view(-1, 1, 1, 1)
    rebuilt = alpha.sqrt() * prediction.x0 + (1 - alpha).sqrt() * prediction.eps
    torch.testing.assert_close(rebuilt, x_t, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        model.predict(x_t, t, condition, -source, 1 - mask).x0, prediction.x0
    )


@pytest.mark.parametrize("kind", [weights.diffusion, weights.unconditional])
def test_checkpointing_keeps_less_and_gives_the_same_gradient(kind, tmp_path: Path) -> None:
    folder = str(kind(tmp_path / "model"))
    kept, slopes = [], []
    for checkpointing in (False, True):
        model, sizes = UNetDiffusion(folder, checkpointing=checkpointing), []
        x_t = inputs()[0].requires_grad_()

        def keep(tensor: torch.Tensor, sizes: list[int] = sizes) -> torch.Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            x0 = said(model, x_t=x_t)
        slopes.append(torch.autograd.grad(x0.square().sum(), x_t)[0])
        kept.append(sum(sizes))
    assert kept[1] < kept[0] / 2
    torch.testing.assert_close(slopes[1], slopes[0], atol=1e-6, rtol=1e-5)


def test_other_predictions_are_refused(tmp_path: Path) -> None:
    folder = weights.diffusion(tmp_path / "diffusion", prediction="sample")
    with pytest.raises(UserError, match=r"sample.*v_prediction"):
        UNetDiffusion(str(folder))


@pytest.mark.parametrize(
    "part", ["unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"]
)
def test_truncated_weights_are_one_clear_line(tmp_path: Path, part: str) -> None:
    path = weights.diffusion(tmp_path / "diffusion") / part
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="damaged weights") as caught:
        UNetDiffusion(str(tmp_path / "diffusion"))
    assert "\n" not in str(caught.value)


def test_missing_tensors_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = weights.diffusion(tmp_path / "diffusion") / "text_encoder/model.safetensors"
    state = load_file(path)
    state.pop(sorted(state)[0])
    save_file(state, path, metadata={"format": "pt"})
    with pytest.raises(UserError, match="damaged weights"):
        UNetDiffusion(str(tmp_path / "diffusion"))


def test_unknown_dtype(folder: Path) -> None:
    with pytest.raises(UserError, match=r"int7.*float32"):
        UNetDiffusion(str(folder), dtype="int7")


def test_weights_laid_out_anew_let_the_file_they_came_from_go(folder: Path) -> None:
    network = UNetDiffusion(str(folder))._network.unet
    before = network.state_dict()
    arrange(network, torch.channels_last)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])
        assert tensor.untyped_storage().data_ptr() != before[name].untyped_storage().data_ptr()
        if tensor.ndim == 4:
            assert tensor.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("changed", [{"channels": (32, 64)}, {"attention": (True, True)}])
def test_weights_of_another_network_are_refused(folder: Path, changed: dict[str, Any]) -> None:
    options = {"channels": (32, 32), "layers": (1, 1), "attention": (False, True), **changed}
    network = build_diffusion(load_network(folder).text_encoder, size=16, **options)
    with pytest.raises(UserError, match="tensors are not those of this network"):
        network.load_folder(folder)


# What the tokenizer was taught


KNOWN = (
    "a photo of a mug", "an RV", "nothing", "an empty table", "a red zebra", "MUGS", "two cats",
    "a red груша 🍊",
)  # fmt: skip
UNKNOWN = (
    "a zebra", "an ox", "the zebra", "some zebras of the two", "a T", "1234567890", "a груша",
    "in and with the", "", "a zebra's",
)  # fmt: skip


@pytest.mark.parametrize("phrase", [*KNOWN, *UNKNOWN])
def test_articles_and_the_like_are_no_known_words(phrase: str) -> None:
    shipped = load_tokenizer("lr_edit/tabletop/weights/diffusion/tokenizer")
    assert knows_a_word(shipped, phrase) == (phrase in KNOWN)


def test_another_vocabulary_knows_other_words(tmp_path: Path) -> None:
    own = train_tokenizer(["a zebra and the zebra's 猫", "two zebra 猫"] * 9, tmp_path / "own")
    for phrase in ("a zebra", "Zebra", "zebra!", "猫"):
        assert knows_a_word(own, phrase), phrase
    for phrase in ("a mug", "and the", "'s", "two", "a"):
        assert not knows_a_word(own, phrase), phrase


def test_what_is_not_known_is_refused(model: UNetDiffusion) -> None:
    with pytest.raises(UserError, match="no word of 'a zebra' that says what to paint: say it"):
        model.check_length("a zebra")
    model.check_length("a mug")
