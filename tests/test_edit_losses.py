"""What an edit is judged by, the edit in one step that gradients pass, and training by both."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import weights
from torch.nn.functional import normalize

import train
from lr_edit.backbones.base import Diffusion
from lr_edit.backbones.diffusion import UNetDiffusion
from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.backbones.open_clip_dense import OpenClipDense
from lr_edit.regions import rehearsal
from lr_edit.regions.edit_losses import direction_loss, structure_loss, text_loss
from lr_edit.training.objectives.through_edit import DifferentiableEdit, EditWeights

CONFIG = Path(__file__).parents[1] / "configs/region_edit.yaml"
NAMES = ("text", "direction", "structure")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place: Path = tmp_path_factory.mktemp("weights")
    weights.clip(place / "clip")
    weights.diffusion(place / "diffusion")
    return place


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def units(seed: int) -> torch.Tensor:
    return normalize(random(2, 8, seed=seed), dim=1)


def test_the_text_loss_is_one_less_the_cosine() -> None:
    prompt = torch.eye(4)[:3]
    seen = torch.stack((prompt[0], (prompt[0] + prompt[1]) / 2**0.5, -prompt[2]))
    expected = torch.tensor([0, 1 - 0.5**0.5, 2])
    torch.testing.assert_close(text_loss(seen, prompt), expected)


def test_the_directional_loss_sees_only_which_way_the_picture_went() -> None:
    source, prompt, caption = units(0), units(1), units(2)
    way = prompt - caption
    aside = random(2, 8, seed=3)
    aside -= (aside * way).sum(1, keepdim=True) / way.square().sum(1, keepdim=True) * way
    for moved, expected in ((0.1 * way, 0.0), (2 * way, 0.0), (-way, 2.0), (aside, 1.0)):
        loss = direction_loss(source + moved, source, prompt, caption)
        torch.testing.assert_close(loss, torch.full((2,), expected), atol=1e-5, rtol=0)


def test_structure_is_zero_for_the_source_and_for_all_that_keeps_what_is_alike() -> None:
    tokens = random(2, 8, 3, 3)
    assert (structure_loss(tokens, tokens) == 0).all()
    turned = torch.linalg.qr(random(8, 8, seed=1))[0]
    kept = 3 * torch.einsum(
        "cd,bdyx->bcyx", turned, tokens
    )  # all tokens changed, none their likeness
    torch.testing.assert_close(structure_loss(kept, tokens), torch.zeros(2), atol=1e-6, rtol=0)
    # Two tokens at right angles become the same: two of the four cosines go from 0 to 1.
    apart, same = torch.eye(2)[None, :, None], torch.ones(1, 2, 1, 2)
    torch.testing.assert_close(structure_loss(same, apart), torch.tensor([0.5]))


def test_the_three_losses_weigh_alike_unless_told_otherwise(folder: Path) -> None:
    clip = OpenClipDense(OpenClipEncoder(f"local-dir:{folder / 'clip'}"))
    unused: Diffusion = SimpleNamespace()  # type: ignore[assignment]
    edited, source = random(1, 3, 32, 32).clamp(-1, 1), random(1, 3, 32, 32, seed=1).clamp(-1, 1)
    seen, before = clip.encoder.encode_image(edited), clip.encoder.encode_image(source)
    prompt, caption = (clip.encoder.encode_text([t]) for t in ("a blue mug", "a red apple"))
    tokens = clip.patch_features(source)[-1]
    plain = {
        "text": text_loss(seen, prompt),
        "direction": direction_loss(seen, before, prompt, caption),
        "structure": structure_loss(clip.patch_features(edited)[-1], tokens),
    }
    others = EditWeights(text=2.0, direction=3.0, structure=5.0)
    for weights_given, factors in ((None, (1, 1, 1)), (others, (2, 3, 5))):
        objective = DifferentiableEdit(clip, unused, weights_given)
        losses = objective.losses((before, prompt, caption, tokens), edited)
        assert tuple(losses) == NAMES
        for name, factor in zip(NAMES, factors, strict=True):
            torch.testing.assert_close(losses[name], factor * plain[name])


def test_edits_start_from_what_a_caption_says_is_there_else_from_the_phrase(folder: Path) -> None:
    """ "a blue mug" as an edit prompt says what the mug becomes, not what it is."""
    clip = OpenClipDense(OpenClipEncoder(f"local-dir:{folder / 'clip'}"))
    objective = DifferentiableEdit(clip, SimpleNamespace())  # type: ignore[arg-type]
    batch = {
        "image": random(1, 3, 32, 32).clamp(-1, 1), "edit": torch.ones(1, 1, dtype=torch.bool),
        "phrases": ["a blue mug"], "prompts": ["a blue mug"],
    }  # fmt: skip
    said = clip.encoder.encode_text(["a blue mug", "a red apple"])
    for given, expected in ((batch, said[:1]), (batch | {"captions": ["a red apple"]}, said[1:])):
        _, prompt, caption, _ = objective.references(given)
        torch.testing.assert_close(prompt, said[:1])
        torch.testing.assert_close(caption, expected)
    assert not torch.allclose(said[0], said[1])


@pytest.mark.parametrize("size", [(16, 16), (20, 33)])
def test_an_edit_in_one_step_keeps_the_outside_as_it_is(
    folder: Path, size: tuple[int, int]
) -> None:
    diffusion = UNetDiffusion(str(folder / "diffusion"))
    image = random(2, 3, *size).clamp(-1, 1)
    mask = torch.zeros(2, 1, *size)
    mask[..., 4:9, 5:12] = 1
    words = diffusion.embed(["a blue mug", "a red apple"])
    edited = rehearsal.rehearse(diffusion, image, mask, words, random(2, 3, 16, 16, seed=1))
    outside = (mask == 0).expand_as(image)
    assert torch.equal(edited[outside], image[outside])
    assert (edited - image)[~outside].abs().mean() > 0.1
    assert edited.min() >= -1 and edited.max() <= 1


def test_what_is_computed_again_going_back_gives_the_same_gradient(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    diffusion = UNetDiffusion(str(folder / "diffusion"))
    image, noise = random(1, 3, 20, 20).clamp(-1, 1), random(1, 3, 16, 16, seed=1)
    words = diffusion.embed(["a blue mug"])

    def gradient() -> torch.Tensor:
        mask = random(1, 1, 20, 20, seed=2).sigmoid().requires_grad_()
        edited = rehearsal.rehearse(diffusion, image, mask, words, noise)
        (edited * random(1, 3, 20, 20, seed=3)).sum().backward()
        assert mask.grad is not None
        return mask.grad

    again = gradient()
    monkeypatch.setattr(rehearsal, "checkpoint", lambda run, *args, **_: run(*args))
    torch.testing.assert_close(gradient(), again)
    assert again.abs().min() > 0


def test_gradients_reach_the_mask_through_what_the_network_is_told_to_repaint(
    folder: Path,
) -> None:
    """Where the mask is the same in all ways of laying the painted over the source."""
    diffusion = UNetDiffusion(str(folder / "diffusion"))
    image, noise = random(1, 3, 16, 16).clamp(-1, 1), random(1, 3, 16, 16, seed=1)
    mask = torch.full((1, 1, 16, 16), 0.5, requires_grad=True)
    edited = rehearsal.rehearse(diffusion, image, mask, diffusion.embed(["a mug"]), noise)
    edited[..., 8:, 8:].sum().backward()
    assert mask.grad is not None and mask.grad[..., :4, :4].abs().sum() > 0


def test_the_score_function_edit_trains_from_the_command_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    objective, clip = "--model.init_args.objective", f"local-dir:{folder / 'clip'}"
    encoder = "clip.init_args.encoder.init_args.name"
    arguments = [
        "train.py", "fit", "--config", str(CONFIG), "--trainer.fast_dev_run=1",
        "--trainer.accelerator=cpu", "--trainer.precision=32-true",
        "--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false",
        f"{objective}=lr_edit.training.objectives.through_edit.ScoreFunctionEdit",
        f"{objective}.init_args.draws=2", f"{objective}.init_args.cells=4",
        f"{objective}.init_args.{encoder}={clip}",
        f"{objective}.init_args.diffusion.init_args.folder={folder / 'diffusion'}",
        f"--model.init_args.features.init_args.{encoder}={clip}",
        "--model.init_args.features.init_args.clip.init_args={layers: [1], side: 32, stride: 0}",
        "--model.init_args.network={width: 16, heads: 2, mixers: 1, side: 32}",
        "--data.init_args.train_scenes=3", "--data.init_args.validation_scenes=2",
        "--data.init_args.size=32", "--data.init_args.batch_size=2",
        "--data.init_args.validation_samples=2", "--data.init_args.steps_per_epoch=2",
    ]  # fmt: skip
    monkeypatch.setattr("sys.argv", arguments)
    assert train.main() == 0
