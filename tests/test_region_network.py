"""The region network: what it may depend on, what it keeps, and that every part of it learns."""

from pathlib import Path

import pytest
import torch
import weights
from hypothesis import given
from hypothesis import strategies as st
from region_fakes import SIDE, batch, features, network

from lr_edit.backbones.diffusion import UNetDiffusion
from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.backbones.open_clip_dense import OpenClipDense
from lr_edit.crop import mask_box
from lr_edit.data.windows import whole
from lr_edit.errors import UserError
from lr_edit.regions.learned import (
    LearnedProposer,
    load_region_network,
    padded,
    pieces,
    unpadded,
)
from lr_edit.regions.network import RegionNetwork, Seen
from lr_edit.regions.sharpen import sharpen
from lr_edit.training.objectives.base import Learner, Objective
from lr_edit.training.objectives.captions import CaptionObjective
from lr_edit.training.objectives.masks import MaskObjective, fitness, mask_errors
from lr_edit.training.objectives.through_edit import (
    DifferentiableEdit,
    ScoreFunctionEdit,
    reinforced,
)


def picture(height: int = SIDE, width: int = SIDE, seed: int = 0) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_padding_of_other_phrases_changes_nothing() -> None:
    net, frozen, image = network().eval(), features(), picture()
    seen = net.look(image, frozen.maps(image))

    def masks(*phrases: str) -> torch.Tensor:
        words, known = frozen.tokens(phrases)
        edit = torch.zeros(len(phrases), dtype=torch.bool)
        several = Seen(
            seen.cells.repeat(len(phrases), 1, 1), seen.pixels.repeat(len(phrases), 1, 1, 1)
        )
        return net.read(several, words, known, edit).thing[0]

    torch.testing.assert_close(masks("a cat"), masks("a cat", "a much longer phrase"))


def test_a_batch_of_pictures_gives_what_each_gives_alone() -> None:
    learner = Learner(network().eval(), features())
    both = batch(2, 2)
    found = learner.answers(both)
    second = {k: v[2:] if k == "phrases" else v[1:] for k, v in both.items()}
    torch.testing.assert_close(learner.answers(second).thing, found.thing[2:], atol=1e-5, rtol=1e-4)


def test_words_and_reading_change_the_answer() -> None:
    proposer, image = LearnedProposer(network(), features()), picture()
    masks = [
        proposer.propose(image, "a cat").mask,
        proposer.propose(image, "a dog").mask,
        proposer.propose(image, "a cat", "edit").mask,
    ]
    assert not torch.equal(masks[0], masks[1]) and not torch.equal(masks[0], masks[2])


@pytest.fixture(scope="module")
def objectives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Objective]:
    """Every way to learn, with tiny frozen networks."""
    folder = tmp_path_factory.mktemp("weights")
    encoder = OpenClipEncoder(f"local-dir:{weights.clip(folder / 'clip')}")
    dense = OpenClipDense(encoder)
    diffusion = UNetDiffusion(str(weights.diffusion(folder / "diffusion")))
    return {
        "masks": MaskObjective(),
        "captions": CaptionObjective(encoder, alike=0.999),
        "edits": DifferentiableEdit(dense, diffusion),
        "score function": ScoreFunctionEdit(dense, diffusion, draws=3, cells=4),
    }


NAMES = ("masks", "captions", "edits", "score function")


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_learns_and_the_loss_falls(
    objectives: dict[str, Objective], name: str
) -> None:
    objective = objectives[name]
    learner, example = Learner(network(), features()), batch()
    optimiser = torch.optim.Adam(learner.network.parameters(), lr=3e-3)
    losses = []
    for step in range(25):
        terms = objective.terms(learner, example, torch.Generator().manual_seed(0))
        loss = torch.stack(list(terms.values())).sum()
        optimiser.zero_grad()
        loss.backward()
        if step == 0:
            for name, parameter in learner.network.named_parameters():
                assert parameter.grad is not None, name
                assert torch.isfinite(parameter.grad).all(), name
                if not name.startswith("readings"):
                    assert parameter.grad.abs().sum() > 0, name
        optimiser.step()
        losses.append(float(loss.detach()))
    # The score-function estimate is a sum of chances: it has no level of its own to fall from.
    assert name == "score function" or losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_every_term_moves_the_weights(objectives: dict[str, Objective], name: str) -> None:
    def terms(learner: Learner) -> dict[str, torch.Tensor]:
        return objectives[name].terms(learner, batch(), torch.Generator().manual_seed(0))

    for term in terms(Learner(network(), features())):
        learner = Learner(network(), features())
        terms(learner)[term].backward()
        gradients = [p.grad for p in learner.network.parameters() if p.grad is not None]
        assert all(torch.isfinite(g).all() for g in gradients), term
        assert sum(float(g.abs().sum()) for g in gradients) > 0, term


def test_mask_errors_are_least_for_the_truth() -> None:
    truth = torch.zeros(1, 8, 8)
    truth[:, 2:5, 2:6] = 1
    logits = torch.stack((20 * (2 * truth - 1), 0 * truth, 20 * (1 - 2 * truth)), 1)
    bce, dice = mask_errors(logits, truth)
    assert bce[0, 0] < 1e-6 and dice[0, 0] < 0.01
    assert bce[0, 0] < bce[0, 1] < bce[0, 2] and dice[0, 0] < dice[0, 1] < dice[0, 2]


