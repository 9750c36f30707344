"""Edits as an Arrow dataset: what differs is in the mask, and what is in the mask is told."""

import json
from pathlib import Path

import numpy as np
import pytest

from lr_edit.errors import UserError
from lr_edit.images import to_uint8
from lr_edit.tabletop.edits import KINDS
from lr_edit.tabletop.hub_edits import build_edits
from lr_edit.tabletop.render import render
from lr_edit.tabletop.scene import scene_from_dict


def test_every_kind_of_edit_has_its_exact_target(tmp_path: Path) -> None:
    data = build_edits("validation", len(KINDS), 48, tmp_path)
    assert {row["kind"] for row in data} >= {"replace", "recolour", "remove", "background"}
    for row in data:
        for name in ("source", "target"):
            scene = scene_from_dict(json.loads(row[f"{name}_scene"]))
            assert (np.asarray(row[name]) == to_uint8(render([scene], 48).images)[0].numpy()).all()
        masks = {name: np.asarray(row[f"{name}_mask"]) for name in ("object", "edit")}
        assert all(set(np.unique(mask)) <= {0, 255} for mask in masks.values())
        apart = np.abs(np.asarray(row["source"], int) - np.asarray(row["target"], int)).max(2)
        assert apart[masks["edit"] == 0].max() <= 7 and apart[masks["edit"] > 0].max() > 7
        assert masks["edit"][masks["object"] > 0].all()
        assert bool(masks["object"].any()) == (row["kind"] not in ("add", "background"))
        assert row["find"] in row["instruction"] and row["paint"] is not None


def test_only_the_kinds_asked_for(tmp_path: Path) -> None:
    data = build_edits("train", 3, 32, tmp_path, kinds=["remove"])
    assert set(data["kind"]) == {"remove"} and not any(data["paint"])
    assert all("things" in json.loads(scene) for scene in data["target_scene"])


@pytest.mark.parametrize("kinds", [["paint"], []])
def test_unknown_kinds_are_refused(tmp_path: Path, kinds: list[str]) -> None:
    with pytest.raises(UserError, match="expected some of replace, recolour"):
        build_edits("test", 1, 32, tmp_path, kinds=kinds)
