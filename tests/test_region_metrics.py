"""Figures of regions and of their confidence: ranges, closed forms, and what must not matter."""

import math

import pytest
import torch
from editor_fakes import box_mask
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lr_edit.evaluation.calibration import calibration_error, reliability
from lr_edit.evaluation.region_metrics import (
    Answer,
    answer_confidence,
    boundary_f,
    iou,
    mean_boundary_f,
    mean_iou,
    measured,
    no_target_accuracy,
    overall_iou,
    precision_at,
    target_accuracy,
)

SIDE = 32
quick = settings(max_examples=30, deadline=None)


@st.composite
def masks(draw: st.DrawFn, empty: bool = True) -> Tensor:
    """One or two boxes in a square picture, at times nothing."""
    mask = torch.zeros(1, 1, SIDE, SIDE)
    for _ in range(draw(st.integers(0 if empty else 1, 2))):
        x0, y0 = draw(st.integers(0, SIDE - 1)), draw(st.integers(0, SIDE - 1))
        x1, y1 = draw(st.integers(x0 + 1, SIDE)), draw(st.integers(y0 + 1, SIDE))
        mask = torch.maximum(mask, box_mask(SIDE, SIDE, x0, y0, x1, y1))
    return mask


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """What anyone might say of anything."""
    truth = draw(masks())
    named, present = bool(truth.any()), draw(st.booleans())
    return measured(draw(masks()), truth, named, draw(st.floats(0, 1)), present)


@quick
@given(masks(), masks())
def test_masks_are_compared_alike_both_ways_and_within_range(first: Tensor, second: Tensor) -> None:
    for figure in (iou, boundary_f):
        value = figure(first, second)
        assert 0 <= value <= 1 and value == pytest.approx(figure(second, first))
        assert figure(first, first) == 1
    assert (iou(first, second) == 1) == torch.equal(first, second)


@quick
@given(masks(empty=False))
def test_what_shares_no_pixel_has_no_overlap(mask: Tensor) -> None:
    assert iou(mask, torch.zeros_like(mask)) == boundary_f(mask, torch.zeros_like(mask)) == 0
    if mask.mean() < 1:
        assert iou(mask, 1 - mask) == 0


def test_boundaries_far_apart_score_nothing() -> None:
    first, second = box_mask(SIDE, SIDE, 2, 2, 8, 8), box_mask(SIDE, SIDE, 18, 18, 28, 28)
    assert boundary_f(first, second) == 0
    assert boundary_f(first, second, tolerance=1.0) == 1


@quick
@given(
    st.tuples(*[st.integers(1, 9)] * 4), st.tuples(*[st.integers(1, 9)] * 4),
    st.integers(0, 13), st.integers(0, 13),
)  # fmt: skip
def test_a_shift_of_both_masks_changes_nothing(
    first: tuple[int, ...], second: tuple[int, ...], right: int, down: int
) -> None:
    pair = [box_mask(SIDE, SIDE, x, y, x + w, y + h) for x, y, w, h in (first, second)]
    moved = [mask.roll((down, right), (2, 3)) for mask in pair]
    for figure in (iou, boundary_f):
        assert figure(*moved) == pytest.approx(figure(*pair))


def test_boundaries_within_the_tolerance_agree() -> None:
    first = box_mask(128, 128, 20, 20, 60, 60)
    near, far = (box_mask(128, 128, 20 + d, 20, 60 + d, 60) for d in (2, 3))
    assert math.ceil(0.008 * math.hypot(128, 128)) == 2
    assert boundary_f(first, near) == 1 > boundary_f(first, far) > 0.4
    assert boundary_f(first, near, tolerance=0.0) < 0.6


