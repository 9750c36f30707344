"""The comparison with published code tells what it needs."""

import sys

import pytest

from lr_edit.evaluation.bench_published import main


def test_no_checkout_is_told(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    line = capsys.readouterr().err
    assert "give a checkout of https://github.com/omriav/blended-diffusion" in line
    assert line.count("\n") == 1


def test_a_checkout_that_cannot_be_imported_is_told(tmp_path, capsys):
    (tmp_path / "optimization").mkdir()
    (tmp_path / "optimization" / "image_editor.py").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "CLIP", None)
        assert main([str(tmp_path)]) == 2
    assert "cannot be imported" in capsys.readouterr().err
