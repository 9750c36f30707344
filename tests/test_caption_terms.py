"""What learning from captions asks of masks and words, on small tensors whose answers are known."""

from math import exp, log

import pytest
import torch

from lr_edit.regions.network import Proposals
from lr_edit.training.objectives.captions import absence, contrast, foreign_to
from lr_edit.training.objectives.mask_terms import (
    follow,
    mixture,
    out_of_range,
    total_variation,
    unlike_neighbours,
    unlike_target,
)

ROWS = torch.eye(3)  # three phrases, or views, that have nothing in common


def left_half() -> torch.Tensor:
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2] = 1
    return mask


def test_unlike_target_is_the_same_where_autocast_would_compute_in_half_precision() -> None:
    """And it leaves autocast for what autocast refuses on a GPU."""
    generator = torch.Generator().manual_seed(0)
    mask, target = torch.rand(2, 2, 1, 4, 4, generator=generator)
    plain = unlike_target(mask, target)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(unlike_target(mask, target), plain)
    torch.testing.assert_close(unlike_target(mask.bfloat16(), target), plain, atol=0.02, rtol=0)


def proposals(
    thing: torch.Tensor, score: torch.Tensor, presence: torch.Tensor | None = None
) -> Proposals:
    presence = torch.zeros(len(thing)) if presence is None else presence
    return Proposals(thing, 0 * thing, score, presence, thing[:, None])


def test_contrast_is_least_for_views_that_say_their_own_phrase() -> None:
    told = contrast(ROWS, ROWS, 0.9, 0.5)
    assert float(told) == pytest.approx(log(1 + 2 * exp(-1 / 0.5)))
    swapped = contrast(ROWS[[1, 2, 0]], ROWS, 0.9, 0.5)
    assert float(swapped - told) == pytest.approx(1 / 0.5, abs=1e-5)
    assert float(contrast(ROWS, ROWS, 0.9, 0.01)) == pytest.approx(0, abs=1e-6)


def test_phrases_that_are_alike_are_not_held_against_each_other() -> None:
    same = ROWS[[0, 0]]
    assert float(contrast(same, same, 1.1, 0.5)) == pytest.approx(log(2))
    assert float(contrast(same, same, 0.9, 0.5)) == 0


def test_phrases_of_the_picture_before_are_foreign_unless_they_are_said_here() -> None:
    # Two pictures of two phrases: the second says again what the first one said first.
    texts = ROWS[[0, 1, 0, 2]]
    assert foreign_to(texts, 2, 0.85).tolist() == [False, True, False, True]
    assert not foreign_to(texts[:2], 2, 0.85).any()  # alone, a picture comes before itself


def test_absence_asks_for_own_phrases_and_for_neither_presence_nor_area_of_foreign_ones() -> None:
    own, foreign = (
        proposals(torch.zeros(2, 1, 4, 4), torch.zeros(2, 1), torch.full((2,), v))
        for v in (20.0, -20.0)
    )
    wrong, nothing = torch.tensor([True, True]), torch.zeros(2, 1, 4, 4)
    assert float(absence(own, foreign, nothing, wrong)) == pytest.approx(0, abs=1e-6)
    assert float(absence(foreign, foreign, nothing, wrong)) == pytest.approx(20)
    assert float(absence(own, own, nothing, wrong)) == pytest.approx(20)
    drawn = torch.cat((left_half(), nothing[:1]))
    assert float(absence(own, foreign, drawn, wrong)) == pytest.approx(0.25, abs=1e-6)
    # What is true here as well may be there, and have any area.
    alike = torch.tensor([False, False])
    assert float(absence(own, own, drawn, alike)) == pytest.approx(0, abs=1e-6)


def test_areas_cost_nothing_within_the_range_and_more_the_farther_outside() -> None:
    missed = out_of_range(torch.tensor([0.0, 0.005, 0.01, 0.12, 0.22, 0.52]), 0.01, 0.12)
    torch.testing.assert_close(missed, torch.tensor([0.01, 0.005, 0, 0, 0.1, 0.4]))


def test_total_variation_counts_steps_between_neighbours() -> None:
    assert float(total_variation(torch.full((1, 1, 4, 4), 0.7))) == 0
    assert float(total_variation(left_half())) == pytest.approx(1 / 3)
    board = (torch.arange(4)[:, None] + torch.arange(4)[None]).remainder(2)[None, None].float()
    assert float(total_variation(board)) == 2


def test_affinity_is_zero_for_masks_that_follow_the_features_borders() -> None:
    two_things = torch.cat((left_half(), 1 - left_half()), 1)
    assert float(unlike_neighbours(left_half(), two_things)) == 0
    finer = left_half().repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert float(unlike_neighbours(finer, two_things)) == 0
    across = left_half().transpose(2, 3)  # a border where features have none
    assert float(unlike_neighbours(across, two_things)) == pytest.approx(1 / 3)
    assert float(unlike_neighbours(left_half(), torch.ones(1, 2, 4, 4))) == pytest.approx(1 / 3)
    assert float(unlike_neighbours(torch.ones(1, 1, 4, 4), torch.ones(1, 2, 4, 4))) == 0


def test_affinity_weighs_features_the_more_the_more_they_are_alike() -> None:
    """cos 60° = 1/2, to the fourth power."""
    angles = torch.tensor([0.0, 0.0, torch.pi / 3, torch.pi / 3])
    features = torch.stack((angles.cos(), angles.sin()))[None, :, None].expand(1, 2, 4, 4)
    assert float(unlike_neighbours(left_half(), features)) == pytest.approx(1 / 3 / 16)


def test_proposals_are_mixed_by_their_scores_and_edit_masks_follow() -> None:
    drawn = torch.cat((40 * left_half() - 20, 20 - 40 * left_half()), 1)
    mask = mixture(proposals(drawn, torch.tensor([[log(3.0), 0.0]])))
    torch.testing.assert_close(mask, 0.25 + 0.5 * left_half())
    undecided = proposals(drawn, torch.zeros(1, 2))
    assert float(follow(undecided, mask)) == pytest.approx(log(2))
    told = Proposals(drawn, drawn[:, :1], undecided.score, undecided.presence, undecided.coarse)
    assert float(follow(told, left_half())) == pytest.approx(0, abs=1e-6)
