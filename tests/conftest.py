"""One thread a test process: fastest for tiny tensors, and processes do not hinder each other.

Also what several files of tests share and takes long to make.
"""

import signal
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from fetch_fakes import COMMIT, CONTENT, PATTERNS, Web, serving_hub
from hypothesis import settings

from lr_edit.backbones.hub_files import HubFiles
from lr_edit.backbones.url_files import UrlFile

torch.set_num_threads(1)
# A busy machine is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
# A shell starts what it runs in the background with Ctrl-C ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def latent_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline of every kind that edits latents, saved."""
    import tiny_latent

    folder = tmp_path_factory.mktemp("latent")
    tiny_latent.stable_diffusion(folder / "inpainting")
    tiny_latent.stable_diffusion(folder / "plain", 4, "v_prediction")
    tiny_latent.stable_diffusion_xl(folder / "xl")
    tiny_latent.tiny_decoder(folder / "tiny")
    tiny_latent.flux_fill(folder / "flux")
    return folder


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
