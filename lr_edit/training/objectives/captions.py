"""Learning from captions only: pictures and phrases that are true of them, and never a mask.

As TCL (Cha et al., 2023) and CLIP-DINOiser (Wysoczańska et al., 2024) do it: what a mask pools of
the picture's features must say the phrase to CLIP, and phrases of other pictures must get no area.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lr_edit.backbones.base import ImageTextEncoder
from lr_edit.regions.network import Proposals
from lr_edit.training.objectives.base import Batch, Learner, Objective
from lr_edit.training.objectives.heat import heat_target, pooled, seen_through_windows
from lr_edit.training.objectives.mask_terms import (
    follow,
    mixture,
    out_of_range,
    total_variation,
    unlike_neighbours,
)


class CaptionObjective(Objective):
    """Region–text contrast, CLIP's heat, absence of foreign phrases, a range of areas, smoothness.

    clip: sees the picture through small windows, and is frozen. contrast, heat, absent, area,
    affinity, variation: weights of the terms; the affinity is that of the last feature map which
    the network reads: DINO's where there is one, as CLIP-DINOiser has it, else CLIP's. least, most:
    the range of areas, as shares of the picture, that costs nothing. temperature: of the contrast.
    alike: phrases with a cosine above this are not held against each other. window: of what CLIP
    sees at once, as a share of the picture's side, of which they lie half apart.
    """

    def __init__(
        self,
        clip: ImageTextEncoder,
        contrast: float = 0.5,
        heat: float = 2.0,
        absent: float = 0.5,
        area: float = 5.0,
        affinity: float = 1.0,
        variation: float = 0.2,
        least: float = 0.01,
        most: float = 0.12,
        temperature: float = 0.07,
        alike: float = 0.85,
        window: float = 0.25,
    ) -> None:
        self.clip, self.contrast, self.heat, self.absent = clip, contrast, heat, absent
        self.area, self.affinity, self.variation = area, affinity, variation
        self.least, self.most, self.temperature = least, most, temperature
        self.alike, self.window = alike, window

    def terms(
        self, learner: Learner, batch: Batch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        images, count = batch["image"], batch["edit"].shape[1]
        maps = learner.features.maps(images)
        own, foreign = (learner.answers({**batch, "phrases": p}, maps) for p in self.pairs(batch))
        texts = self.clip.encode_text(batch["phrases"]).to(images.device)
        wrong = foreign_to(texts, count, self.alike)
        mask, strange = mixture(own), mixture(foreign)
        windows = seen_through_windows(self.clip, images, self.window)
        seen = windows.repeat_interleave(count, 0)
        agree = torch.einsum("pdyx,pd->pyx", seen, texts)[:, None]
        target = heat_target(agree, images.shape[-1])
        hot = F.binary_cross_entropy(mask.clamp(1e-5, 1 - 1e-5), target)
        return {
            "contrast": self.contrast
            * contrast(pooled(mask, seen), texts, self.alike, self.temperature),
            "heat": self.heat * hot,
            "absent": self.absent * absence(own, foreign, strange, wrong),
            "area": self.area * out_of_range(mask.mean((1, 2, 3)), self.least, self.most).mean(),
            "affinity": self.affinity
            * unlike_neighbours(mask, maps[-1].repeat_interleave(count, 0)),
            "variation": self.variation * total_variation(mask),
            "change": follow(own, mask),
        }

    def pairs(self, batch: Batch) -> tuple[list[str], list[str]]:
        """The phrases, and those of the picture before in their place."""
        said, count = batch["phrases"], batch["edit"].shape[1]
        return said, said[-count:] + said[:-count]


def contrast(seen: Tensor, texts: Tensor, alike: float, temperature: float) -> Tensor:
    """Symmetric InfoNCE of N views [N, D] and their texts [N, D], both of unit length.

    Texts whose cosine is above `alike` may be true of each other's views and are left out.
    """
    same = (texts @ texts.T > alike) & ~torch.eye(len(texts), dtype=torch.bool, device=texts.device)
    logits = (seen.float() @ texts.float().T / temperature).masked_fill(same, -1e4)
    target = torch.arange(len(texts), device=texts.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def foreign_to(texts: Tensor, count: int, alike: float) -> Tensor:
    """bool [N]: whether phrase n of the picture before is unlike every phrase of this picture.

    texts: [N, D], `count` phrases a picture.
    """
    own = texts.unflatten(0, (-1, count))
    cosines = torch.einsum("bpd,bqd->bpq", own.roll(1, 0), own)
    return (cosines.amax(2) < alike).flatten()


def absence(own: Proposals, foreign: Proposals, strange: Tensor, wrong: Tensor) -> Tensor:
    """Presence for the own phrases, none and no area for those that are `wrong` here."""
    there = F.softplus(-own.presence.float()).mean()
    count = wrong.sum().clamp_min(1)
    gone = (F.softplus(foreign.presence.float()) * wrong).sum() / count
    return there + gone + (strange.mean((1, 2, 3)) * wrong).sum() / count
