"""The recipe of the judge, which is used only to measure."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from lr_edit.backbones.judge import NOTHING, JudgeNetwork, load_judge, save_judge
from lr_edit.tabletop.judged import NOTHING as NOTHING_INDEX
from lr_edit.tabletop.scene import COLOURS, NOUNS
from lr_edit.training.recipe import Recipe, Schedule


class JudgeRecipe(Recipe):
    """Noun (or nothing recognisable) of every region, and the colour where there is a thing.

    widths: channels of the stages. start: a folder to go on from.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (24, 48, 96, 128),
        start: str = "",
        schedule: Schedule = Schedule(learning_rate=2e-3, decay=0.6, weight_decay=0.02),
        output: str = "",
    ) -> None:
        super().__init__(schedule, output)
        self.save_hyperparameters()
        self.network = (
            load_judge(start) if start else JudgeNetwork((*NOUNS, NOTHING), COLOURS, widths)
        )
        self.network.requires_grad_(True).train()

    def training_step(self, batch: dict[str, Any], index: int) -> Tensor:
        nouns, colours = self.network(batch["image"], batch["mask"])
        colour_target = torch.where(batch["noun"] == NOTHING_INDEX, -100, batch["colour"])
        loss = cross_entropy(nouns.float(), batch["noun"])
        return self.log_loss(loss + 0.5 * cross_entropy(colours.float(), colour_target))

    def validation_step(self, batch: dict[str, Any], index: int) -> None:
        nouns, colours = self.network(batch["image"], batch["mask"])
        hit = (nouns.argmax(1) == batch["noun"]).float()
        colour_hit = (colours.argmax(1) == batch["colour"]).float()
        for kind in sorted(set(batch["kind"])):
            of_kind = torch.tensor([k == kind for k in batch["kind"]], device=hit.device)
            count = int(of_kind.sum())
            self.log(f"hit_{kind}", hit[of_kind].mean(), batch_size=count, prog_bar=True)
            if kind == "true":
                self.log("colour_true", colour_hit[of_kind].mean(), batch_size=count)

    test_step = validation_step

    def export(self, folder: Path) -> None:
        save_judge(folder, self.network)
