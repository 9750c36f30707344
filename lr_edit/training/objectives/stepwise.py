"""Learning with masks and with every step on the way to them: what cells show, what words fit.

A mask alone tells little of why it is right. On the tabletop it is known which things the single
words of a phrase fit before all of it is read, and what every thing is before any word is: both are
taught as well, the words after half of the rounds of reading. Who cannot see yet learns little from
phrases, so that a training may begin with the cells alone.
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lr_edit.regions.network import Proposals
from lr_edit.tabletop.predicates import MENTIONS
from lr_edit.training.objectives.base import Batch, Learner, quarter
from lr_edit.training.objectives.masks import MaskObjective
from lr_edit.training.objectives.traits import TraitHead, shown_errors


class StepwiseObjective(MaskObjective):
    """MaskObjective together with what every cell shows and with what the single words fit.

    A batch has "traits" and "middle" too, see `shown_errors`, and "mentions" [B, P, M, S, S], as
    `lr_edit.tabletop.referring` has them. traits, middle: weights of the two errors of what cells
    show; mentions: as much times the weighed mask error of what the words fit, on cells. alone: the
    share of a training from nothing, at its beginning, in which no phrase is read: only what cells
    show is asked, at a fraction of the cost. others: arguments of MaskObjective.
    """

    def __init__(
        self,
        traits: float = 2.0,
        middle: float = 4.0,
        mentions: float = 0.5,
        alone: float = 0.0,
        **others: float,
    ) -> None:
        super().__init__(**others)
        self.traits, self.middle, self.mentions = traits, middle, mentions
        self.alone = alone

    def head(self, width: int) -> nn.Module:
        """A TraitHead, and `mentions` of the cells [P, N, D] of a phrase's picture after some
        reading: logits [P, N, M], what each of MENTIONS fits."""
        mentions = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, len(MENTIONS)))
        return nn.ModuleDict({"traits": TraitHead(width), "mentions": mentions})

    def terms(
        self, learner: Learner, batch: Batch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        head = learner.head
        assert isinstance(head, nn.ModuleDict)
        lattice, seen = quarter(generator), learner.seen(batch)
        traits, middle = shown_errors(cast(TraitHead, head["traits"]), seen, batch)
        shown = {"traits": self.traits * traits, "middle": self.middle * middle}
        if learner.share < self.alone:
            return shown
        found = learner.read(seen, batch, lattice)
        return {
            **self.errors(found, batch, lattice),
            **shown,
            "mentions": self.mentions * self.unmentioned(head["mentions"], found, batch),
        }

    def unmentioned(self, head: nn.Module, found: Proposals, batch: Batch) -> Tensor:
        """The weighed mask error of what the words fit, after half of the rounds."""
        cells = found.cells[len(found.cells) // 2 - 1]
        grid = found.coarse.shape[-1]
        logits = head(cells).float().transpose(1, 2).flatten(0, 1)
        truth = batch["mentions"].flatten(0, 2).float()
        truth = F.adaptive_avg_pool2d(truth[:, None], (grid, grid))[:, 0]
        return self.both(logits.unflatten(1, (1, grid, grid)), truth).mean()
