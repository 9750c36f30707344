"""infer.py with Qwen-Image-Edit, tiny but in the format of the published one."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_qwen
import torch
import weights
from editor_fakes import picture
from photo_fakes import caller
from PIL import Image
from safetensors.torch import load_file, save_file

from lr_edit.backbones.pipeline import PipelineInpainter
from lr_edit.errors import UserError

Call = Callable[..., dict[str, Any]]
KIND = "lr_edit.backbones.pipeline.PipelineInpainter"
OWN_SIDE = 96


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_qwen.qwen_image_edit(tmp_path_factory.mktemp("qwen") / "pipeline")


@pytest.fixture
def plus(qwen: Path, tmp_path: Path) -> Path:
    """The same networks as Qwen-Image-Edit-2509 has them."""
    folder = shutil.copytree(qwen, tmp_path / "plus")
    path = folder / "model_index.json"
    facts = json.loads(path.read_text()) | {"_class_name": "QwenImageEditPlusPipeline"}
    path.write_text(json.dumps(facts))
    return folder


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """infer.py on a set whose inpainter is given; see `caller`."""
    monkeypatch.chdir(tmp_path)
    clip = {"name": f"local-dir:{weights.clip(tmp_path / 'clip')}"}
    return caller(
        tmp_path,
        {"clip": {"class_path": "lr_edit.backbones.open_clip.OpenClipEncoder", "init_args": clip}},
    )


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """It paints fewer pixels than the megapixel that it always paints, which takes seconds."""
    place = "diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_inpaint.calculate_dimensions"
    monkeypatch.setattr(place, lambda area, ratio: (OWN_SIDE, OWN_SIDE, None))


def inpainter(folder: Path, **arguments: Any) -> dict[str, Any]:
    given = {"name": str(folder), "size": 64, **arguments}
    return {"inpainter": {"class_path": KIND, "init_args": given}}


@pytest.mark.parametrize("kind", ["qwen", "plus"])
def test_it_edits_and_keeps_the_outside(
    call: Call, tmp_path: Path, small: None, request: pytest.FixtureRequest, kind: str
) -> None:
    named = {"pipeline": "QwenImageEditInpaintPipeline"} if kind == "plus" else {}
    report = call("out", inpainter(request.getfixturevalue(kind), **named))
    assert report["figures"]["changed_outside"] == 0
    before, after = (np.asarray(Image.open(tmp_path / n)) for n in ("photo.png", "out/edit.png"))
    assert (before != after)[24:32, 24:32].any() and (before[:, 60:] == after[:, 60:]).all()


def test_a_size_of_its_own_is_brought_to_the_one_that_is_wanted(qwen: Path, small: None) -> None:
    model = PipelineInpainter(str(qwen), size=64)
    source, hole = picture(64, 64), torch.zeros(1, 1, 64, 64)
    hole[..., 16:40, 16:40] = 1

    def painted(prompt: str, cfg: float = 4.0) -> torch.Tensor:
        generator = torch.Generator().manual_seed(1)
        return model.paint(source, hole, prompt, generator, steps=2, cfg=cfg)

    first = painted("a red apple")
    assert first.shape == (1, 3, 64, 64) and first.abs().amax() <= 1
    assert torch.equal(first, painted("a red apple"))
    assert not torch.equal(first, painted("a blue mug"))
    assert not torch.equal(first, painted("a red apple", cfg=1.5))


def test_a_pipeline_without_a_relative_is_told_what_works(
    plus: Path, tmp_path: Path, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    call("out", inpainter(plus), status=2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and not (tmp_path / "out").exists()
    assert "is a QwenImageEditPlusPipeline, for which diffusers" in error
    assert "QwenImageEditInpaintPipeline for a QwenImageEditPlusPipeline" in error


@pytest.mark.parametrize("part", ["text_encoder", "transformer", "vae"])
def test_missing_tensors_are_told(qwen: Path, tmp_path: Path, part: str) -> None:
    folder = shutil.copytree(qwen, tmp_path / "broken")
    path = next((folder / part).glob("*.safetensors"))
    state = load_file(path)
    gone = next(name for name in sorted(state) if "norm" in name)
    del state[gone]
    save_file(state, path, metadata={"format": "pt"})
    with pytest.raises(UserError, match=rf"damaged weights.*{part}.*missing key") as got:
        PipelineInpainter(str(folder), size=64)
    assert "\n" not in str(got.value)
