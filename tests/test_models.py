"""Sets of models by name or file."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import weights
import yaml
from editor_fakes import LinearClip
from torch import Tensor

from lr_edit.backbones.base import Prediction
from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.backbones.segformer import SegformerSegmenter
from lr_edit.cli.options import GROUPS
from lr_edit.cli.settings import edit_settings
from lr_edit.editors.denoisers import Denoised, guided
from lr_edit.editors.options import SamplingOptions
from lr_edit.editors.schedulers import Solver, trailing_timesteps
from lr_edit.errors import UserError
from lr_edit.model_files import FOLDER, described_entries, model_sets, suggested_options
from lr_edit.models import ModelSet, load_models
from lr_edit.proposers import FROM_MODELS

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


@pytest.mark.parametrize("name", model_sets())
def test_the_options_of_every_shipped_set_are_valid(name: str) -> None:
    suggested = suggested_options(name)
    for group, values in suggested.items():
        assert asdict(GROUPS[group](**values)).items() >= values.items()
    given = [
        "--models",
        name,
        "--image",
        "a.png",
        "--output",
        "out",
        "--replace",
        "a",
        "--with",
        "b",
    ]
    settings = edit_settings(given)
    for group, values in suggested.items():
        assert getattr(settings, group) == GROUPS[group](**values)
    assert edit_settings([*given, "--steps", "3"]).sampling.steps == 3


def test_photo_can_learn_regions_on_one_picture() -> None:
    assert set(FROM_MODELS["per_image"].needs) <= set(described_entries("photo"))
    dino = described_entries("photo")["dino"][1]
    model = yaml.safe_load((FOLDER.parent / "region_photo.yaml").read_text())["model"]["init_args"]
    recipe = model["features"]["init_args"]["dino"]["init_args"]
    assert (dino["name"], dino["revision"]) == (recipe["name"], recipe["revision"])


def test_photo_guides_as_the_papers_do() -> None:
    """mean <- mean - Sigma g with Sigma = beta, but for a factor of 1.08; see its comments."""
    options = SamplingOptions(**suggested_options("photo")["sampling"])
    abar = (1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)).cumprod(0)  # ADM's
    timesteps = trailing_timesteps(1000, options.steps, options.strength)
    assert len(timesteps) == 75 and timesteps[0] == 749
    solver, generator = Solver(options.solver, abar, timesteps), torch.Generator()
    x, slope = torch.rand(2, 1, 3, 4, 4, generator=generator)

    def plain(x_t: Tensor, t: int) -> Denoised:
        eps = x_t * 0.0 + 0.1
        prediction = Prediction((x_t - (1 - abar[t]) ** 0.5 * eps) / abar[t] ** 0.5, eps)
        return Denoised(prediction, prediction)

    def loss(x0: Tensor, seen: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        noisy = (x0 * signal + 0.1 * noise).float()  # x_t again, so that the slope is g
        return (noisy * slope).flatten(1).sum(1), {}

    for i, t in enumerate(timesteps):
        signal, noise = abar[t] ** 0.5, (1 - abar[t]) ** 0.5
        moved = guided(plain, loss, abar.tolist(), options)(x, t)
        steps = [
            solver.step(i, x, one, [generator.manual_seed(0)])
            for one in (moved, replace(moved, guided=moved.plain))
        ]
        beta = 1 - solver.levels[i] / solver.levels[i + 1]
        torch.testing.assert_close(
            steps[0] - steps[1], -(beta / (1 - beta) ** 0.5) * slope, atol=1e-5, rtol=1e-3
        )
        assert 1 <= (1 - beta) ** -0.5 < 1.08


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
        ("clip: {class_path: lr_edit.no.Such}", "there is no class 'lr_edit.no.Such'"),
        (f"clip: {{class_path: {CLIP[:-1]}, init_args: {{name: x}}}}", f"the closest is '{CLIP}'"),
        (f"clip: {{class_path: {CLIP}, init_args: {{nome: x}}}}", "the closest is 'name'"),
        (f"clip: {{class_path: {SEGFORMER}, init_args: {{name: x}}}}", "not correspond"),
        (f"clip: {{class_path: {CLIP}}}", "required: name"),
        (f"clip: {{class_path: {CLIP}, init_args: {{name: x, colour: red}}}}", "colour"),
    ],
)
def test_wrong_files_are_told_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as got:
        load_models(write(tmp_path, text))
    assert "\n" not in str(got.value)
