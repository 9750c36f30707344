"""Who finds the region where no proposer is named: the model set's own network, if it has one."""

from pathlib import Path

import pytest
from infer_calls import quick_edit

from lr_edit.cli.settings import edit_settings
from lr_edit.errors import UserError

WITHOUT = "diffusion: {class_path: lr_edit.backbones.diffusion.UNetDiffusion}\n"


def test_the_tabletop_set_finds_regions_with_its_own_network(tmp_path: Path) -> None:
    settings = edit_settings(quick_edit(tmp_path))
    assert (settings.models, settings.proposer) == ("tabletop", "learned")
    named = edit_settings(quick_edit(tmp_path, proposer="segformer_clip"))
    assert named.proposer == "segformer_clip"
    assert edit_settings(quick_edit(tmp_path, mask=tmp_path / "m.png")).proposer == "mask"


def test_a_set_without_one_is_served_by_segformer_and_clip(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(WITHOUT)
    mine = {"models": tmp_path / "mine.yaml"}
    assert edit_settings(quick_edit(tmp_path, **mine)).proposer == "segformer_clip"
    assert edit_settings(quick_edit(tmp_path, **mine, proposer="learned")).proposer == "learned"
    with pytest.raises(UserError, match="nothing says what to change"):
        edit_settings(quick_edit(tmp_path, **mine, replace=None))


def test_only_a_network_of_its_own_finds_what_a_wish_alone_is_about(tmp_path: Path) -> None:
    asked = edit_settings(quick_edit(tmp_path, replace=None)).instruction
    assert (asked.find, asked.paint, asked.reading) == ("an orange", "an orange", "edit")
