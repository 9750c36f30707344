"""Folders of results: whole or not there, and nobody's results lost to another run."""

import json
from pathlib import Path

import pytest

from lr_edit.errors import UserError
from lr_edit.output import output_folder, write_json


def test_of_two_runs_into_one_folder_the_first_to_finish_keeps_it(tmp_path: Path) -> None:
    place = tmp_path / "out"
    with pytest.raises(UserError, match="is not empty"), output_folder(place) as later:
        (later / "edit.png").write_text("second")
        with output_folder(place, stale=("*.png",)) as earlier:
            (earlier / "edit.png").write_text("first")
    assert [(p.name, p.read_text()) for p in place.iterdir()] == [("edit.png", "first")]


def test_overwriting_takes_what_is_stale_and_nothing_else(tmp_path: Path) -> None:
    for name in ("old.png", "thesis.txt"):
        (tmp_path / name).write_text(name)
    with output_folder(tmp_path, overwrite=True, stale=("*.png",)) as folder:
        (folder / "new.png").write_text("new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new.png", "thesis.txt"]


def test_a_name_that_is_not_utf8_is_written_and_read_again(tmp_path: Path) -> None:
    content = {"image": "caf\udce9.png", "find": "häuser 漢"}  # Latin-1, as Python has such names
    write_json(tmp_path / "report.json", content)
    text = (tmp_path / "report.json").read_text(encoding="utf-8")
    assert json.loads(text) == content and "häuser 漢" in text
