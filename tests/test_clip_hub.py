"""CLIP from the hub by its own name: at a revision, as safetensors, the files that fetch lists."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import weights
from fetch_fakes import COMMIT, Web, serving_hub
from pickles import write_evil

from lr_edit.backbones.either import Either
from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.cli.main import main
from lr_edit.errors import UserError
from lr_edit.models import load_models

NAME = "hf-hub:owner/name"
CLIP = "lr_edit.backbones.open_clip.OpenClipEncoder"
FIRST, SECOND, PICKLED = (
    "open_clip_model.safetensors", "model.safetensors", "open_clip_pytorch_model.bin",
)  # fmt: skip
OTHER = "f" * 40


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A server that is the hub, whose cache is empty; it has owner/name, with an evil file."""
    with serving_hub(tmp_path / "hub", monkeypatch) as web:
        web.folders["owner/name"] = weights.clip(tmp_path / "clip")
        write_evil(tmp_path / "clip" / PICKLED, tmp_path / "mark")
        yield web


@pytest.fixture
def models(tmp_path: Path) -> str:
    """A model set of that CLIP, as a file."""
    path = tmp_path / "set.yaml"
    given = f"{{name: '{NAME}', revision: {COMMIT}}}"
    path.write_text(f"clip: {{class_path: {CLIP}, init_args: {given}}}\n")
    return str(path)


def taken(web: Web) -> set[str]:
    """The repository's files that were sent, and at which revisions."""
    asked = (path for method, path, _ in web.asked if method == "GET" and "/resolve/" in path)
    return {path.removeprefix("/owner/name/resolve/") for path in asked}


@pytest.mark.parametrize("name", [FIRST, SECOND])
def test_either_name_of_its_weights_will_do(web: Web, tmp_path: Path, name: str) -> None:
    folder = web.folders["owner/name"]
    expected = OpenClipEncoder(f"local-dir:{folder}").encode_text(["a red apple"])
    (folder / FIRST).rename(folder / name)
    encoder = OpenClipEncoder(NAME, revision=COMMIT)
    assert torch.equal(encoder.encode_text(["a red apple"]), expected)
    assert f"{COMMIT}/{name}" in taken(web) and f"{COMMIT}/{PICKLED}" not in taken(web)
    web.asked.clear()
    OpenClipEncoder(NAME, revision=COMMIT)
    assert web.asked == [] and not (tmp_path / "mark").exists()


def test_of_two_weights_only_openclips_own_are_fetched(web: Web) -> None:
    folder = web.folders["owner/name"]
    (folder / SECOND).write_bytes(b"of another library")
    OpenClipEncoder(NAME, revision=COMMIT)
    assert f"{COMMIT}/{SECOND}" not in taken(web)


def test_the_revision_is_that_which_is_asked_for(web: Web) -> None:
    OpenClipEncoder(NAME, revision=COMMIT)
    told = [path for _, path, _ in web.asked if "/resolve/" not in path]
    assert told and all(path.rpartition("/")[2] == COMMIT for path in told)
    web.asked.clear()
    OpenClipEncoder(NAME)
    told = [path for _, path, _ in web.asked if "/revision/" in path]
    assert told and all(path.endswith("/revision/main") for path in told)


def test_pickled_weights_are_not_fetched(web: Web, tmp_path: Path) -> None:
    (web.folders["owner/name"] / FIRST).unlink()
    with pytest.raises(
        UserError, match=f"missing weights: 'owner/name' has no {FIRST} or {SECOND} at"
    ) as got:
        OpenClipEncoder(NAME, revision=COMMIT)
    assert "\n" not in str(got.value) and f"{COMMIT}/{PICKLED}" not in taken(web)
    assert not (tmp_path / "mark").exists()


def test_a_repository_of_another_library_is_told(web: Web) -> None:
    (web.folders["owner/name"] / "open_clip_config.json").unlink()
    with pytest.raises(UserError, match=r"has no open_clip_config\.json"):
        OpenClipEncoder(NAME, revision=COMMIT)


def test_damaged_weights_of_the_hub_name_the_folder(web: Web) -> None:
    path = web.folders["owner/name"] / FIRST
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"damaged weights.*remove .*and fetch it again") as got:
        OpenClipEncoder(NAME, revision=COMMIT)
    assert "\n" not in str(got.value)


def test_without_a_network_there_is_one_line(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"missing weights: 'owner/name'.*HF_HUB_OFFLINE") as got:
        OpenClipEncoder(NAME, revision=COMMIT)
    assert "\n" not in str(got.value)


@pytest.mark.parametrize("name", [FIRST, SECOND])
def test_fetch_brings_what_loading_takes(
    web: Web, models: str, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    folder = web.folders["owner/name"]
    (folder / FIRST).rename(folder / name)
    words = ["fetch", "--models", models]
    assert main([*words, "--list"]) == 0
    assert capsys.readouterr().out.startswith("missing clip")
    assert main(words) == 0
    assert f"owner/name at {COMMIT[:10]}" in capsys.readouterr().out
    fetched = taken(web)
    assert f"{COMMIT}/{name}" in fetched and f"{COMMIT}/{PICKLED}" not in fetched
    assert main([*words, "--list"]) == 0
    assert capsys.readouterr().out.startswith("here    clip")
    web.asked.clear()
    assert load_models(models).clip is not None
    assert web.asked == []


def test_fetch_keeps_it_elsewhere(web: Web, models: str, tmp_path: Path) -> None:
    assert main(["fetch", "--models", models, "--folder", str(tmp_path / "mine")]) == 0
    assert list((tmp_path / "mine").rglob(FIRST)) and not (tmp_path / "hub").exists()


def test_its_files_are_told_once() -> None:
    from lr_edit.backbones.open_clip_folder import hub_source

    source = hub_source("owner/name", OTHER)
    assert source.title == "owner/name at ffffffffff"
    assert source.files == f"open_clip_config.json, *.json, *.txt, *.model, {FIRST} or {SECOND}"
    assert isinstance(source, Either) and source == hub_source("owner/name", OTHER)


def test_a_tokenizer_beside_it_is_its_own(web: Web) -> None:
    """OpenCLIP would look for it under the name that the configuration gives, on the hub."""
    config = web.folders["owner/name"] / "open_clip_config.json"
    facts = json.loads(config.read_text())
    facts["model_cfg"]["text_cfg"]["hf_tokenizer_name"] = "no/such-tokenizer"
    config.write_text(json.dumps(facts))
    assert OpenClipEncoder(NAME, revision=COMMIT).token_ids(["a red apple"]).shape == (1, 20)
