"""The recipe of the tabletop LPIPS: a trunk that names things, heads that order distortions."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from lr_edit.backbones.perceptual import build_lpips, clamp_heads, load_lpips, save_lpips
from lr_edit.backbones.perceptual_trunk import PerceptualTrunk
from lr_edit.tabletop.scene import COLOURS, NOUNS, SURFACES
from lr_edit.training.recipe import Recipe, Schedule

LABELS = {"noun": len(NOUNS), "colour": len(COLOURS), "surface": len(SURFACES)}


class PerceptualRecipe(Recipe):
    """Classification for the trunk, ranking of distortion strength for trunk and heads.

    widths: channels of the trunk's stages. start: a folder to go on from.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (16, 32, 48, 64, 96),
        start: str = "",
        schedule: Schedule = Schedule(learning_rate=2e-3, warmup=100, decay=0.6),
        output: str = "",
    ) -> None:
        super().__init__(schedule, output)
        self.save_hyperparameters()
        self.network = load_lpips(start) if start else build_lpips(PerceptualTrunk(widths))
        self.network.requires_grad_(True).train()
        self.heads = nn.ModuleDict({k: nn.Linear(widths[-1], n) for k, n in LABELS.items()})
        self.sharpness = nn.Parameter(torch.tensor(2.0))

    def margin(self, batch: dict[str, Any]) -> Tensor:
        """How much further the strong distortion is than the weak one, [B]."""
        source = batch["image"]
        weak, strong = (self.network(source, batch[k]).flatten() for k in ("weak", "strong"))
        return strong - weak

    def training_step(self, batch: dict[str, Any], index: int) -> Tensor:
        devices = [] if self.device.type == "cpu" else [self.device]
        with torch.random.fork_rng(devices=devices):  # the heads drop channels at random
            torch.manual_seed(self.generator("cpu").initial_seed())
            margin = self.margin(batch).float() * self.sharpness.exp()
        ranking = binary_cross_entropy_with_logits(margin, torch.ones_like(margin))
        last = self.network.net(self.network.scaling_layer(batch["image"]))[-1].mean((2, 3))
        naming = sum(cross_entropy(head(last).float(), batch[k]) for k, head in self.heads.items())
        return self.log_loss(ranking + 0.3 * naming)

    def optimizer_step(self, *arguments: Any, **options: Any) -> None:
        super().optimizer_step(*arguments, **options)
        clamp_heads(self.network)

    def validation_step(self, batch: dict[str, Any], index: int) -> None:
        ordered = (self.margin(batch) > 0).float().mean()
        self.log("ordered", ordered, prog_bar=True, batch_size=len(batch["image"]))

    test_step = validation_step

    def export(self, folder: Path) -> None:
        save_lpips(folder, self.network)