def test_scores_are_taught_to_be_the_fit() -> None:
    learner, example = Learner(network(), features()), batch()
    found = learner.answers(example)
    truth = example["object"].flatten(0, 1).float()  # type: ignore[attr-defined]
    targets = fitness(found, truth)
    assert targets.shape == found.score.shape and targets.min() >= 0 and targets.max() <= 1


def test_weights_survive_a_folder(tmp_path: Path) -> None:
    net = network()
    net.save_pretrained(tmp_path)
    again = load_region_network(tmp_path)
    assert again.backbones == ("colours",)
    for name, value in net.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value)
    assert "license" in (tmp_path / "README.md").read_text() or (tmp_path / "README.md").exists()


def test_other_backbones_are_refused_by_name() -> None:
    net = RegionNetwork([3], 6, ("dino small",), width=16, heads=2, side=SIDE)
    with pytest.raises(UserError, match=r"dino small.*colours"):
        LearnedProposer(net, features())


def test_a_picture_is_looked_at_once() -> None:
    frozen = features()
    proposer, image = LearnedProposer(network(), frozen), picture()
    first = proposer.propose(image, "a cat")
    proposer.propose(image, "a dog")
    again = proposer.propose(image, "a cat")
    assert frozen.pictures[0].calls == 1  # type: ignore[attr-defined]
    torch.testing.assert_close(first.mask, again.mask)
    proposer.propose(picture(seed=1), "a cat")
    assert frozen.pictures[0].calls == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [(SIDE, SIDE), (70, 45), (9, 200), (1, 1)])
def test_masks_have_the_size_of_the_picture(size: tuple[int, int]) -> None:
    region = LearnedProposer(network(), features()).propose(picture(*size), "a cat")
    for mask in (region.mask, region.change, *(one.mask for one in region.alternatives)):
        assert mask is not None and tuple(mask.shape) == (1, 1, *size)
        assert mask.min() >= 0 and mask.max() <= 1
    assert (region.change >= region.mask).all()
    scores = [one.score for one in region.alternatives]
    assert scores == sorted(scores, reverse=True)


def test_pieces_of_a_mask_are_found_from_left_to_right() -> None:
    mask = torch.zeros(10, 20)
    mask[2:5, 12:18], mask[4:9, 1:5], mask[0, 9] = 1, 0.9, 1
    left, right = pieces(mask, 0.1)
    assert left[:, 10:].sum() == 0 and right[:, :10].sum() == 0
    torch.testing.assert_close(left + right, mask * (torch.arange(20) != 9))
    assert pieces(left, 0.1) == []


def test_a_mask_is_drawn_to_the_edges_of_a_larger_picture() -> None:
    image = -torch.ones(1, 3, 64, 64)
    image[..., 22:42] = 1
    coarse = torch.full((1, 1, 8, 8), -6.0)
    coarse[..., 3:5] = 6  # columns 24 to 40 of the picture: two short on either side
    truth = (image[:, :1] > 0).float()
    plain = torch.nn.functional.interpolate(coarse, (64, 64), mode="bilinear").sigmoid()
    assert (sharpen(coarse, image) - truth).abs().mean() < 0.5 * (plain - truth).abs().mean()


@pytest.mark.parametrize("side", [16, 24, 12])
def test_a_mask_is_zero_where_nothing_is(side: int) -> None:
    logits = torch.full((1, 2, 16, 16), -6.0)
    logits[:, :, 4:10, 4:10] = torch.tensor([5.0, -3.0])[None, :, None, None]
    masks = sharpen(logits, picture(side, side))
    assert ((masks == 0) | (masks == 1)).float().mean() > 0.7
    where = mask_box(masks[:, :1]), mask_box(masks[:, 1:])  # the second comes nearest, and is told
    for box in where:
        assert max(abs(a / side - b / 16) for a, b in zip(box, (4, 4, 10, 10), strict=True)) < 0.1


def test_the_score_function_estimate_is_the_gradient_of_the_expected_reward() -> None:
    """One cell, reward 1 where it is drawn: the expected reward is the chance itself."""
    generator = torch.Generator().manual_seed(0)
    logit = torch.tensor([0.3], requires_grad=True)
    chance = logit.sigmoid().expand(4000, 1)
    drawn = (torch.rand(4000, 1, generator=generator) < chance).float()
    logs = drawn * chance.log() + (1 - drawn) * (1 - chance).log()
    reinforced(logs, drawn).backward()
    expected = float((logit.sigmoid() * (1 - logit.sigmoid())).detach())
    assert logit.grad is not None
    assert -float(logit.grad) == pytest.approx(expected, abs=0.03)


@given(st.integers(1, 9), st.integers(1, 9))
def test_a_picture_comes_back_from_its_square(height: int, width: int) -> None:
    image = torch.rand(1, 3, height, width)
    square = padded(image)
    side = max(height, width)
    assert square.shape == (1, 3, side, side)
    assert torch.equal(unpadded(square, (height, width)), image)
    window = whole(width, height)  # where training on photographs puts it
    inside = square[..., -window.y : -window.y + height, -window.x : -window.x + width]
    assert torch.equal(inside, image)
    assert float(square.sum()) == pytest.approx(float(image.sum()), rel=1e-5)


def test_bars_around_a_picture_are_no_part_of_its_region() -> None:
    wide = picture(20, 60)
    region = LearnedProposer(network(), features()).propose(wide, "a cat")
    assert region.mask.shape == (1, 1, 20, 60) and region.change is not None
    assert all(one.mask.shape == (1, 1, 20, 60) for one in region.alternatives)
