"""Weights that are cut short or lack tensors: one line, which says what is wrong."""

import json
import shutil
from pathlib import Path

import pytest
import tiny_latent
from pickles import NETWORKS
from safetensors.torch import load_file, save_file

from lr_edit.backbones.latent_diffusion import StableDiffusion
from lr_edit.errors import UserError


@pytest.fixture(scope="module", params=NETWORKS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one of the networks."""
    return NETWORKS[request.param][0](tmp_path_factory.mktemp("weights") / request.param)


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(whole, tmp_path / whole.name))


@pytest.fixture(scope="module")
def latent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stable Diffusion, and a tiny decoder in it."""
    folder = tiny_latent.stable_diffusion(tmp_path_factory.mktemp("latent") / "inpainting")
    tiny_latent.tiny_decoder(folder / "tiny")
    return folder


def refusal(folder: Path) -> str:
    """What is said of a folder that cannot be loaded."""
    with pytest.raises(UserError) as got:
        NETWORKS[folder.name][1](str(folder))
    assert "\n" not in str(got.value)
    return str(got.value)


def lacking(path: Path, count: int) -> list[str]:
    """Takes so many tensors away, the first in the order of the alphabet; gives their names."""
    state = load_file(path)
    gone = sorted(state)[:count]
    save_file({k: v for k, v in state.items() if k not in gone}, path, metadata={"format": "pt"})
    return gone


@pytest.mark.parametrize("left", [0.9, 0.01, 0.0])
def test_weights_that_are_cut_short_are_one_line(folder: Path, left: float) -> None:
    path = folder / NETWORKS[folder.name][2]
    content = path.read_bytes()
    path.write_bytes(content[: int(left * len(content))])
    assert refusal(folder).startswith("damaged weights")


@pytest.mark.parametrize("count", [1, 3, 5])
def test_how_many_tensors_are_missing_is_told_and_the_first(folder: Path, count: int) -> None:
    gone = lacking(folder / NETWORKS[folder.name][2], count)
    said = refusal(folder)
    assert f"has {count} missing key{'s' * (count > 1)} (" in said
    named = said.partition("(")[2].partition(")")[0].split(", ")
    assert len(named) == min(count, 4) and (named[-1] == "…") == (count == 5)
    for name in named[:3]:
        assert any(one.endswith(name) or name.endswith(one) for one in gone), name


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tiny"])
def test_parts_of_stable_diffusion_that_are_cut_short(
    latent: Path, tmp_path: Path, part: str
) -> None:
    folder = Path(shutil.copytree(latent, tmp_path / "inpainting"))
    (path,) = (folder / part).glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="damaged weights") as got:
        StableDiffusion(str(folder), tiny_decoder=str(folder / "tiny"))
    assert "\n" not in str(got.value)


def test_clip_with_tensors_too_many_is_refused(tmp_path: Path) -> None:
    folder = NETWORKS["clip"][0](tmp_path / "clip")
    path = folder / NETWORKS["clip"][2]
    state = load_file(path)
    save_file({**state, "strange": state["logit_scale"].clone()}, path)
    assert "has 1 unexpected key (strange)" in refusal(folder)


def test_clip_without_a_readable_configuration_is_refused(tmp_path: Path) -> None:
    folder = NETWORKS["clip"][0](tmp_path / "clip")
    for text in ("{", "[]", json.dumps({"model_cfg": {}})):
        (folder / "open_clip_config.json").write_text(text)
        assert refusal(folder).startswith("damaged weights")
