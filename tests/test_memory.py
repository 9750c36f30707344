"""Memory that runs out: one line that says what helps there, wherever it happens."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from editor_fakes import GaussianDiffusion, box_mask, picture
from infer_calls import quick_edit
from lightning import Trainer
from tiny_models import tiny_models
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lr_edit.backbones.memory import enough_memory
from lr_edit.cli.main import main
from lr_edit.editors.guided import GuidedEditor
from lr_edit.errors import UserError
from lr_edit.guidance.options import NO_GUIDANCE
from lr_edit.images import to_pil
from lr_edit.training.recipe import Recipe, Schedule


def greedy(*_: Any, **__: Any) -> Any:
    """A network, or what stands in for one, that no device is large enough for."""
    raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2.00 GiB.")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models(tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize(
    ("network", "remedy"),
    [
        ("torch.nn.Module.to", "smaller model set (--models)"),
        ("lr_edit.backbones.segformer.SegformerSegmenter.logits", "give the region with --mask"),
        ("lr_edit.backbones.diffusion.UNetDiffusion.predict", "put checkpointing: true"),
        ("lr_edit.ranked.region_score", "give a smaller --ranking.copies"),
    ],
)
def test_every_stage_of_an_edit_says_what_helps(
    models: Path, tmp_path: Path, network: str, remedy: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    to_pil(picture(48, 64))[0].save(tmp_path / "photo.png")
    monkeypatch.setattr(network, greedy)
    words = quick_edit(tmp_path, models=models, proposer="segformer_clip", count=1)
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == "" and not (tmp_path / "out").exists()
    assert err.startswith("infer.py: the device ran out of memory: ") and err.count("\n") == 1
    assert remedy in err and "--device cpu" in err


def test_a_cpu_that_runs_out_says_so_too() -> None:
    with pytest.raises(UserError, match="machine ran out of memory: less"), enough_memory("less"):
        torch.empty(2**50)
    with pytest.raises(UserError, match="out of memory: less"), enough_memory("less"):
        raise MemoryError
    with pytest.raises(RuntimeError, match="shapes"), enough_memory("less"):
        raise RuntimeError("the shapes differ")


def test_the_innermost_advice_is_given() -> None:
    with pytest.raises(UserError, match=r"inner$"), enough_memory("outer"), enough_memory("inner"):
        greedy()


def test_a_model_of_pixels_names_checkpointing_first(monkeypatch: pytest.MonkeyPatch) -> None:
    editor = GuidedEditor(GaussianDiffusion(), weights=NO_GUIDANCE)
    monkeypatch.setattr(editor.diffusion, "predict", greedy)
    with pytest.raises(UserError, match=r"ran out of memory: put checkpointing: true.*--count"):
        editor.edit(picture(), box_mask(24, 24, 6, 6, 18, 18), "a cat", seeds=[0])


class Greedy(nn.Module):
    """A number to learn; where it is greedy, no memory is enough for it."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        if where == "backward":
            self.weight.register_hook(greedy)
        self.where = where

    def forward(self, batch: Tensor, stage: str) -> Tensor:
        return greedy() if stage == self.where else (self.weight * batch).mean()


class GreedyRecipe(Recipe):
    """Learns nothing, in too much memory."""

    def __init__(self, where: str) -> None:
        super().__init__(Schedule(), "")
        self.network = Greedy(where)

    def configure_optimizers(self) -> Any:
        given = super().configure_optimizers()
        if self.network.where == "optimizer":
            given["optimizer"].register_step_pre_hook(greedy)
        return given

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        return self.log_loss(self.network(batch, "training"))

    def validation_step(self, batch: Tensor, index: int) -> None:
        self.network(batch, "validation")

    test_step = validation_step


def trainer(folder: Path, **options: Any) -> Trainer:
    return Trainer(
        default_root_dir=folder, accelerator="cpu", max_epochs=1, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        num_sanity_val_steps=0, **options,
    )  # fmt: skip


@pytest.mark.parametrize("where", ["training", "backward", "optimizer", "validation"])
@pytest.mark.parametrize("accumulated", [1, 2])
@pytest.mark.filterwarnings("ignore")
def test_training_says_what_helps(where: str, accumulated: int, tmp_path: Path) -> None:
    batches: DataLoader[Any] = DataLoader(torch.ones(4, 1))  # type: ignore[arg-type]
    fit: Callable[..., None] = trainer(tmp_path, accumulate_grad_batches=accumulated).fit
    with pytest.raises(
        UserError, match=r"memory: give a smaller --data.init_args.batch_size"
    ) as got:
        fit(GreedyRecipe(where), batches, batches)
    told = str(got.value)
    assert "accumulate_grad_batches" in told and "--trainer.precision" in told and "\n" not in told


@pytest.mark.filterwarnings("ignore")
def test_recipes_with_enough_memory_are_as_before(tmp_path: Path) -> None:
    batches: DataLoader[Any] = DataLoader(torch.ones(4, 1))  # type: ignore[arg-type]
    recipe = GreedyRecipe("nowhere")
    trainer(tmp_path).fit(recipe, batches, batches)
    assert recipe.global_step == 4 and recipe.network.weight < 1
    trainer(tmp_path).test(recipe, batches, verbose=False)
