"""What a region network sees while it learns: validation masks and curves, as pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from PIL import Image

from lr_edit.evaluation.pictures import titled
from lr_edit.evaluation.region_pictures import outlined
from lr_edit.files import save_image
from lr_edit.output import made_folder, replacing
from lr_edit.regions.network import Proposals
from lr_edit.tabletop.sheet import Cell, Line, contact_sheet

_SIDE, _COLUMNS = 150, 6


class ValidationPictures(Callback):
    """After every validation: a sheet of its first phrases and the curves so far.

    Of losses a curve has the mean since the validation before: one batch says little. folder: where
    step_N.png and curves.png are written; TensorBoard gets the sheet as well, where it logs.
    pictures: how many are shown, each with all its phrases.
    """

    def __init__(self, folder: str, pictures: int = 6) -> None:
        self.folder, self.pictures = folder, pictures
        self.curves: dict[str, list[tuple[int, float]]] = {}
        self.sums: dict[str, tuple[torch.Tensor, int]] = {}

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        for name, value in trainer.callback_metrics.items():
            if name.startswith("loss"):
                total, count = self.sums.get(name, (torch.zeros_like(value), 0))
                self.sums[name] = total + value.detach(), count + 1

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        module: Any = pl_module
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        items = [data.validation[i] for i in range(min(self.pictures, len(data.validation)))]
        batch = module.transfer_batch_to_device(data.validation.collate(items), module.device, 0)
        page = seen(module.learner.answers(batch), batch, f"step {trainer.global_step}")
        folder = made_folder(self.folder)
        save_image(page, folder / f"step_{trainer.global_step:06d}.png")
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                pixels = np.asarray(page.convert("RGB"))
                logger.experiment.add_image("masks", pixels, trainer.global_step, dataformats="HWC")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        means = {name: total / count for name, (total, count) in self.sums.items()}
        measured = {n: v for n, v in trainer.callback_metrics.items() if n.startswith("val_")}
        for name, value in {**means, **measured}.items():
            self.curves.setdefault(name, []).append((trainer.global_step, float(value)))
        self.sums = {}
        with replacing(made_folder(self.folder) / "curves.png") as temporary:
            draw_curves(self.curves, temporary)

    def state_dict(self) -> dict[str, Any]:
        return {"curves": self.curves, "sums": self.sums}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.curves, self.sums = state_dict["curves"], state_dict.get("sums", {})


@torch.no_grad()
def seen(found: Proposals, batch: dict[str, Any], title: str) -> Image.Image:
    """A sheet of a batch's phrases: the mask of the best proposal outlined, IoU and presence."""
    count = batch["edit"].shape[1]
    masks = found.best()[0] > 0
    cells = []
    for p, phrase in enumerate(batch["phrases"]):
        mask = masks[p][None, None].float().cpu()
        truth = batch["object"].flatten(0, 1)[p].cpu()
        drawn = mask[0, 0] > 0.5
        iou = float((drawn & truth).sum() / (drawn | truth).sum().clamp_min(1))
        presence = float(found.presence[p].sigmoid())
        picture = outlined(batch["image"][p // count : p // count + 1].float().cpu(), mask)
        there = f"IoU {iou:.2f}" if bool(truth.any()) else "fits nothing"
        cells.append(Cell((picture,), (Line(phrase), Line(f"{there} · presence {presence:.2f}"))))
    return titled(contact_sheet(cells, _COLUMNS, _SIDE), title, "outlined: the best proposal")


def draw_curves(curves: dict[str, list[tuple[int, float]]], path: Path) -> None:
    """One panel a metric, by step, as a PNG."""
    from matplotlib.figure import Figure

    columns = 3
    rows = max(1, -(-len(curves) // columns))
    figure = Figure(figsize=(4 * columns, 2.6 * rows), layout="constrained")
    for k, (name, values) in enumerate(sorted(curves.items())):
        axes = figure.add_subplot(rows, columns, k + 1)
        axes.plot([step for step, _ in values], [value for _, value in values])
        axes.set(title=name, xlabel="step")
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=90, format="png")
