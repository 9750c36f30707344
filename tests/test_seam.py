"""The seam of an edit: what counts as a visible border and what does not."""

import pytest
import torch
from editor_fakes import box_mask, picture
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from lr_edit.errors import UserError
from lr_edit.guidance.options import RankingOptions
from lr_edit.guidance.ranking import ranking_scores
from lr_edit.guidance.seam import seam

BOXES = st.tuples(
    st.integers(0, 20), st.integers(0, 20), st.integers(10, 20), st.integers(10, 20)
).map(lambda v: box_mask(40, 40, v[0], v[1], v[0] + v[2], v[1] + v[3]))


def noisy(seed: int) -> Tensor:
    return torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@settings(max_examples=20, deadline=None)
@given(BOXES, st.floats(-0.9, 0.9), st.floats(-0.1, 0.1))
def test_a_step_on_even_ground_counts_half_its_height(mask, height, ground):
    source = torch.full((1, 3, 40, 40), ground)
    visible = seam(source + height * mask, source, mask)
    torch.testing.assert_close(visible, torch.tensor([abs(height) / 2]), atol=1e-5, rtol=0)


@settings(max_examples=20, deadline=None)
@given(BOXES, st.integers(0, 99))
def test_an_untouched_picture_has_no_seam_and_none_exceeds_one(mask, seed):
    source, other = noisy(seed), noisy(seed + 100)
    assert seam(source, source, mask).item() == 0
    assert 0 <= seam(other, source, mask).item() <= 1


@settings(max_examples=20, deadline=None)
@given(BOXES, st.integers(0, 99))
def test_flipping_and_turning_change_nothing(mask, seed):
    source = picture(40, 40, seed)
    image = source * (1 - mask) + picture(40, 40, seed + 1) * mask
    expected = seam(image, source, mask)
    for turn in (lambda x: x.flip(-1), lambda x: x.flip(-2), lambda x: x.transpose(-1, -2)):
        torch.testing.assert_close(seam(turn(image), turn(source), turn(mask)), expected)


def test_what_goes_on_across_the_border_is_no_seam():
    mask = box_mask(40, 40, 10, 10, 30, 30)
    even = torch.zeros(1, 3, 40, 40)
    slope = torch.linspace(-1, 1, 40).view(1, 1, 1, 40).expand(1, 3, 40, 40)
    stripes = (torch.arange(40) % 2).float().view(1, 1, 1, 40).expand(1, 3, 40, 40)
    for image in (slope, stripes):
        assert seam(image, even, mask, distances=(1,)).item() == pytest.approx(0, abs=1e-6)


def test_an_edge_that_the_source_has_there_is_no_seam():
    mask = box_mask(40, 40, 10, 10, 30, 30)
    source = mask.expand(1, 3, -1, -1) * 0.8
    assert seam(source * 0.9, source, mask).item() == 0


def test_a_step_that_a_soft_rim_spreads_is_still_found():
    mask = box_mask(40, 40, 10, 10, 30, 30)
    source = torch.zeros(1, 3, 40, 40)
    soft = functional.avg_pool2d(mask, 3, stride=1, padding=1)
    hard, spread = (seam(source + 0.6 * m, source, soft).item() for m in (mask, soft))
    assert 0.05 < spread <= hard


def test_it_is_measured_for_each_picture_alone_and_only_near_the_region():
    mask = box_mask(40, 40, 12, 12, 26, 26)
    source = picture(40, 40)
    images = torch.cat([source, source + 0.4 * mask, source + 0.1 * mask])
    values = seam(images, source, mask)
    for k in range(3):
        torch.testing.assert_close(seam(images[k : k + 1], source, mask), values[k : k + 1])
    assert values[0] < values[2] < values[1]
    larger = [functional.pad(x, (9, 30, 5, 40), mode="replicate") for x in (images, source)]
    torch.testing.assert_close(
        seam(*larger, functional.pad(mask, (9, 30, 5, 40))), values, atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_without_a_border_there_is_no_seam(value):
    mask = torch.full((1, 1, 40, 40), value)
    assert seam(noisy(1), noisy(2), mask).item() == 0


def test_candidates_rank_by_text_by_finding_and_against_the_seam():
    options = RankingOptions(text=1, found=5, seam=10)
    even, rising = torch.zeros(3), torch.tensor([0.1, 0.3, 0.2])
    by_text = ranking_scores(even, options, text=rising)
    assert by_text.argsort(descending=True).tolist() == [1, 2, 0]
    by_finding = ranking_scores(even, options, found=rising)
    assert by_finding.argsort(descending=True).tolist() == [1, 2, 0]
    by_seam = ranking_scores(rising, options)
    assert by_seam.argsort(descending=True).tolist() == [0, 2, 1]


def test_cosines_that_differ_by_nothing_do_not_decide():
    text = torch.tensor([0.3, 0.3 + 1e-5])
    scores = ranking_scores(torch.tensor([0.0, 0.05]), RankingOptions(text=1, seam=10), text)
    assert scores[0] > scores[1]
    alone = ranking_scores(torch.zeros(1), RankingOptions(), text[:1])
    assert alone.tolist() == [0.0]


@pytest.mark.parametrize("wrong", [{"text": -1.0}, {"seam": float("nan")}, {"copies": 0}])
def test_impossible_options_of_ranking_are_refused(wrong):
    with pytest.raises(UserError, match=f"ranking.{next(iter(wrong))}"):
        RankingOptions(**wrong)
