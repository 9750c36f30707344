"""Cards, checksums and folders of weights."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lr_edit.backbones import folders
from lr_edit.backbones.checks import read_card, render_card, verify, write_card
from lr_edit.backbones.folders import loading, located, replacing_folder
from lr_edit.backbones.hub_files import HubFiles
from lr_edit.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "weights"
    (place / "unet").mkdir(parents=True)
    (place / "unet" / "model.safetensors").write_bytes(bytes(range(256)))
    (place / "config.json").write_text("{}")
    write_card(
        place,
        name="thing",
        steps=1200,
        wall_time=3.14159265,
        curve="curve.png",
        figures={"noun accuracy": 0.987654, "of": [1, 2]},
    )
    return place


def test_a_whole_folder_passes(folder: Path) -> None:
    verify(folder)
    assert located(folder) == folder
    card = read_card(folder)
    assert card is not None and card["steps"] == 1200
    assert set(card["files"]) == {"config.json", "unet/model.safetensors"}


def test_the_card_can_be_written_again(folder: Path) -> None:
    before = read_card(folder)
    write_card(folder, name="thing")
    after = read_card(folder)
    assert before is not None and after is not None and after["files"] == before["files"]


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"x", lambda b: b"y" + b[1:]])
def test_changed_files_are_damaged(folder: Path, change: object) -> None:
    path = folder / "unet" / "model.safetensors"
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(UserError, match=r"damaged weights.*model.safetensors.*make weights") as got:
        located(folder)
    assert "\n" not in str(got.value)


def test_missing_files_are_told(folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(UserError, match=r"missing weights.*config.json"):
        verify(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": 3}', "\xff"])
def test_a_broken_card_is_told(folder: Path, text: str) -> None:
    (folder / "card.json").write_text(text)
    with pytest.raises(UserError, match="no model card"):
        verify(folder)


def test_a_folder_without_a_card_passes(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"mine")
    verify(tmp_path)
    assert read_card(tmp_path) is None


def test_the_readme_says_what_the_card_says(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# thing\n")
    for part in ("| steps | 1200 |", "| wall time | 3.142 |", "0.9877", "](curve.png)", "unet/"):
        assert part in text


@given(st.dictionaries(st.sampled_from(["data", "figures", "name"]), st.text() | st.floats()))
def test_any_facts_render_as_one_line_each(facts: dict[str, object]) -> None:
    rows = [row for row in render_card({**facts, "files": {}}).split("\n") if row.startswith("| ")]
    assert len(rows) == (1 + len(set(facts) - {"name"}) if set(facts) - {"name"} else 0)


@pytest.mark.parametrize("name", ["/no/such/folder", "no-such-folder", "a/b/c"])
def test_missing_folders_are_told(name: str) -> None:
    with pytest.raises(UserError, match="missing weights"):
        located(name)


def test_hub_names_that_cannot_be_had_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def offline(*_: object, **__: object) -> str:
        raise LocalEntryNotFoundError("offline")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(UserError, match=r"owner/name.*hub"):
        located("owner/name")
    for folder in ("../weights", "./weights", "/my/weights"):
        with pytest.raises(UserError, match="missing weights"):
            located(folder)
    assert (
        HubFiles("owner/model--v2").status().complete is False
    )  # nor can the hub have such a name


def test_relative_paths_are_of_the_repository(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(folders, "ROOT", folder.parent)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert located("weights") == folder


def test_replacing_leaves_the_old_folder_when_writing_fails(folder: Path) -> None:
    with pytest.raises(RuntimeError), replacing_folder(folder) as place:
        (place / "half").write_text("half")
        raise RuntimeError
    verify(folder)
    assert [p.name for p in folder.parent.iterdir()] == ["weights"]


def test_replacing_takes_the_place_of_the_old_folder(folder: Path) -> None:
    with replacing_folder(folder) as place:
        (place / "new.json").write_text(json.dumps(1))
    assert [p.name for p in folder.iterdir()] == ["new.json"]
    assert [p.name for p in folder.parent.iterdir()] == ["weights"]


def test_loading_tells_one_line_and_keeps_user_errors() -> None:
    with (
        pytest.raises(UserError, match="damaged weights: 'x' cannot be loaded") as got,
        loading("x"),
    ):
        raise RuntimeError("size\nmismatch")
    assert "\n" not in str(got.value)
    with pytest.raises(UserError, match=r"^mine$"), loading("x"):
        raise UserError("mine")
