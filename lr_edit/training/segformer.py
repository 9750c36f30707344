"""The recipe of the tabletop SegFormer: transformers' own architecture, cross-entropy per pixel."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, interpolate

from lr_edit.backbones.folders import loading
from lr_edit.backbones.pretrained import from_folder
from lr_edit.tabletop.segments import CLASS_NAMES
from lr_edit.training.recipe import Recipe, Schedule


class SegformerRecipe(Recipe):
    """Class labels of every pixel at full resolution.

    widths, depths: of the four stages. start: a folder to go on from.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int] = (32, 64, 128, 160),
        depths: tuple[int, int, int, int] = (2, 2, 2, 2),
        start: str = "",
        schedule: Schedule = Schedule(),
        output: str = "",
    ) -> None:
        super().__init__(schedule, output)
        self.save_hyperparameters()
        from transformers import SegformerConfig, SegformerForSemanticSegmentation

        names = dict(enumerate(CLASS_NAMES))
        config = SegformerConfig(
            hidden_sizes=list(widths),
            depths=list(depths),
            num_attention_heads=[1, 2, 4, 5],
            decoder_hidden_size=128,
            hidden_dropout_prob=0.0,
            classifier_dropout_prob=0.0,
            drop_path_rate=0.0,
            id2label=names,
            label2id={name: i for i, name in names.items()},
        )
        if start:
            with loading(start):
                self.network = from_folder(SegformerForSemanticSegmentation, start).train()
        else:
            self.network = SegformerForSemanticSegmentation(config)

    def logits(self, images: Tensor) -> Tensor:
        """Class logits [B, K, H, W] at the pictures' size."""
        out = self.network(pixel_values=images).logits.float()
        return interpolate(out, size=images.shape[-2:], mode="bilinear", align_corners=False)

    def training_step(self, batch: dict[str, Any], index: int) -> Tensor:
        return self.log_loss(cross_entropy(self.logits(batch["image"]), batch["classes"]))

    def on_validation_epoch_start(self) -> None:
        self.overlaps = torch.zeros(2, len(CLASS_NAMES), device=self.device)

    def validation_step(self, batch: dict[str, Any], index: int) -> None:
        predicted, target = self.logits(batch["image"]).argmax(1), batch["classes"]
        for k in range(len(CLASS_NAMES)):
            ours, theirs = predicted == k, target == k
            self.overlaps[0, k] += (ours & theirs).sum()
            self.overlaps[1, k] += (ours | theirs).sum()

    def on_validation_epoch_end(self) -> None:
        seen = self.overlaps[1] > 0
        self.log("val_miou", (self.overlaps[0] / self.overlaps[1])[seen].mean(), prog_bar=True)

    def export(self, folder: Path) -> None:
        """A transformers folder with weights and image processor."""
        from copy import deepcopy

        from transformers import SegformerImageProcessor

        deepcopy(self.network).half().cpu().save_pretrained(folder)
        SegformerImageProcessor(
            do_reduce_labels=False, size={"height": 128, "width": 128},
            image_mean=[0.5, 0.5, 0.5], image_std=[0.5, 0.5, 0.5],
        ).save_pretrained(folder)  # fmt: skip
