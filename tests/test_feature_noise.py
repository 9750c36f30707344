"""Noise on what a network learns from: as strong as asked, drawn alike again, in no answer."""

from types import SimpleNamespace

import pytest
import torch
from region_fakes import batch, features, network

from lr_edit.regions.words import Words
from lr_edit.training.feature_noise import FeatureNoise
from lr_edit.training.objectives.base import Learner
from lr_edit.training.objectives.masks import MaskObjective
from lr_edit.training.region import RegionRecipe


def noise(words: float = 0.0, maps: float = 0.0, seed: int = 0) -> FeatureNoise:
    return FeatureNoise(words, maps, torch.Generator().manual_seed(seed))


def some_words() -> Words:
    """Words of deviation 3; the padding after them is far from them."""
    states = 3 * torch.randn(8, 40, 32, generator=torch.Generator().manual_seed(5))
    known = torch.ones(8, 40, dtype=torch.bool)
    known[:, 30:] = False
    states[:, 30:] = 1e4
    return Words(states, known, torch.zeros(8, 40, dtype=torch.long))


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_words_are_moved_by_a_share_of_their_deviation(share: float) -> None:
    words = some_words()
    moved = noise(words=share).on_words(words)
    off = (moved.states - words.states)[words.known]
    assert float(off.std()) == pytest.approx(3 * share, rel=0.05)
    assert torch.equal(moved.known, words.known) and torch.equal(moved.roles, words.roles)


def test_every_channel_of_a_map_is_moved_by_its_own_deviation() -> None:
    scale = torch.tensor((0.1, 1.0, 10.0))[None, :, None, None]
    given = scale * torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(5)) + 7
    (moved,) = noise(maps=0.3).on_maps([given])
    off = (moved - given).std((0, 2, 3))
    torch.testing.assert_close(off, 0.3 * scale.flatten(), rtol=0.1, atol=0)


def test_no_noise_is_no_noise() -> None:
    words, maps = some_words(), (torch.rand(2, 3, 4, 4),)
    assert noise().on_words(words) is words
    assert noise().on_maps(maps)[0] is maps[0]


def test_the_same_seed_moves_alike_and_keeps_the_type() -> None:
    maps = (torch.rand(2, 3, 4, 4).bfloat16(),)
    first, again, other = (noise(maps=0.3, seed=s).on_maps(maps)[0] for s in (1, 1, 2))
    assert first.dtype == torch.bfloat16
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize("shares", [{"words": 0.5}, {"maps": 0.5}])
def test_what_a_learner_reads_is_noisy(shares: dict[str, float]) -> None:
    learner = Learner(network(), features())
    noisy = Learner(network(), features(), noise=noise(**shares))
    plain, moved = (one.answers(batch()).presence for one in (learner, noisy))
    assert not torch.equal(plain, moved)


def test_a_recipe_learns_from_noise_and_answers_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RegionRecipe, "trainer", SimpleNamespace(world_size=1))
    losses, answers = [], []
    for share in (0.0, 0.5):
        torch.manual_seed(0)
        sizes = {"side": 32, "width": 16, "heads": 2, "mixers": 1}
        recipe = RegionRecipe(MaskObjective(), features(), sizes, word_noise=share)
        monkeypatch.setattr(recipe, "log", lambda *args, **kwargs: None)
        monkeypatch.setattr(recipe, "log_loss", lambda loss: float(loss.detach()))
        losses.append(recipe.training_step(batch(), 0))
        answers.append(recipe.predict_step(batch(), 0)["presence"])
    assert losses[0] != losses[1]
    assert torch.equal(answers[0], answers[1])
