"""Sets of models by name or file."""

from pathlib import Path

import pytest
import weights
from editor_fakes import LinearClip

from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.backbones.segformer import SegformerSegmenter
from lr_edit.errors import UserError
from lr_edit.model_files import model_sets
from lr_edit.models import ModelSet, load_models

CLIP = "lr_edit.backbones.open_clip.OpenClipEncoder"
SEGFORMER = "lr_edit.backbones.segformer.SegformerSegmenter"


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def test_every_shipped_set_is_valid() -> None:
    assert {"tabletop", "photo"} <= set(model_sets())
    for name in model_sets():
        models = load_models(name)
        for part in ("clip", "segmenter", "perceptual", "diffusion"):
            assert models.has(part)


def test_parts_are_loaded_when_asked_for_and_once(tmp_path: Path) -> None:
    folder = weights.segformer(tmp_path / "segformer")
    path = write(
        tmp_path,
        f"segmenter: {{class_path: {SEGFORMER}, init_args: {{name: {folder}}}}}\n"
        f"clip: {{class_path: {CLIP}, init_args: {{name: 'local-dir:/no/such/folder'}}}}\n",
    )
    models = load_models(path)
    assert isinstance(models.segmenter, SegformerSegmenter)
    assert models.segmenter is models.segmenter
    with pytest.raises(UserError, match="missing weights"):
        _ = models.clip
    with pytest.raises(UserError, match="no diffusion"):
        _ = models.diffusion


def test_the_scorer_is_clip_where_there_is_none(tmp_path: Path) -> None:
    folder = weights.clip(tmp_path / "clip")
    path = write(
        tmp_path, f"clip: {{class_path: {CLIP}, init_args: {{name: 'local-dir:{folder}'}}}}"
    )
    models = load_models(path)
    assert isinstance(models.scorer, OpenClipEncoder) and models.scorer is models.clip


def test_sets_can_be_made_of_what_is_there() -> None:
    clip, scorer = LinearClip(), LinearClip()
    assert ModelSet.of(clip=clip).scorer is clip
    models = ModelSet.of(clip=clip, scorer=scorer)
    assert models.scorer is scorer and models.clip is clip
    with pytest.raises(UserError, match="no segmenter"):
        _ = models.segmenter


def test_sets_do_not_depend_on_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_models("tabletop").has("clip")


def test_unknown_sets_and_devices_are_told() -> None:
    with pytest.raises(UserError, match=r"landscape.*photo.*tabletop"):
        load_models("landscape")
    with pytest.raises(UserError, match=r"no/such\.yaml"):
        load_models("no/such.yaml")
    with pytest.raises(UserError, match="device 'abacus'"):
        load_models("tabletop", device="abacus")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected entries clip"),
        ("- a", "expected entries clip"),
        ("clip: [", "expected YAML"),
        ("hammer: 3", "unknown entry 'hammer'"),
        ("clip: 3", "entry clip is wrong"),
        ("clip: {class_path: lr_edit.no.Such}", "no attribute"),
        (f"clip: {{class_path: {SEGFORMER}, init_args: {{name: x}}}}", "not correspond"),
        (f"clip: {{class_path: {CLIP}}}", "required: name"),
        (f"clip: {{class_path: {CLIP}, init_args: {{name: x, colour: red}}}}", "colour"),
    ],
)
def test_wrong_files_are_told_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as got:
        load_models(write(tmp_path, text))
    assert "\n" not in str(got.value)
