"""Fetching weights: files behind addresses, repositories of a hub, and infer.py fetch."""

import io
import os
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
import torch
import weights
from fetch_fakes import COMMIT, Web, serving_hub
from PIL import Image
from safetensors.torch import load_file

from lr_edit.backbones.folder_sources import ConvertedAdm, OwnFolder
from lr_edit.backbones.folders import located
from lr_edit.backbones.hub_files import HubFiles
from lr_edit.backbones.open_clip import OpenClipEncoder, tag_source
from lr_edit.backbones.perceptual import trunk_source
from lr_edit.backbones.segformer import SegformerSegmenter
from lr_edit.backbones.sources import readable
from lr_edit.backbones.url_files import UrlFile
from lr_edit.cli.main import main
from lr_edit.errors import UserError
from lr_edit.fetching import NEEDS, needs
from lr_edit.model_files import described_entries, model_sets
from lr_edit.models import load_models

CONTENT = bytes(range(256)) * 40
PATTERNS = ("config.json", "*.safetensors")
SEGFORMER = "lr_edit.backbones.segformer.SegformerSegmenter"


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A server that is also the hub, whose cache is empty."""
    with serving_hub(tmp_path / "hub", monkeypatch) as web:
        monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch"))
        yield web


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights in the repository or the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lr_edit.backbones.folders.ROOT", tmp_path)


@pytest.fixture
def offline(web: Web, bare: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def file(web: Web, tmp_path: Path) -> UrlFile:
    web.files["/a.pth"] = CONTENT
    digest = sha256(CONTENT).hexdigest()[:8]
    return UrlFile(f"{web.url}/a.pth", tmp_path / "files" / "a.pth", digest)


@pytest.fixture
def repo(web: Web, tmp_path: Path) -> HubFiles:
    """A repository with a configuration, weights in both forms, and more."""
    folder = tmp_path / "repo"
    folder.mkdir()
    for name, size in {"config.json": 2, "model.safetensors": 5000, "pytorch_model.bin": 7}.items():
        (folder / name).write_bytes(CONTENT[:size])
    web.folders["owner/name"] = folder
    return HubFiles("owner/name", PATTERNS, COMMIT)


def listing(tmp_path: Path) -> str:
    """A model set of one entry on the hub, as a file."""
    path = tmp_path / "set.yaml"
    given = f"{{name: owner/name, revision: {COMMIT}}}"
    path.write_text(f"segmenter: {{class_path: {SEGFORMER}, init_args: {given}}}\n")
    return str(path)


# Addresses


def test_a_file_is_fetched_once(file: UrlFile, web: Web) -> None:
    assert not file.status().complete
    assert file.fetch() == file.target and file.target.read_bytes() == CONTENT
    status = file.status()
    assert status.complete and (status.place, status.size) == (file.target, len(CONTENT))
    file.fetch()
    assert web.taken() == ["a.pth"] and os.listdir(file.target.parent) == ["a.pth"]


def test_a_file_that_broke_off_goes_on(file: UrlFile, web: Web) -> None:
    web.cut = 4000
    with pytest.raises(UserError, match=r"broke off after 4\.0 kB of 10 kB") as got:
        file.fetch()
    assert "\n" not in str(got.value) and not file.target.exists()
    assert file.status().size == 4000 and not file.status().complete
    file.fetch()
    assert file.target.read_bytes() == CONTENT and not file.part.exists()
    assert [span for _, _, span in web.asked] == ["", "bytes=4000-"]


def test_a_server_without_ranges_sends_all_again(file: UrlFile, web: Web) -> None:
    web.ranges, web.cut = False, 4000
    with pytest.raises(UserError, match="broke off"):
        file.fetch()
    assert file.fetch().read_bytes() == CONTENT


def test_a_whole_part_is_only_checked(file: UrlFile) -> None:
    file.part.parent.mkdir()
    file.part.write_bytes(CONTENT)
    assert file.fetch().read_bytes() == CONTENT


def test_other_files_than_published_are_thrown_away(file: UrlFile, web: Web) -> None:
    web.files["/a.pth"] = CONTENT + b"!"
    with pytest.raises(UserError, match="SHA-256 does not begin with"):
        file.fetch()
    assert os.listdir(file.target.parent) == []
    short = UrlFile(file.url, file.target, expected=7, exact=True)
    with pytest.raises(UserError, match="10241 bytes, expected 7"):
        short.fetch()
    web.files["/a.pth"] = CONTENT
    assert file.fetch().read_bytes() == CONTENT


def test_addresses_that_give_nothing_are_told(web: Web, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="404"):
        UrlFile(f"{web.url}/b.pth", tmp_path / "new" / "b.pth").fetch()
    with pytest.raises(UserError, match="refused") as got:
        UrlFile("http://127.0.0.1:9/b.pth", tmp_path / "new" / "b.pth").fetch()
    assert "\n" not in str(got.value) and not (tmp_path / "new").exists()


# The hub


@pytest.mark.parametrize("revision", [COMMIT, "main"])
def test_of_a_repository_safetensors_are_fetched_once(
    repo: HubFiles, web: Web, tmp_path: Path, revision: str
) -> None:
    repo = HubFiles(repo.repo, PATTERNS, revision)
    assert repo.status().size == 0 and not repo.status().complete
    folder = repo.fetch()
    assert sorted(os.listdir(folder)) == ["config.json", "model.safetensors"]
    status = repo.status()
    assert status.complete and status.place == folder and status.size == 5002
    assert folder.is_relative_to(tmp_path / "hub")
    before = web.taken()
    assert repo.fetch() == folder and located(repo.repo, PATTERNS, revision) == folder
    assert "model.safetensors" not in web.taken()[len(before) :]


def test_what_came_before_an_interruption_stays(repo: HubFiles, web: Web) -> None:
    web.broken.add(f"/owner/name/resolve/{COMMIT}/model.safetensors")
    with pytest.raises(UserError, match="did not give"):
        repo.fetch()
    status = repo.status()
    assert not status.complete and status.size == 2
    web.broken.clear()
    web.asked.clear()
    folder = repo.fetch()
    assert (folder / "model.safetensors").stat().st_size == 5000
    assert "config.json" not in web.taken()


def test_a_commit_that_is_here_needs_no_network(repo: HubFiles, web: Web) -> None:
    folder = repo.fetch()
    web.asked.clear()
    assert repo.fetch() == folder and web.asked == []


def test_a_commit_of_which_others_fetched_a_part_is_completed(repo: HubFiles, web: Web) -> None:
    (web.folders["owner/name"] / "preprocessor_config.json").write_text("{}")
    folder = repo.fetch()
    wider = HubFiles(repo.repo, (*PATTERNS, "*.json"), COMMIT)
    assert not wider.status().complete
    for known in (folder.parents[1] / "trees").iterdir():  # as other programs leave a cache
        known.unlink()
    from huggingface_hub import _tree_cache

    _tree_cache._IN_MEMORY_TREE_CACHE.clear()
    assert wider.fetch() == folder and (folder / "preprocessor_config.json").is_file()


def test_repositories_without_safetensors_are_refused(repo: HubFiles, web: Web) -> None:
    (web.folders["owner/name"] / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"has no \*\.safetensors"):
        repo.fetch()
    assert not repo.status().complete
    with pytest.raises(UserError, match=r"has no other\.json"):
        HubFiles(repo.repo, ("other.json",), COMMIT).fetch()


@pytest.mark.parametrize("revision", [COMMIT, "main"])
def test_why_the_hub_gave_nothing_is_told(
    repo: HubFiles, monkeypatch: pytest.MonkeyPatch, revision: str
) -> None:
    repo = HubFiles(repo.repo, PATTERNS, revision)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"missing weights: 'owner/name'.*cannot be reached") as got:
        repo.fetch()
    assert "\n" not in str(got.value)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set"):
        repo.fetch()


# What networks are loaded from


def test_networks_load_from_what_was_fetched(web: Web, tmp_path: Path) -> None:
    web.folders["owner/name"] = weights.segformer(tmp_path / "segformer")
    model = SegformerSegmenter("owner/name", revision=COMMIT)
    assert model.logits(torch.zeros(1, 3, 32, 32)).shape[-1] == 32


def test_tags_of_clip_load_from_the_hub(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import open_clip

    folder = weights.clip(tmp_path / "clip")
    web.folders["owner/name"] = folder
    config = {"hf_hub": "owner/name/", "mean": (0.1,) * 3, "std": (0.2,) * 3, "quick_gelu": True}
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda name, tag: config)
    made = open_clip.create_model
    seen: list[object] = []

    def tiny(name: str, pretrained: str, require_pretrained: bool, **options: object) -> object:
        seen.extend([Path(pretrained).name, options])
        assert load_file(pretrained).keys() == load_file(folder / Path(pretrained).name).keys()
        return made(f"local-dir:{folder}")

    monkeypatch.setattr(open_clip, "create_model", tiny)
    OpenClipEncoder("ViT-B-16", "mine", revision=COMMIT)
    facts = {"mean": (0.1,) * 3, "std": (0.2,) * 3}
    assert seen == [
        "open_clip_model.safetensors",
        {"force_preprocess_cfg": facts, "force_quick_gelu": True},
    ]
    assert web.taken()[-1] == "open_clip_model.safetensors"


def test_tags_tell_where_their_weights_are(web: Web, tmp_path: Path) -> None:
    known = tag_source("ViT-B-16-quickgelu", "openai", COMMIT)
    assert isinstance(known, HubFiles) and known.revision == COMMIT
    assert known.repo == "timm/vit_base_patch16_clip_224.openai"
    assert known.patterns == ("open_clip_model.safetensors",)
    assert tag_source("ViT-B-16", "no-such-tag") is None


def test_trunks_tell_size_and_digest(web: Web, tmp_path: Path) -> None:
    source = trunk_source("vgg")
    assert source.target == tmp_path / "torch" / "checkpoints" / "vgg16-397923af.pth"
    assert source.digest == "397923af" and source.size == pytest.approx(553e6, rel=0.01)


def test_adm_is_fetched_converted_and_kept_as_a_folder(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.files["/uncond.pt"] = CONTENT
    read: list[bytes] = []

    def convert(checkpoint: Path, output: Path) -> None:
        read.append(checkpoint.read_bytes())
        output.mkdir()

    monkeypatch.setattr("lr_edit.backbones.folder_sources.convert", convert)
    folder = tmp_path / "photo" / "adm256"
    file = UrlFile(f"{web.url}/uncond.pt", folder.parent / "uncond.pt", expected=10240, exact=True)
    source = ConvertedAdm(str(folder), file)
    assert not source.status().complete
    assert source.fetch() == folder and read == [CONTENT] and source.status().complete
    assert os.listdir(folder.parent) == ["adm256"]
    assert source.fetch() == folder and len(read) == 1


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