def test_the_border_of_the_picture_is_a_boundary_too() -> None:
    whole, half = torch.ones(1, 1, SIDE, SIDE), box_mask(SIDE, SIDE, 0, 0, SIDE // 2, SIDE)
    assert boundary_f(whole, whole) == 1
    assert 0 < boundary_f(whole, half) < 1


def test_a_pixel_counts_from_a_half() -> None:
    soft = box_mask(SIDE, SIDE, 4, 4, 12, 12) * 0.5
    assert iou(soft, soft * 2) == 1
    assert iou(soft * 0.98, torch.zeros_like(soft)) == 1


@quick
@given(st.lists(answers(), min_size=1, max_size=8))
def test_all_figures_are_shares(said: list[Answer]) -> None:
    for figure in (mean_iou, precision_at, mean_boundary_f):
        value = figure(said)
        assert value is not None and 0 <= value <= 1
    for figure in (overall_iou, no_target_accuracy, target_accuracy):
        value = figure(said)
        assert value is None or 0 <= value <= 1
    assert precision_at(said) == pytest.approx(sum(a.right for a in said) / len(said))
    thresholds = [precision_at(said, t) or 0 for t in (0.3, 0.5, 0.7, 0.9)]
    assert thresholds == sorted(thresholds, reverse=True)


@quick
@given(masks(), masks(), st.floats(0, 1))
def test_an_answer_that_finds_nothing_selects_nothing(
    mask: Tensor, truth: Tensor, confidence: float
) -> None:
    named = bool(truth.any())
    denied = measured(mask, truth, named, confidence, present=False)
    assert denied == measured(torch.zeros_like(mask), truth, named, confidence)
    assert not denied.found and denied.intersection == 0 and denied.union == truth.sum()
    assert denied.iou == denied.boundary_f == float(not named)


def test_the_rule_for_phrases_of_nothing() -> None:
    thing, nothing = box_mask(8, 8, 1, 1, 5, 5), torch.zeros(1, 1, 8, 8)
    wrongly_found = measured(thing, nothing, named=False, confidence=0.7)
    rightly_none = measured(nothing, nothing, named=False, confidence=0.2, present=False)
    missed = measured(nothing, thing, named=True, confidence=0.2, present=False)
    exact = measured(thing, thing, named=True, confidence=0.9)
    said = [wrongly_found, rightly_none, missed, exact]
    assert [answer.iou for answer in said] == [0, 1, 0, 1]
    assert [answer.right for answer in said] == [False, True, False, True]
    assert [answer.confidence for answer in said] == [0.7, 0.8, 0.8, 0.9]
    assert (mean_iou(said), precision_at(said), mean_boundary_f(said)) == (0.5, 0.5, 0.5)
    assert overall_iou(said) == 16 / 48  # what was wrongly found is part of the union
    assert (no_target_accuracy(said), target_accuracy(said)) == (0.5, 0.5)
    assert no_target_accuracy([exact]) is overall_iou([rightly_none]) is mean_iou([]) is None


def test_overall_iou_weighs_by_size_and_mean_iou_does_not() -> None:
    large, small = box_mask(16, 16, 0, 0, 16, 8), box_mask(16, 16, 0, 0, 2, 2)
    said = [measured(large, large, True, 1.0), measured(small, 1 - large, True, 1.0)]
    assert mean_iou(said) == 0.5
    assert overall_iou(said) == 128 / (128 + 4 + 128)


def test_the_confidence_of_nothing_is_the_rest() -> None:
    assert answer_confidence(0.3, found=True) == 0.3
    assert answer_confidence(0.25, found=False) == 0.75


@quick
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40)), min_size=1, max_size=12))
def test_a_calibrated_predictor_has_no_error(groups: list[tuple[int, int]]) -> None:
    confidences, right = [], []
    for wanted, trials in groups:
        hits = min(wanted, trials)
        confidences += [hits / trials] * trials
        right += [True] * hits + [False] * (trials - hits)
    assert calibration_error(reliability(confidences, right)) == pytest.approx(0, abs=1e-9)


def test_answers_drawn_with_their_confidence_are_nearly_calibrated() -> None:
    generator = torch.Generator().manual_seed(0)
    confidences = torch.rand(20_000, generator=generator)
    right = torch.rand(20_000, generator=generator) < confidences
    error = calibration_error(reliability(confidences.tolist(), right.tolist()))
    assert error is not None and error < 0.015
    overconfident = calibration_error(reliability([0.9] * 20_000, right.tolist()))
    assert overconfident == pytest.approx(0.4, abs=0.01)


@quick
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1), st.integers(1, 20))
def test_bins_hold_every_answer_once(said: list[tuple[float, bool]], count: int) -> None:
    bins = reliability([c for c, _ in said], [hit for _, hit in said], count)
    assert len(bins) == count and sum(b.count for b in bins) == len(said)
    assert (bins[0].low, bins[-1].high) == (0, 1)
    for b in bins:
        if b.count:
            assert b.low - 1e-9 <= b.confidence <= b.high + 1e-9 and 0 <= b.accuracy <= 1
    total = sum(b.count * b.accuracy for b in bins)
    assert total == pytest.approx(sum(hit for _, hit in said))
    error = calibration_error(bins)
    assert error is not None and 0 <= error <= 1


def test_bounds_of_bins_belong_to_the_lower_one() -> None:
    bins = reliability([0.0, 0.5, 0.51, 1.0], [True] * 4, bins=2)
    assert [b.count for b in bins] == [2, 2]


def test_what_cannot_be_binned_is_refused() -> None:
    for confidences, right, bins in (([0.5], [], 15), ([1.5], [True], 15), ([0.5], [True], 0)):
        with pytest.raises(ValueError, match="confidence"):
            reliability(confidences, right, bins)
    with pytest.raises(ValueError, match="confidence"):
        reliability([math.nan], [True])
    assert calibration_error(reliability([], [])) is None
