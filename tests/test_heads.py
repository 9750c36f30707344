"""Objectives' heads beside exported weights: kept, and taken by another training."""

from pathlib import Path

import pytest
import torch
from region_fakes import features, network
from torch.nn import ModuleDict

from lr_edit.errors import UserError
from lr_edit.training.heads import FILE, save_head, take_head
from lr_edit.training.objectives.masks import MaskObjective
from lr_edit.training.objectives.stepwise import StepwiseObjective
from lr_edit.training.objectives.traits import TraitHead
from lr_edit.training.region import RegionRecipe

WIDTH = 16


def test_a_training_begins_with_the_head_of_the_one_before(tmp_path: Path) -> None:
    before = RegionRecipe(StepwiseObjective(), features())
    before.network = network()
    before.head = before.objective.head(WIDTH)
    before.export(tmp_path)
    recipe = RegionRecipe(StepwiseObjective(), features(), start=str(tmp_path))
    assert before.head is not None and recipe.head is not None
    expected = before.head.state_dict()
    for name, value in recipe.head.state_dict().items():
        assert torch.equal(value, expected[name]), name
    assert recipe.learner.share == 1  # it need not begin with what cells show


def test_another_objective_takes_what_it_has_too(tmp_path: Path) -> None:
    alone, stepwise = ModuleDict({"traits": TraitHead(WIDTH)}), StepwiseObjective().head(WIDTH)
    save_head(alone, tmp_path)
    untouched = {k: v.clone() for k, v in stepwise.state_dict().items()}
    taken = take_head(stepwise, tmp_path)
    assert taken == sorted(alone.state_dict())
    for name, value in stepwise.state_dict().items():
        assert torch.equal(value, {**untouched, **alone.state_dict()}[name]), name


def test_weights_without_a_head_and_a_head_of_another_size_leave_it_as_it_was(
    tmp_path: Path,
) -> None:
    head = TraitHead(WIDTH)
    before = {k: v.clone() for k, v in head.state_dict().items()}
    assert take_head(head, tmp_path) == []
    save_head(TraitHead(2 * WIDTH), tmp_path)
    assert take_head(head, tmp_path) == []
    assert all(torch.equal(v, before[k]) for k, v in head.state_dict().items())


def test_an_objective_without_a_head_writes_none(tmp_path: Path) -> None:
    recipe = RegionRecipe(MaskObjective(), features())
    recipe.network = network()
    recipe.export(tmp_path)
    assert (tmp_path / "model.safetensors").is_file() and not (tmp_path / FILE).exists()


def test_a_damaged_head_is_one_line(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match=r"damaged weights: .* cannot be loaded"):
        take_head(TraitHead(WIDTH), tmp_path)
