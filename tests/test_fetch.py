"""Fetching weights: files behind addresses and repositories of a hub."""

import os
from pathlib import Path

import pytest
import torch
import weights
from fetch_fakes import COMMIT, CONTENT, PATTERNS, Web
from safetensors.torch import load_file

from lr_edit.backbones.folder_sources import ConvertedAdm
from lr_edit.backbones.folders import located
from lr_edit.backbones.hub_files import HubFiles
from lr_edit.backbones.open_clip import OpenClipEncoder, tag_source
from lr_edit.backbones.perceptual import trunk_source
from lr_edit.backbones.segformer import SegformerSegmenter
from lr_edit.backbones.url_files import UrlFile
from lr_edit.errors import UserError

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
