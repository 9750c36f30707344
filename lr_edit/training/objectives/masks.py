"""Learning with masks: the best of K proposals is drawn to the truth, and they learn to rank.

As SAM (Kirillov et al., 2023, sec. 3 and app. A): only the best proposal is corrected, so that the
others are free to be other readings.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lr_edit.regions.network import Lattice, Proposals
from lr_edit.training.objectives.base import Batch, Learner, Objective, quarter
from lr_edit.training.objectives.mask_terms import dice_error, mean_where


class MaskObjective(Objective):
    """BCE + Dice on the best of K, score and presence supervised.

    mask, dice: weights of the two mask terms, the edit mask's counting `change` times as much.
    rest: share of the same loss that all the other proposals get, so that none dies. pick: weight
    of the error that is to be expected of the proposal picked by score; without it, proposals
    spread over whatever might be meant and the choice is left to the score alone. hint: weight of
    the errors on cells after every round. score, presence: of their cross-entropies. empty: of
    cells that are taken for what fits nothing.
    """

    def __init__(
        self,
        mask: float = 5.0,
        dice: float = 2.0,
        change: float = 0.5,
        rest: float = 0.05,
        pick: float = 0.5,
        hint: float = 0.5,
        score: float = 1.0,
        presence: float = 1.0,
        empty: float = 1.0,
    ) -> None:
        self.mask, self.dice, self.change, self.rest = mask, dice, change, rest
        self.pick, self.hint = pick, hint
        self.score, self.presence, self.empty = score, presence, empty

    def terms(
        self, learner: Learner, batch: Batch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        lattice = quarter(generator)
        return self.errors(learner.answers(batch, lattice=lattice), batch, lattice)

    def errors(self, found: Proposals, batch: Batch, lattice: Lattice) -> dict[str, Tensor]:
        """The terms of what was found, drawn at the pixels of a lattice."""
        rows, columns = lattice
        thing, change = (batch[k].flatten(0, 1).float() for k in ("object", "change"))
        hint = self.hints(found.coarse, thing)
        thing, change = thing[:, rows, columns], change[:, rows, columns]
        present = batch["present"].flatten()
        known = (batch["change_known"].flatten() & present).float()
        own = self.both(found.thing, thing)
        along = self.change * self.both(found.change, change) * known[:, None]
        best = own.detach().argmin(1, keepdim=True)
        total = own + along
        chosen = total.gather(1, best)[:, 0] + self.rest * total.mean(1)
        picked = (found.score.float().softmax(1) * total).sum(1)
        target = fitness(found, thing) * present[:, None]
        ranking = F.binary_cross_entropy_with_logits(found.score.float(), target, reduction="none")
        presence = F.binary_cross_entropy_with_logits(found.presence.float(), present.float())
        return {
            "masks": mean_where(chosen, present),
            "pick": self.pick * mean_where(picked, present),
            "hints": self.hint * mean_where(hint, present),
            "score": self.score * ranking.mean(),
            "presence": self.presence * presence,
            "empty": self.empty * emptiness(found.coarse, ~present),
        }

    def both(self, logits: Tensor, truth: Tensor) -> Tensor:
        """The weighted mask error [P, K]."""
        bce, dice = mask_errors(logits, truth)
        return self.mask * bce + self.dice * dice

    def hints(self, coarse: Tensor, thing: Tensor) -> Tensor:
        """The error [P] of the best proposal after every round, on cells: deep supervision, as
        Mask2Former (Cheng et al., 2022, sec. 3.2)."""
        cells = F.adaptive_avg_pool2d(thing[:, None], (coarse.shape[-2], coarse.shape[-1]))[:, 0]
        rounds = [self.both(coarse[:, r], cells).amin(1) for r in range(coarse.shape[1])]
        return torch.stack(rounds).mean(0)


def mask_errors(logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy and Dice error [P, K] of logits [P, K, S, S] against truth [P, S, S].

    The cross-entropy is a mean over pixels, of which a thing fills few; the Dice error (Milletari
    et al., 2016) does not depend on how many.
    """
    logits = logits.float()
    target = truth[:, None].expand_as(logits)
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean((2, 3))
    inside = logits.sigmoid()
    return bce, dice_error(inside, target)


def emptiness(coarse: Tensor, absent: Tensor) -> Tensor:
    """The cross-entropy of cells [P, R, K, G, G] with nothing, over the phrases that are absent."""
    taken = F.softplus(coarse.float()).mean((1, 2, 3, 4))
    return mean_where(taken, absent)


@torch.no_grad()
def fitness(found: Proposals, truth: Tensor) -> Tensor:
    """What a score should be [P, K]: 0 for an IoU up to .25, 1 from .75 on, so that it comes close
    to the chance of being right (IoU ≥ .5) and still ranks."""
    drawn, target = found.thing > 0, truth[:, None] > 0.5
    union = (drawn | target).sum((2, 3)).clamp_min(1)
    return (((drawn & target).sum((2, 3)) / union - 0.25) / 0.5).clamp(0, 1)
