"""Weights that could run code: they are refused in one line, and never read."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import weights
from pickles import NETWORKS, write_evil, write_plain

from lr_edit.backbones.dino import DinoEncoder
from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.backbones.segformer import SegformerSegmenter
from lr_edit.errors import UserError


@pytest.fixture(scope="module", params=NETWORKS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one of the networks."""
    return NETWORKS[request.param][0](tmp_path_factory.mktemp("weights") / request.param)


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(whole, tmp_path / whole.name))


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """What is there once evil code has run."""
    return tmp_path / "mark"


def load(folder: Path) -> object:
    return NETWORKS[folder.name][1](str(folder))


def refusal(folder: Path) -> str:
    """What is said of a folder that cannot be loaded."""
    with pytest.raises(UserError) as got:
        load(folder)
    assert "\n" not in str(got.value)
    return str(got.value)


def test_evil_files_would_run_their_code(tmp_path: Path, mark: Path) -> None:
    write_evil(tmp_path / "evil.bin", mark)
    torch.load(tmp_path / "evil.bin", weights_only=False)
    assert mark.exists()


@pytest.mark.parametrize("evil", [False, True])
def test_pickled_weights_alone_are_refused(folder: Path, mark: Path, evil: bool) -> None:
    _, _, safe, pickled = NETWORKS[folder.name]
    if evil:
        write_evil(folder / pickled, mark)
    else:
        write_plain(folder / safe, folder / pickled)
    (folder / safe).unlink()
    said = refusal(folder)
    assert Path(pickled).name in said and "convert it to safetensors" in said
    assert not mark.exists()


def test_pickled_weights_beside_safetensors_are_not_read(folder: Path, mark: Path) -> None:
    _, _, safe, pickled = NETWORKS[folder.name]
    write_evil(folder / pickled, mark)
    if folder.name == "clip":  # then OpenCLIP itself would take the pickled file
        (folder / safe).rename(folder / "model.safetensors")
    load(folder)
    assert not mark.exists()


def test_pickled_weights_under_another_name_are_not_read(folder: Path, mark: Path) -> None:
    write_evil(folder / NETWORKS[folder.name][2], mark)
    assert refusal(folder).startswith("damaged weights")
    assert not mark.exists()


@pytest.mark.parametrize("safe_too", [False, True])
def test_an_index_that_lists_pickled_weights_is_refused(
    tmp_path: Path, mark: Path, safe_too: bool
) -> None:
    folder = weights.segformer(tmp_path / "segformer")
    index = {"metadata": {}, "weight_map": {"decode_head.classifier.bias": "part.bin"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    if not safe_too:
        (folder / "other.safetensors").unlink()
    write_evil(folder / "part.bin", mark)
    with pytest.raises(UserError, match=r"part\.bin where safetensors are expected"):
        SegformerSegmenter(str(folder))
    assert not mark.exists()


def test_a_pickled_file_for_an_architecture_of_clip_is_refused(tmp_path: Path, mark: Path) -> None:
    write_evil(tmp_path / "clip.pt", mark)
    with pytest.raises(UserError, match=r"clip\.pt' is no safetensors file; .*convert") as got:
        OpenClipEncoder("ViT-B-16", str(tmp_path / "clip.pt"))
    assert "\n" not in str(got.value) and not mark.exists()


# Code that configurations ask for


def write_code(folder: Path, mark: Path, kind: str) -> str:
    """A module in the folder that makes the mark when imported; gives its class's path."""
    lines = ["from pathlib import Path", f"Path({str(mark)!r}).touch()", f"class {kind}: pass"]
    (folder / "mine.py").write_text("\n".join(lines) + "\n")
    return f"mine.{kind}"


def change(path: Path, **facts: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))


def test_the_code_of_a_tokenizer_is_not_run(tmp_path: Path, mark: Path) -> None:
    folder = weights.clip(tmp_path / "clip")
    code = write_code(folder, mark, "Mine")
    change(
        folder / "tokenizer_config.json",
        tokenizer_class="Mine", auto_map={"AutoTokenizer": [code, None]},
    )  # fmt: skip
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"]["tokenizer_kwargs"] = {"trust_remote_code": True}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    try:
        OpenClipEncoder(f"local-dir:{folder}")
    except UserError as error:
        assert "\n" not in str(error)
    assert not mark.exists()


def test_the_code_of_a_dino_is_not_run(tmp_path: Path, mark: Path) -> None:
    folder = weights.dino(tmp_path / "dino")
    code = write_code(folder, mark, "Mine")
    change(folder / "config.json", model_type="mine", auto_map={"AutoConfig": code})
    with pytest.raises(UserError, match="damaged weights") as got:
        DinoEncoder(str(folder))
    assert "\n" not in str(got.value) and not mark.exists()
