"""infer.py fetch, and what an edit says of weights that are not here."""

import io
import re
from pathlib import Path

import pytest
import weights
from fetch_fakes import COMMIT, Web
from PIL import Image

from lr_edit.backbones.folder_sources import OwnFolder
from lr_edit.backbones.hub_files import HubFiles
from lr_edit.backbones.sources import readable
from lr_edit.backbones.url_files import UrlFile
from lr_edit.cli.main import main
from lr_edit.errors import UserError
from lr_edit.fetching import NEEDS, needs
from lr_edit.model_files import described_entries, model_sets
from lr_edit.models import load_models

SEGFORMER = "lr_edit.backbones.segformer.SegformerSegmenter"


def listing(tmp_path: Path) -> str:
    """A model set of one entry on the hub, as a file."""
    path = tmp_path / "set.yaml"
    given = f"{{name: owner/name, revision: {COMMIT}}}"
    path.write_text(f"segmenter: {{class_path: {SEGFORMER}, init_args: {given}}}\n")
    return str(path)


# Model sets


def test_every_entry_of_every_set_tells_what_it_needs(bare: None) -> None:
    for name in model_sets():
        for part, (kind, arguments) in described_entries(name).items():
            assert kind in NEEDS, part
            for source in needs(kind, arguments):
                assert source.title and source.files
                assert isinstance(source, OwnFolder) == (name == "tabletop")
                assert name == "tabletop" or source.size
                pinned = isinstance(source, HubFiles) and len(source.revision) == 40
                assert pinned or not isinstance(source, HubFiles), source.title


def test_an_edit_names_what_is_missing_and_the_command(offline: None, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"missing weights.*entry clip lacks timm/.*599 MB") as got:
        _ = load_models("photo").clip
    assert str(got.value).endswith("python infer.py fetch --models photo --only clip")
    with pytest.raises(UserError, match=r"missing weights.*adm256 from .*2\.2 GB.*--only diff"):
        _ = load_models("photo").diffusion
    with pytest.raises(UserError, match=r"sam2.*--only grounded_sam") as got:
        load_models("photo").part("grounded_sam")
    assert "\n" not in str(got.value)


def test_all_that_an_edit_lacks_is_named_at_once(offline: None) -> None:
    models = load_models("photo")
    with pytest.raises(UserError, match=r"HF_HUB_OFFLINE is set") as got:
        list(models.loading(["clip", "scorer", "diffusion"]))
    told = str(got.value)
    for part in ("clip: timm/", "599 MB", "scorer: laion/", "605 MB", "diffusion: ", "2.2 GB"):
        assert part in told
    assert "segformer" not in told and "sam2" not in told and "\n" not in told
    assert told.endswith("about 3.4 GB in all: get it with python infer.py fetch --models photo")


def test_what_is_here_is_loaded_and_not_named(
    offline: None, repo: HubFiles, tmp_path: Path
) -> None:
    folder = weights.segformer(tmp_path / "segformer")
    text = f"segmenter: {{class_path: {SEGFORMER}, init_args: {{name: {folder}}}}}\n"
    text += "clip:\n  class_path: lr_edit.backbones.open_clip.OpenClipEncoder\n"
    (tmp_path / "set.yaml").write_text(f"{text}  init_args: {{name: 'hf-hub:owner/name'}}\n")
    loading = load_models(tmp_path / "set.yaml").loading(["segmenter", "clip"])
    assert next(loading) == "segmenter"
    with pytest.raises(UserError, match=r"what this needs and lacks is clip: owner/name") as got:
        next(loading)
    assert "segmenter" not in str(got.value)


