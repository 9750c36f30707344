"""Test edits: the same for everyone, true to their words, and visible."""

from dataclasses import replace

import pytest
import torch

from lr_edit.crop import paste_mask
from lr_edit.editors.options import WindowOptions
from lr_edit.editors.window import open_window
from lr_edit.errors import UserError
from lr_edit.evaluation.case_edits import (
    PLAIN,
    RECOLOUR,
    SEVERAL,
    SPLITS,
    check_splits,
    propose_edits,
)
from lr_edit.evaluation.cases import Case, sample_cases
from lr_edit.evaluation.report_edits import REPORT_EDITS, report_cases
from lr_edit.images import from_uint8, to_uint8
from lr_edit.instruction import parse
from lr_edit.phrase import names_several, one_of, only_recoloured
from lr_edit.tabletop.masks import LEAST_VISIBLE
from lr_edit.tabletop.scene import UNSEEN_PAIRS
from lr_edit.tabletop.splits import part_phrase, scene_for


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return sample_cases(6, size=48)


def test_splits_take_turns_and_every_case_is_a_visible_replacement(cases: list[Case]) -> None:
    assert [case.split for case in cases] == [*SPLITS, SPLITS[0]]
    assert [case.number for case in cases] == list(range(6))
    for case in cases:
        assert min(case.thing.mean(), case.arrived.mean()) >= LEAST_VISIBLE
        old = case.edit.source.things[case.edit.source_index or 0]
        assert case.wanted.noun != old.noun
        assert (case.wanted.x, case.wanted.y) == (old.x, old.y)
        assert case.edit.find.startswith("the ") and case.edit.paint


def test_all_that_changes_lies_in_the_place(cases: list[Case]) -> None:
    for case in cases:
        outside = (case.place == 0).expand(1, 3, -1, -1)
        difference = (case.source - case.target).abs()[outside]
        assert difference.max() <= 2 * 7 / 255  # the threshold of an edit mask, and rounding
        assert (case.place >= torch.maximum(case.thing, case.arrived)).all()
        assert torch.equal(from_uint8(to_uint8(case.source)), case.source)


def test_cases_do_not_depend_on_how_many_are_asked_for(cases: list[Case]) -> None:
    again = sample_cases(2, size=48)
    for one, other in zip(cases, again, strict=False):
        assert one.edit == other.edit
        assert torch.equal(one.target, other.target)
    elsewhere = sample_cases(1, size=48, first=500)
    assert elsewhere[0].edit.source != cases[0].edit.source


@pytest.mark.parametrize("part", ["attribute", "relation", "unseen"])
def test_a_part_is_asked_in_its_own_words(part: str) -> None:
    proposed = [propose_edits(part, index) for index in range(3)]
    assert any(proposed)
    for index, edits in enumerate(proposed):
        phrase = part_phrase(part, scene_for("test", part, index), index)
        if edits and phrase is not None:
            (edit,) = edits
            assert edit.find.removeprefix("the ") == phrase.text.removeprefix("the ")
            assert (edit.source_index,) == phrase.targets
            thing = edit.source.things[edit.source_index or 0]
            assert part != "unseen" or (thing.colour, thing.noun) in UNSEEN_PAIRS


@pytest.mark.parametrize("splits", [(), ("plain", "grayscale"), ("absent",)])
def test_unknown_splits_are_refused(splits: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="plain"):
        check_splits(splits)


def test_the_reports_edits_stand_in_scenes_that_hold_one_such_thing() -> None:
    cases = report_cases(seed=3, size=48)
    for (old, new), case in zip(REPORT_EDITS, cases, strict=True):
        nouns = [thing.noun for thing in case.edit.source.things]
        assert nouns.count(old) == 1 and new not in nouns
        assert case.wanted.noun == new
        assert case.edit.find == f"the {old}"


def test_several_things_become_the_like_of_one_another() -> None:
    for case in sample_cases(3, (SEVERAL,), size=48):
        before, after = case.edit.source.things, case.edit.target.things
        changed = [k for k, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
        assert len(changed) == len(case.places) >= 2
        assert {(after[k].noun, after[k].colour) for k in changed} == {
            (case.wanted.noun, case.wanted.colour)
        }
        assert names_several(case.edit.find) and one_of(case.edit.paint) != case.edit.paint
        outside = (case.place == 0).expand(1, 3, -1, -1)
        assert (case.source - case.target).abs()[outside].max() <= 2 * 7 / 255
        for place in case.places:
            assert (place * case.thing).sum() > 0 and (place <= case.place).all()


def test_what_is_recoloured_stays_where_and_what_it_is() -> None:
    for case in sample_cases(4, (RECOLOUR,), size=48):
        before, after = case.edit.source.things, case.edit.target.things
        ((old, new),) = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
        assert new == case.wanted == replace(old, colour=new.colour)
        assert torch.equal(case.thing, case.arrived)
        assert only_recoloured(case.edit.find, case.edit.paint)
        assert case.edit.paint == parse(case.edit.instruction).paint


@pytest.mark.parametrize(("complete", "least"), [(False, 0.7), (True, 0.99)])
def test_the_old_shadow_goes_with_the_thing_by_default(complete: bool, least: float) -> None:
    """Not widened at all, the region of a thing alone holds a fifth of its shadow."""
    covered = []
    for case in sample_cases(6, (PLAIN,), size=128, first=7000):
        region = torch.maximum(case.thing, case.cast) if complete else case.thing
        window = open_window(case.source, region, 64, WindowOptions(), complete)
        painted = paste_mask(window.mask, case.source.shape[2:], window.box)
        covered.append((painted[case.cast > 0] > 0.5).float().mean())
    assert torch.stack(covered).mean() > least
