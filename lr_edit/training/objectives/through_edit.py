"""Learning through the edit: a region is good when repainting it makes the picture say the prompt.

The losses are Learnable Regions' own (Lin et al., CVPR 2024, sec. 3.3). Their released code lost
every gradient between them and the region; here they reach it, through a differentiable one-step
edit, or, for editors without derivatives, as a score-function estimate.
"""

from abc import abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from lr_edit.backbones.base import Diffusion
from lr_edit.backbones.open_clip_dense import OpenClipDense
from lr_edit.regions.edit_losses import direction_loss, structure_loss, text_loss
from lr_edit.regions.network import Proposals
from lr_edit.regions.rehearsal import rehearse
from lr_edit.training.objectives.base import Batch, Learner, Objective
from lr_edit.training.objectives.mask_terms import follow, mixture, out_of_range, total_variation


@dataclass(frozen=True)
class EditWeights:
    """Of Learnable Regions' three losses, of the range of areas, and of smoothness.

    Attributes:
        text: of 1 − cos(edited picture, prompt).
        direction: of the directional loss.
        structure: of the self-similarity loss.
        area: of areas outside the range.
        variation: of total variation.
        least: smallest area that costs nothing, as a share of the picture.
        most: largest such area.
    """

    text: float = 1.0
    direction: float = 1.0
    structure: float = 1.0
    area: float = 5.0
    variation: float = 0.2
    least: float = 0.01
    most: float = 0.12


class EditObjective(Objective):
    """What both ways share: the losses of edited pictures; a batch has "prompts" beside "phrases".

    clip: judges edits, frozen. diffusion: makes them. share: of the noise schedule that the source
    is noised by.
    """

    def __init__(
        self,
        clip: OpenClipDense,
        diffusion: Diffusion,
        weights: EditWeights | None = None,
        share: float = 0.7,
    ) -> None:
        self.clip, self.diffusion, self.share = clip, diffusion, share
        self.weights = weights or EditWeights()

    def terms(
        self, learner: Learner, batch: Batch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        found = learner.answers(batch)
        mask = mixture(found)
        judged = self.judge(batch, mask, generator)
        weights = self.weights
        areas = mask.mean((1, 2, 3))
        return {
            **judged,
            "area": weights.area * out_of_range(areas, weights.least, weights.most).mean(),
            "variation": weights.variation * total_variation(mask),
            "rest": follow(found, mask) + agree(found, mask),
        }

    @abstractmethod
    def judge(self, batch: Batch, mask: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """The terms that come from edits of soft masks [P, 1, S, S]."""

    def edited(self, batch: Batch, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Every phrase's picture with its mask repainted by its prompt."""
        count = batch["edit"].shape[1]
        images = batch["image"].repeat_interleave(count, 0)
        size = (len(images), 3, self.diffusion.size, self.diffusion.size)
        noise = torch.randn(size, generator=generator, device=generator.device).to(images)
        condition = self.diffusion.embed(batch["prompts"])
        return rehearse(self.diffusion, images, mask, condition, noise, self.share)

    @torch.no_grad()
    def references(self, batch: Batch) -> tuple[Tensor, ...]:
        """What edits are compared with, of every phrase: embeddings of source, prompt and caption,
        and the source's token map."""
        count, encoder = batch["edit"].shape[1], self.clip.encoder
        source = encoder.encode_image(batch["image"]).repeat_interleave(count, 0)
        prompt, caption = (encoder.encode_text(batch[k]) for k in ("prompts", "phrases"))
        tokens = self.clip.patch_features(batch["image"])[-1].repeat_interleave(count, 0)
        return source, prompt, caption, tokens

    def losses(self, references: tuple[Tensor, ...], edited: Tensor) -> dict[str, Tensor]:
        """The three losses [P] of edited pictures [P, 3, S, S], weighted."""
        clip, weights = self.clip, self.weights
        source, prompt, caption, tokens = references
        embedded = clip.encoder.encode_image(edited)
        return {
            "text": weights.text * text_loss(embedded, prompt),
            "direction": weights.direction * direction_loss(embedded, source, prompt, caption),
            "structure": weights.structure
            * structure_loss(clip.patch_features(edited)[-1], tokens),
        }


class DifferentiableEdit(EditObjective):
    """Gradients go through the edit itself."""

    def judge(self, batch: Batch, mask: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        losses = self.losses(self.references(batch), self.edited(batch, mask, generator))
        return {name: values.mean() for name, values in losses.items()}


class ScoreFunctionEdit(EditObjective):
    """REINFORCE (Williams, 1992) with a leave-one-out baseline (Kool et al., 2019).

    Regions are drawn cell by cell from the soft mask, edited without derivatives, and made likelier
    as far as they did better than the other draws. draws: how many; cells: of the grid, a side.
    """

    def __init__(
        self,
        clip: OpenClipDense,
        diffusion: Diffusion,
        weights: EditWeights | None = None,
        share: float = 0.7,
        draws: int = 4,
        cells: int = 8,
    ) -> None:
        super().__init__(clip, diffusion, weights, share)
        self.draws, self.cells = draws, cells

    def judge(self, batch: Batch, mask: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        chance = F.adaptive_avg_pool2d(mask, self.cells).clamp(0.01, 0.99)
        references = self.references(batch)
        chances, rewards = [], []
        for _ in range(self.draws):
            drawn = torch.rand(chance.shape, generator=generator, device=generator.device).to(mask)
            region = (drawn < chance).float()
            with torch.no_grad():
                full = F.interpolate(region, mask.shape[-2:], mode="nearest")
                losses = self.losses(references, self.edited(batch, full, generator))
            rewards.append(-torch.stack(list(losses.values())).sum(0))
            logs = region * chance.log() + (1 - region) * (1 - chance).log()
            chances.append(logs.sum((1, 2, 3)))
        return {"reinforced": reinforced(torch.stack(chances), torch.stack(rewards))}


def reinforced(chances: Tensor, rewards: Tensor) -> Tensor:
    """The loss whose gradient is that of the expected reward: log chances and rewards [N, P] of N
    draws; every draw is compared with the mean of the others."""
    count = len(rewards)
    others = (rewards.sum(0, keepdim=True) - rewards) / (count - 1)
    return -((rewards - others).detach() * chances).mean()


def agree(found: Proposals, mask: Tensor) -> Tensor:
    """Presence is learned to be one, edits speak of what is there; `mask` keeps K proposals one."""
    together = (found.thing.float().sigmoid() - mask.detach()).square().mean()
    return F.softplus(-found.presence.float()).mean() + together
