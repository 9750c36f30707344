"""Learning on one picture: every iteration is a step of the optimiser, and the curve is kept."""

from itertools import pairwise
from pathlib import Path

import per_image_fakes
import pytest
import torch
from editor_fakes import picture
from lightning import Trainer
from PIL import Image
from torch import Tensor

from lr_edit.errors import UserError
from lr_edit.images import to_pil
from lr_edit.regions.per_image import PerImageOptions
from lr_edit.regions.shapes import Shape
from lr_edit.training.per_image import PerImageRecipe

STEPS = 4
SHAPES = ("boxes", "masks")
State = dict[str, Tensor]


def state(shape: Shape) -> State:
    return {name: value.detach().clone() for name, value in shape.named_parameters()}


def listened(shape: Shape, monkeypatch: pytest.MonkeyPatch) -> list[State]:
    """What the parameters are whenever masks are drawn: at the start of every iteration."""
    seen: list[State] = []
    draw = shape.draw

    def drawn(generator: torch.Generator) -> Tensor:
        seen.append(state(shape))
        return draw(generator)

    monkeypatch.setattr(shape, "draw", drawn)
    return seen


def recipe(folder: Path, shape: str = "boxes") -> PerImageRecipe:
    """The recipe on a picture in that folder; networks are tiny."""
    to_pil(picture(32, 40))[0].save(folder / "photo.png")
    method = per_image_fakes.proposer(shape)
    options = PerImageOptions(shape, anchors=3, iterations=STEPS)  # type: ignore[arg-type]
    return PerImageRecipe(
        str(folder / "photo.png"), "a blue mug", method.clip, method.dino, method.diffusion,
        options, str(folder / "learned"),
    )  # fmt: skip


def fit(learning: PerImageRecipe) -> Trainer:
    trainer = Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1,
    )  # fmt: skip
    trainer.fit(learning)
    return trainer


def check_every_step_moves_all(seen: list[State]) -> None:
    assert len(seen) == STEPS + 1
    for before, after in pairwise(seen):
        for name, value in before.items():
            assert not torch.equal(value, after[name]), name


@pytest.mark.parametrize("shape", SHAPES)
def test_every_iteration_is_a_step(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the released code ten iterations gather gradients for one step."""
    method, image = per_image_fakes.proposer(shape, anchors=3, iterations=STEPS), picture(32, 40)
    regions = method.shape(image)
    seen = listened(regions, monkeypatch)
    references = method.references(image, "a blue mug")
    method.learn(regions, references, torch.Generator().manual_seed(0))
    check_every_step_moves_all([*seen, state(regions)])
    assert len(method.curve) == STEPS


@pytest.mark.parametrize("shape", SHAPES)
def test_every_batch_of_the_recipe_is_a_step(
    shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    learning = recipe(tmp_path, shape)
    seen = listened(learning.shape, monkeypatch)
    assert fit(learning).global_step == STEPS
    after = state(learning.shape)
    check_every_step_moves_all([*seen[:STEPS], after])  # masks draw again for the last region


def test_the_recipe_leaves_the_region_a_sheet_and_its_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    learning = recipe(tmp_path)
    fit(learning)
    left = {path.name for path in (tmp_path / "learned").iterdir()}
    assert left == {"region.png", "sheet.png", "loss.png"}
    curve = Image.open(tmp_path / "learned/loss.png")
    assert curve.format == "PNG" and curve.width > 300
    assert set(learning.curves) == {"loss", "text", "direction", "structure"}
    steps = {name: [step for step, _ in values] for name, values in learning.curves.items()}
    assert set(map(tuple, steps.values())) == {tuple(range(STEPS))}
    terms = [learning.curves[name] for name in ("text", "direction", "structure")]
    for (_, loss), *parts in zip(learning.curves["loss"], *terms, strict=True):
        assert loss == pytest.approx(sum(value for _, value in parts), rel=1e-5)


def test_a_recipe_that_would_learn_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing is learned"):
        recipe(tmp_path, "random")
