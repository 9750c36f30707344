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


def contents(folder: Path) -> dict[str, str]:
    """What every file holds, by its path."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}


def filled(folder: Path, *names: str) -> dict[str, str]:
    """The folder's contents, once it holds files of these names."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"old {name}")
    return contents(folder)


def test_a_folder_that_loses_all_its_files_goes_and_no_other(tmp_path: Path) -> None:
    filled(tmp_path, "candidates/1.png", "others/2.png", "others/mine.txt", "a.png", "b.png")
    (tmp_path / "c.png").mkdir()
    stale = ("candidates/*.png", "others/*.png", "*.png")
    with output_folder(tmp_path, overwrite=True, stale=stale) as folder:
        (folder / "a.png").write_text("new")
    assert contents(tmp_path) == {"others/mine.txt": "old others/mine.txt", "a.png": "new"}
    assert {path.name for path in tmp_path.iterdir()} == {"others", "a.png", "c.png"}


@pytest.mark.parametrize(
    ("name", "told"),
    [("edit.png/mine.txt", "a folder named 'edit.png'"), ("candidates", "a file named 'cand")],
)
def test_what_is_in_the_way_leaves_all_as_it_was(tmp_path: Path, name: str, told: str) -> None:
    before = filled(tmp_path, name, "a.png", "stale.png")
    files = ("a.png", "candidates/", "edit.png")
    with pytest.raises(UserError, match=told), output_folder(tmp_path, True, files=files):
        pytest.fail("it was not told before the work")
    with pytest.raises(UserError, match=told), output_folder(tmp_path, True, ("s*.png",)) as folder:
        filled(folder, "a.png", "candidates/1.png", "edit.png")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("failing", range(7))
def test_a_disk_that_refuses_in_between_leaves_all_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    before = filled(tmp_path, "a.png", "candidates/1.png", "candidates/2.png", "stale.png")
    places, replace, left = set(tmp_path.rglob("*")), Path.replace, [failing]

    def refusing(self: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] == -1:
            raise OSError(30, "Read-only file system")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refusing)
    stale = ("stale.png", "candidates/*.png")
    with pytest.raises(UserError, match="cannot be written to"):  # noqa: SIM117
        with output_folder(tmp_path, True, stale) as folder:
            for name in ("a.png", "candidates/1.png", "sheets/b.png"):
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_text("new")
    assert contents(tmp_path) == before and set(tmp_path.rglob("*")) == places
