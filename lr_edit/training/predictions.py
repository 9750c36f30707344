"""What `train.py predict` leaves: the mask of every phrase as a PNG, and a line of figures each."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter

from lr_edit.files import made_folder, save_image
from lr_edit.images import mask_to_pil


class MaskWriter(BasePredictionWriter):
    """Writes each batch as it comes: folder/NNNNNN.png and a line in folder/masks_RANK.jsonl."""

    def __init__(self, folder: str) -> None:
        super().__init__("batch")
        self.folder = folder

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: Any,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        folder: Path = made_folder(self.folder)
        count = len(prediction["phrases"])
        first = (batch_idx * trainer.world_size + trainer.global_rank) * count
        lines = []
        for k, phrase in enumerate(prediction["phrases"]):
            name = f"{first + k:06d}.png"
            save_image(mask_to_pil(prediction["masks"][k : k + 1]), folder / name)
            facts = {n: round(float(prediction[n][k]), 4) for n in ("presence", "score")}
            lines.append(json.dumps({"file": name, "phrase": phrase, **facts}) + "\n")
        mode = "w" if batch_idx == 0 else "a"
        with (folder / f"masks_{trainer.global_rank}.jsonl").open(mode, encoding="utf-8") as file:
            file.writelines(lines)
