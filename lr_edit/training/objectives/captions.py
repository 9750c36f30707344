"""Learning from captions only: pictures and phrases that are true of them, and never a mask.

As TCL (Cha et al., 2023) and CLIP-DINOiser (Wysoczańska et al., 2024) do it: what a mask pools of
the picture's features must say the phrase to CLIP, and phrases of other pictures must get no area.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lr_edit.backbones.base import ImageTextEncoder
from lr_edit.regions.network import Proposals
from lr_edit.training.objectives.base import Batch, Learner, Objective, quarter
from lr_edit.training.objectives.heat import (
    heat_target,
    pooled,
    seen_through_windows,
    spread_out,
    standing_out,
)
from lr_edit.training.objectives.mask_terms import (
    follow,
    mean_where,
    mixture,
    out_of_range,
    total_variation,
    unlike_neighbours,
    unlike_target,
)
from lr_edit.training.objectives.refine import refined


class CaptionObjective(Objective):
    """Region–text contrast, CLIP's heat, absence of foreign phrases, a range of areas, smoothness.

    A batch may say more than it asks: "meant", for every phrase one or more texts that a caption
    has for the same things, by which CLIP looks for them; "clear", the pictures [B, 3, S, S] as
    CLIP is to see them, whatever the network is shown.

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
        rows, columns = lattice = quarter(generator)
        maps, count = learner.features.maps(batch["image"]), batch["edit"].shape[1]
        elsewhere = said_elsewhere(batch)
        own, foreign = (learner.answers(one, maps, lattice) for one in (batch, elsewhere))
        clear = batch["clear" if "clear" in batch else "image"]
        windows = seen_through_windows(self.clip, clear, self.window)
        meant = batch.get("meant") or [(text,) for text in batch["phrases"]]
        texts, heat = self.heat_of(windows, meant, clear[..., rows, columns])
        # An edit prompt of another picture may well be about a thing of this one.
        wrong = foreign_to(texts, count, self.alike) & ~elsewhere["edit"].flatten()
        mask, strange = mixture(own), mixture(foreign)
        views = pooled(mask, windows.repeat_interleave(count, 0))
        return {
            "contrast": self.contrast * contrast(views, texts, self.alike, self.temperature),
            "heat": self.heat * unlike_target(mask, heat_target(heat)),
            "absent": self.absent * absence(own, foreign, strange, wrong),
            "area": self.area * out_of_range(mask.mean((1, 2, 3)), self.least, self.most).mean(),
            "affinity": self.affinity
            * unlike_neighbours(mask, maps[-1].repeat_interleave(count, 0)),
            "variation": self.variation * total_variation(mask),
            "change": follow(own, mask),
        }

    @torch.no_grad()
    def heat_of(
        self, windows: Tensor, meant: Sequence[Sequence[str]], images: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What P phrases a picture say to CLIP, unit [B·P, D], and where it sees them [B·P, 1, h,
        w], on pictures [B, 3, h, w]; each is meant by one or more texts, and seen where any is."""
        every = sorted({text for texts in meant for text in texts})
        known = dict(zip(every, self.clip.encode_text(every).to(images.device), strict=True))
        side, count = images.shape[-1], len(meant) // len(images)
        said, seen = [], []
        for number, texts in enumerate(meant):
            found = torch.stack([known[text] for text in texts])
            agree = torch.einsum("dyx,td->tyx", windows[number // count], found)
            seen.append(spread_out(agree[None], side)[0].amax(0))
            said.append(F.normalize(found.mean(0), dim=0))
        heat = torch.stack(seen).unflatten(0, (len(images), count))
        sharp = standing_out(refined(heat, images)).flatten(0, 1)
        return torch.stack(said), sharp[:, None]


def said_elsewhere(batch: Batch) -> Batch:
    """The batch with the phrases of the picture before in place of each picture's own."""
    count = batch["edit"].shape[1]
    said: Batch = {
        n: batch[n][-count:] + batch[n][:-count] for n in ("phrases", "paints") if n in batch
    }
    return {**batch, **said, "edit": batch["edit"].roll(1, 0)}


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
    gone = mean_where(F.softplus(foreign.presence.float()), wrong)
    return there + gone + mean_where(strange.mean((1, 2, 3)), wrong)
