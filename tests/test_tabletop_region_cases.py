"""Test phrases with their masks: the part's own words, the same for everyone, rendered once."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lr_edit.errors import UserError
from lr_edit.images import from_uint8, luma, to_pil, to_uint8
from lr_edit.tabletop.masks import object_mask
from lr_edit.tabletop.region_cases import region_cases
from lr_edit.tabletop.render import render
from lr_edit.tabletop.splits import PARTS, part_phrase, scene_for

SIZE = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cases")


@pytest.mark.parametrize("part", PARTS)
def test_a_case_shows_its_scene_and_asks_the_parts_phrase(part: str, folder: Path) -> None:
    cases = region_cases(part, 3, SIZE, folder=folder)
    assert len(cases) == 3
    for index, case in enumerate(cases):
        scene = scene_for("test", part, index)
        phrase = part_phrase(part, scene, index)
        assert phrase is not None
        assert (case.part, case.phrase, case.kind) == (part, phrase.text, phrase.kind)
        assert case.reading == ("edit" if part == "edit_prompt" else "refer")
        assert case.present == bool(phrase.targets) == bool(case.mask.any())
        result = render([scene], SIZE)
        assert torch.equal(case.mask, object_mask(result, [phrase.targets]))
        if part != "grayscale":
            assert torch.equal(case.image, from_uint8(to_uint8(result.images)))


def test_gray_cases_are_as_gray_files_are(folder: Path) -> None:
    for index, case in enumerate(region_cases("grayscale", 2, SIZE, folder=folder)):
        picture = to_pil(render([scene_for("test", "grayscale", index)], SIZE).images)[0]
        levels = to_uint8(case.image)[0].numpy()
        assert (np.ptp(levels, axis=2) == 0).all()
        assert np.abs(levels[..., 0].astype(int) - np.asarray(picture.convert("L"))).max() <= 1
        torch.testing.assert_close(luma(case.image), case.image[:, :1])


def test_cases_are_rendered_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = region_cases("attribute", 2, SIZE, folder=folder)
    monkeypatch.delattr("lr_edit.tabletop.region_cases.render")
    again = region_cases("attribute", 2, SIZE, folder=folder)
    for one, other in zip(first, again, strict=True):
        assert one.phrase == other.phrase and torch.equal(one.image, other.image)


def test_splits_and_counts_have_their_own_folders(folder: Path) -> None:
    test = region_cases("relation", 2, SIZE, folder=folder)
    validation = region_cases("relation", 2, SIZE, "validation", folder)
    assert not torch.equal(test[0].image, validation[0].image)
    (fewer,) = region_cases("relation", 1, SIZE, folder=folder)
    assert torch.equal(fewer.image, test[0].image)


@pytest.mark.parametrize(("part", "count"), [("colour", 2), ("attribute", 0)])
def test_mistakes_are_told(part: str, count: int, folder: Path) -> None:
    with pytest.raises(UserError, match=part):
        region_cases(part, count, SIZE, folder=folder)
