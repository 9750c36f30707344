"""Learning through the edit: a region is good when repainting it makes the picture say the prompt.

The losses are Learnable Regions' own (Lin et al., CVPR 2024, sec. 3.3). Their released code lost
every gradient between them and the region; here they reach it, through a differentiable one-step
edit, or, for editors without derivatives, as a score-function estimate.
"""

from abc import abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from lr_edit.backbones.base import Diffusion
from lr_edit.backbones.devices import plain_attention
from lr_edit.backbones.latent import Inpainter
from lr_edit.backbones.open_clip_dense import OpenClipDense
from lr_edit.errors import UserError
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
    """What both ways share: the losses of edited pictures.

    A batch has "prompts" beside "phrases", what things are turned into, and "captions", what they
    are before it; without these, the phrases say it. clip: judges edits, frozen.
    """

    def __init__(self, clip: OpenClipDense, weights: EditWeights | None = None) -> None:
        self.clip, self.weights = clip, weights or EditWeights()

    def terms(self, learner: Learner, batch: Batch, generator: Generator) -> dict[str, Tensor]:
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
    def judge(self, batch: Batch, mask: Tensor, generator: Generator) -> dict[str, Tensor]:
        """The terms that come from edits of soft masks [P, 1, S, S]."""

    @torch.no_grad()
    def references(self, batch: Batch) -> tuple[Tensor, ...]:
        """What edits are compared with, of every phrase: embeddings of source, prompt and caption,
        and the source's token map."""
        count, encoder = batch["edit"].shape[1], self.clip.encoder
        maps, source = self.clip.patches_and_whole(batch["image"])
        prompt = encoder.encode_text(batch["prompts"])
        caption = encoder.encode_text(batch["captions" if "captions" in batch else "phrases"])
        source, tokens = (told.repeat_interleave(count, 0) for told in (source, maps[-1]))
        return source, prompt, caption, tokens

    def losses(self, references: tuple[Tensor, ...], edited: Tensor) -> dict[str, Tensor]:
        """The three losses [P] of edited pictures [P, 3, S, S], weighted."""
        weights = self.weights
        source, prompt, caption, tokens = references
        with plain_attention(edited.device):
            maps, embedded = self.clip.patches_and_whole(edited)
        return {
            "text": weights.text * text_loss(embedded, prompt),
            "direction": weights.direction * direction_loss(embedded, source, prompt, caption),
            "structure": weights.structure * structure_loss(maps[-1], tokens),
        }


class DifferentiableEdit(EditObjective):
    """Gradients go through the edit itself.

    diffusion: makes the edits. share: of the noise schedule that the source is noised by.
    """

    def __init__(
        self,
        clip: OpenClipDense,
        diffusion: Diffusion,
        weights: EditWeights | None = None,
        share: float = 0.7,
    ) -> None:
        super().__init__(clip, weights)
        self.diffusion, self.share = diffusion, share

    def judge(self, batch: Batch, mask: Tensor, generator: Generator) -> dict[str, Tensor]:
        edited = rehearsed(self.diffusion, batch, mask, generator, self.share)
        losses = self.losses(self.references(batch), edited)
        return {name: values.mean() for name, values in losses.items()}


class ScoreFunctionEdit(EditObjective):
    """REINFORCE (Williams, 1992) with a leave-one-out baseline (Kool et al., 2019).

    Regions are drawn cell by cell from the soft mask, edited without derivatives, and made likelier
    as far as they did better than the other draws. diffusion: makes the edits, in one step from
    `share` of the noise schedule; or a whole pipeline that knows no derivatives, in `steps` at the
    scale `cfg`. draws: how many; cells: of the grid, a side.
    """

    def __init__(
        self,
        clip: OpenClipDense,
        diffusion: Diffusion | Inpainter,
        weights: EditWeights | None = None,
        share: float = 0.7,
        draws: int = 4,
        cells: int = 8,
        steps: int = 20,
        cfg: float = 7.5,
    ) -> None:
        super().__init__(clip, weights)
        if draws < 2:
            raise UserError(f"draws is {draws}: give 2 or more, each is compared with the others")
        self.diffusion, self.share = diffusion, share
        self.draws, self.cells = draws, cells
        self.steps, self.cfg = steps, cfg

    def judge(self, batch: Batch, mask: Tensor, generator: Generator) -> dict[str, Tensor]:
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

    def edited(self, batch: Batch, mask: Tensor, generator: Generator) -> Tensor:
        """Every phrase's picture with its mask repainted by its prompt."""
        if isinstance(self.diffusion, Inpainter):
            return repainted(self.diffusion, batch, mask, generator, self.steps, self.cfg)
        return rehearsed(self.diffusion, batch, mask, generator, self.share)


def rehearsed(
    diffusion: Diffusion, batch: Batch, mask: Tensor, generator: Generator, share: float
) -> Tensor:
    """Every phrase's picture [P, 3, S, S], its mask [P, 1, S, S] repainted by its prompt in one
    step; gradients reach the mask."""
    images = _pictures(batch)
    size = (len(images), 3, diffusion.size, diffusion.size)
    noise = torch.randn(size, generator=generator, device=generator.device).to(images)
    return rehearse(diffusion, images, mask, diffusion.embed(batch["prompts"]), noise, share)


def repainted(
    inpainter: Inpainter, batch: Batch, mask: Tensor, generator: Generator, steps: int, cfg: float
) -> Tensor:
    """The same by a pipeline, one picture after the other; no gradient passes it."""
    images, size = _pictures(batch), (inpainter.size, inpainter.size)
    small = F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
    holes = F.interpolate(mask, size, mode="nearest")
    seeds = torch.randint(2**31, (len(images),), generator=generator, device=generator.device)
    painted = torch.cat(
        [
            inpainter.paint(
                small[k : k + 1], holes[k : k + 1], prompt, Generator().manual_seed(int(seeds[k])),
                steps=steps, cfg=cfg,
            )
            for k, prompt in enumerate(batch["prompts"])
        ]
    )  # fmt: skip
    painted = F.interpolate(painted, images.shape[-2:], mode="bilinear", align_corners=False)
    return images + mask * (painted - images)


def _pictures(batch: Batch) -> Tensor:
    """The picture [P, 3, S, S] of every phrase."""
    return batch["image"].repeat_interleave(batch["edit"].shape[1], 0)


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
