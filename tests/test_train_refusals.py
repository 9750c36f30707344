"""train.py and weights that it cannot use: one line, status 2, whatever wraps it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import weights
from pickles import write_evil

import train
from lr_edit.errors import NothingFits, UserError
from lr_edit.training.cli import refusal

CONFIGS = Path(__file__).parents[1] / "configs"
OWN = "local-dir:lr_edit/tabletop/weights/clip"
SAFE, PICKLED = "open_clip_model.safetensors", "open_clip_pytorch_model.bin"

Refused = Callable[[Path], str]


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Refused:
    """Runs train.py fit with a config; gives the line that it ends with."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    def run(config: Path) -> str:
        monkeypatch.setattr("sys.argv", ["train.py", "fit", "--config", str(config)])
        assert train.main() == 2
        out, err = capfd.readouterr()
        lines = [line for line in err.splitlines() if not line.startswith("Seed set to")]
        assert out == "" and len(lines) == 1 and lines[0].startswith("train.py: ")
        assert list((tmp_path / "work").iterdir()) == []
        return lines[0]

    return run


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return weights.clip(tmp_path / "clip")


@pytest.fixture
def config(tmp_path: Path, clip: Path) -> Path:
    """A recipe that reads that CLIP."""
    text = (CONFIGS / "region.yaml").read_text()
    assert OWN in text
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(OWN, f"local-dir:{clip}"))
    return path


@pytest.mark.parametrize("name", ["region_photo.yaml", "region_photo_captions.yaml"])
def test_missing_weights_without_a_network(refused: Refused, name: str) -> None:
    line = refused(CONFIGS / name)
    assert "missing weights: 'timm/vit_base_patch16_clip_224.openai'" in line
    assert "HF_HUB_OFFLINE is set" in line


def test_truncated_weights(refused: Refused, clip: Path, config: Path) -> None:
    path = clip / SAFE
    path.write_bytes(path.read_bytes()[:-100])
    assert f"damaged weights: {str(clip)!r}" in refused(config)


def test_weights_that_hold_code(refused: Refused, clip: Path, config: Path, tmp_path: Path) -> None:
    (clip / SAFE).unlink()
    write_evil(clip / PICKLED, tmp_path / "mark")
    assert f"has {PICKLED} where safetensors are expected" in refused(config)
    assert not (tmp_path / "mark").exists()


def test_missing_tensors_and_folders(refused: Refused, clip: Path, config: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(clip / SAFE)
    state.pop("logit_scale")
    save_file(state, clip / SAFE)
    assert "has 1 missing key (logit_scale)" in refused(config)
    clip.rename(clip.with_name("elsewhere"))
    assert "missing weights: there is no folder" in refused(config)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "not found"), (b"no checkpoint at all", "damaged or cut short")],
)
def test_checkpoints_that_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    content: bytes | None, reason: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "mine.ckpt").write_bytes(content)
    config = CONFIGS / "tabletop/judge.yaml"
    small = ("--data.init_args.train_scenes=1", "--data.init_args.validation_scenes=1",
             "--data.init_args.test_scenes=1", "--data.init_args.size=32")  # fmt: skip
    arguments = ["train.py", "fit", "--config", str(config), "--ckpt_path=mine.ckpt", *small]
    monkeypatch.setattr("sys.argv", arguments)
    assert train.main() == 2
    line = capfd.readouterr().err.splitlines()[-1]
    assert line.startswith("train.py: the checkpoint 'mine.ckpt'") and reason in line.lower()
    assert line.endswith("give another --ckpt_path")


def test_only_errors_that_a_refusal_caused_are_its_own() -> None:
    first = NothingFits("nothing fits")
    for error in (first, caused(ValueError("wrapped"), first)):
        assert refusal(caused(TypeError("outermost"), error)) is first
    assert refusal(ValueError("something else")) is None
    assert isinstance(refusal(UserError("mine")), UserError)


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error
