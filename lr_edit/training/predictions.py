"""What `train.py predict` leaves: the mask of every phrase as a PNG, and a line of figures each.

Stopped at any moment and started again, it goes on with the samples that are missing.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import Tensor

from lr_edit.backbones.checks import file_hashes
from lr_edit.data.remaining import Keeper
from lr_edit.errors import UserError
from lr_edit.files import save_image
from lr_edit.images import mask_to_pil
from lr_edit.output import made_folder, replacing, sweep, unfinished

_RECORD, _INDEX = "masks.json", "masks.jsonl"


class MaskFolder:
    """root/NNNNNN is sample N, whole or not at all: K.png, the mask of phrase K, and masks.json.

    masks.json: "weights", as of `weights_of`; "masks": file (from the root), phrase, presence and
    score of each.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def finished(self) -> list[int]:
        """The numbers of the samples that are there, in order."""
        found = (path.parent.name for path in self.root.glob(f"[0-9]*/{_RECORD}"))
        return sorted(int(name) for name in found if name.isdigit())

    def record(self, number: int) -> dict[str, Any]:
        """What masks.json says of a sample that is there."""
        text = (self.root / f"{number:06d}" / _RECORD).read_text(encoding="utf-8")
        return dict(json.loads(text))

    def keep(
        self, number: int, masks: Tensor, facts: Sequence[dict[str, Any]], weights: str
    ) -> None:
        """Writes a sample, unless it is there. masks: [P, 1, S, S] in [0, 1]. facts: of each mask.

        Raises UserError where it cannot be written.
        """
        name = f"{number:06d}"
        lines = [{"file": f"{name}/{k}.png", **fact} for k, fact in enumerate(facts)]
        with self.unfinished() as folder:
            folder.mkdir(parents=True)
            for k in range(len(lines)):
                save_image(mask_to_pil(masks[k : k + 1]), folder / f"{k}.png")
            text = json.dumps({"weights": weights, "masks": lines}, indent=1)
            (folder / _RECORD).write_text(text + "\n", encoding="utf-8")
            if not (self.root / name / _RECORD).exists():
                folder.replace(self.root / name)

    def write_index(self) -> None:
        """Replaces masks.jsonl: a line for each mask that is there, in order."""
        masks = (mask for number in self.finished() for mask in self.record(number)["masks"])
        with replacing(made_folder(self.root) / _INDEX) as path:
            path.write_text("".join(json.dumps(mask) + "\n" for mask in masks), encoding="utf-8")

    @contextmanager
    def unfinished(self) -> Iterator[Path]:
        """A new name in the folder, gone in the end; what the disk refuses becomes UserError."""
        try:
            with unfinished(self.root) as path:
                yield path
        except OSError as error:
            raise UserError(
                f"the predictions cannot be written to {str(self.root)!r} "
                f"({error.strerror or error}): make room, or choose another folder"
            ) from error


class MaskWriter(BasePredictionWriter, Keeper):
    """Writes each sample as it comes, see `MaskFolder`, and folder/masks.jsonl, all lines, at last.

    Of a folder that holds samples already, those that are missing are made. Whoever writes them,
    and in how many processes, the files are the same.
    """

    def __init__(self, folder: str) -> None:
        super().__init__("batch")
        self.folder = MaskFolder(folder)
        self.weights = ""

    def finished(self, trainer: Any, dataset: Any) -> Collection[int]:
        """As of Keeper. UserError for masks by other weights, or of other samples."""
        if trainer.is_global_zero:
            sweep(self.folder.root)  # nobody writes before all are here
        self.weights = weights_of(trainer)
        done: list[int] = trainer.strategy.broadcast(self.folder.finished())
        if done and done[0] < len(dataset):
            record, phrases = self.folder.record(done[0]), dataset[done[0]]["phrases"]
            same = [mask["phrase"] for mask in record["masks"]] == list(phrases)
            if not same or record["weights"] != self.weights:
                other = "by other weights" if same else "of other samples"
                raise UserError(
                    f"{str(self.folder.root)!r} holds masks {other}: remove it or move it away, "
                    "and all are made anew"
                )
        return done

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
        numbers = list(batch_indices or ())
        count = len(prediction["phrases"]) // max(1, len(numbers))
        for place, number in enumerate(numbers):
            own = range(place * count, (place + 1) * count)
            facts = [
                {"phrase": prediction["phrases"][k]}
                | {n: round(float(prediction[n][k]), 4) for n in ("presence", "score")}
                for k in own
            ]
            masks = prediction["masks"][own.start : own.stop]
            self.folder.keep(number, masks, facts, self.weights)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "predict":
            trainer.strategy.barrier("predictions")
            if trainer.is_global_zero:
                self.folder.write_index()


def weights_of(trainer: Any) -> str:
    """16 hexadecimal digits for the weights that a trainer predicts with.

    They are those of its checkpoint; without one, those that the recipe's `start` or `shipped`
    name.
    """
    if trainer.ckpt_path and Path(trainer.ckpt_path).is_file():
        return sha256(Path(trainer.ckpt_path).read_bytes()).hexdigest()[:16]
    options = trainer.lightning_module.hparams
    names = [str(trainer.ckpt_path), *(str(options.get(key, "")) for key in ("start", "shipped"))]
    known = [(name, file_hashes(name) if name and Path(name).is_dir() else {}) for name in names]
    return sha256(json.dumps(known).encode()).hexdigest()[:16]
