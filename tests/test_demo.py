"""The demo's scene, and, where the shipped weights are there, the whole edit of it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lr_edit.backbones.folders import ROOT
from lr_edit.demo import SCENE, SIZE, main, write_scene
from lr_edit.tabletop.render import render

WEIGHTS = ROOT / "lr_edit" / "tabletop" / "weights"
SHIPPED = all((WEIGHTS / n).is_dir() for n in ("clip", "segformer", "perceptual", "diffusion"))


def apple() -> np.ndarray:
    """Where the apple is seen, bool [H, W]."""
    return (render([SCENE], SIZE).instances[0] == 1).numpy()


def test_the_apple_is_whole_and_large_enough_to_see():
    seen = apple()
    assert SCENE.things[0].noun == "apple" and 0.05 < seen.mean() < 0.25
    for edge in (seen[0], seen[-1], seen[:, 0], seen[:, -1]):
        assert not edge.any()


def test_the_scene_is_always_the_same_picture(tmp_path: Path):
    first, again = (write_scene(tmp_path / name) for name in ("a", "b"))
    assert first.read_bytes() == again.read_bytes()
    assert Image.open(first).size == (SIZE, SIZE)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["--output", str(tmp_path / "file" / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("demo: ") and error.count("\n") == 1


@pytest.mark.skipif(not SHIPPED, reason="the shipped weights are not there")
def test_the_apple_is_found_and_nothing_else_changes(tmp_path: Path):
    assert main(["--output", str(tmp_path)]) == 0
    region = np.asarray(Image.open(tmp_path / "region.png")) > 127
    assert (region & apple()).sum() > 0.7 * (region | apple()).sum()
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["figures"]["changed_outside"] == 0
    before, after = (
        np.asarray(Image.open(tmp_path / n)).astype(int) for n in ("scene.png", "edit.png")
    )
    assert np.abs(before - after)[apple()].mean() > 10
    assert (tmp_path / "sheet.png").is_file()