@pytest.mark.parametrize(
    ("words", "lacks"),
    [
        (["--replace", "a dog"], ["clip", "scorer", "segmenter", "perceptual", "diffusion"]),
        (["--mask", "mask.png"], ["clip", "scorer", "perceptual", "diffusion"]),
        (["--proposer", "grounded_sam", "--region-only", "--replace", "a"], ["grounded_sam"]),
    ],
)
def test_infer_names_all_that_the_edit_lacks_and_one_command(
    offline: None, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    words: list[str], lacks: list[str],
) -> None:  # fmt: skip
    Image.new("RGB", (64, 48)).save("photo.png")
    Image.new("L", (64, 48), 255).save("mask.png")
    given = ["--models", "photo", "--image", "photo.png", "--output", "out", "--device", "cpu"]
    assert main([*given, "--with", "a cat", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and not (tmp_path / "out").exists()
    named = {part for part in described_entries("photo") if re.search(rf"\b{part}: ", err)}
    assert named == set(lacks) and re.search(r"about \d.* GB in all|about \d+ MB in all", err)
    assert err.endswith("get it with python infer.py fetch --models photo\n")


# The command


def test_the_command_fetches_and_tells_where(
    web: Web, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    web.folders["owner/name"] = weights.segformer(tmp_path / "segformer")
    words = ["fetch", "--models", listing(tmp_path)]
    assert main([*words, "--list"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("missing segmenter") and "model.safetensors" not in web.taken()
    assert main(words) == 0
    out, err = capsys.readouterr()
    first, last = out.splitlines()
    assert first.startswith("segmenter") and str(tmp_path / "hub") in first and err == ""
    assert "set.yaml is here: " in last
    assert main([*words, "--list"]) == 0
    assert capsys.readouterr().out.startswith("here    segmenter")
    assert load_models(listing(tmp_path)).segmenter is not None


def test_another_folder_can_be_chosen(
    repo: HubFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "repo" / "preprocessor_config.json").write_text("{}")
    words = ["fetch", "--models", listing(tmp_path), "--folder", str(tmp_path / "mine")]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert f"export HF_HUB_CACHE={tmp_path / 'mine' / 'hub'} TORCH_HOME=" in out
    assert list((tmp_path / "mine").rglob("model.safetensors"))
    assert not (tmp_path / "hub").exists()


def test_without_a_network_there_is_one_line(
    offline: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", "--models", listing(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("infer.py: missing weights") and err.count("\n") == 1
    assert main(["fetch", "--models", "photo", "--list"]) == 0
    out = capsys.readouterr().out
    assert out.count("missing ") == 9 and "about 6.1 GB to fetch" in out
    assert re.search(r"^missing dino +346 MB  facebook/dinov2-base at f9e44c814b ", out, re.M)


class Terminal(io.StringIO):
    """What is written to a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal(
    web: Web, file: UrlFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.folders["owner/name"] = weights.segformer(tmp_path / "segformer")
    shown = Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    assert main(["fetch", "--models", listing(tmp_path)]) == 0
    assert re.search(r"100%\|#+\| *3/3", shown.getvalue())
    monkeypatch.setattr("sys.stderr", shown := Terminal())
    file.fetch()
    assert re.search(r"a\.pth: 100%.*10\.2k/10\.2k", shown.getvalue())


def test_ctrl_c_ends_it_in_one_line(
    repo: HubFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def pressed(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("huggingface_hub.snapshot_download", pressed)
    assert main(["fetch", "--models", listing(tmp_path)]) == 130
    assert capsys.readouterr().err == "infer.py: interrupted\n"


def test_wrong_names_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "--models", "tabletop", "--only", "clip,hammer"]) == 2
    assert "'hammer', but the model set 'tabletop' has clip" in capsys.readouterr().err
    assert main(["fetch", "--models", "landscape"]) == 2
    assert main(["fetch"]) == 2
    path = tmp_path / "own.yaml"
    path.write_text(f"segmenter: {{class_path: {SEGFORMER}, init_args: {{name: /no/such}}}}")
    assert main(["fetch", "--models", str(path)]) == 2
    assert "no network has it" in capsys.readouterr().err.splitlines()[-1]


def test_what_comes_with_the_project_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "--models", "tabletop", "--list", "--only", "clip"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("here    clip") and out.endswith("nothing is missing\n")


def test_sizes_are_readable() -> None:
    told = [readable(size) for size in (12, 9_793_292, 603_000_000, 2_211_383_297)]
    assert told == ["12 bytes", "9.8 MB", "603 MB", "2.2 GB"]
