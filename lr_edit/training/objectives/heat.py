"""Where CLIP sees a phrase: small overlapping windows of a picture, each embedded by itself.

Coarse, but it needs no mask: what the caption objective pools and what it starts from.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lr_edit.backbones.base import ImageTextEncoder
from lr_edit.backbones.windows import windows


@torch.no_grad()
def seen_through_windows(clip: ImageTextEncoder, images: Tensor, share: float) -> Tensor:
    """Unit embeddings [B, D, n, n] of square pictures [B, 3, S, S] through windows of that share of
    a side, half a window apart; the middle of each is a tile of its own."""
    half = max(1, round(images.shape[-1] * share / 2))
    seen = clip.encode_image(windows(images, 2 * half, half)).to(images.device)
    number = round((len(seen) / len(images)) ** 0.5)
    return seen.unflatten(0, (len(images), number, number)).permute(0, 3, 1, 2)


def heat_target(agree: Tensor, side: int, threshold: float = 0.6, steep: float = 10.0) -> Tensor:
    """Soft masks [P, 1, side, side] of where cosines [P, 1, n, n] stand out: half where they lie
    `threshold` of the way from the picture's mean to its best."""
    number = agree.shape[-1]
    inner = round(side * number / (number + 1))
    heat = F.interpolate(agree.float(), (inner, inner), mode="bilinear", align_corners=False)
    before = (side - inner) // 2
    heat = F.pad(heat, (before, side - inner - before) * 2, mode="replicate")
    mean = heat.mean((2, 3), keepdim=True)
    spread = (heat.amax((2, 3), keepdim=True) - mean).clamp_min(1e-4)
    return (((heat - mean) / spread - threshold) * steep).sigmoid()


def pooled(mask: Tensor, seen: Tensor) -> Tensor:
    """What masks [P, 1, S, S] cover of embeddings [P, D, n, n]: unit [P, D]."""
    number = seen.shape[-1]
    half = mask.shape[-1] / (number + 1) / 2
    edge = round(half)
    middle = mask[..., edge : mask.shape[-1] - edge, edge : mask.shape[-1] - edge]
    weight = F.adaptive_avg_pool2d(middle, (number, number))
    return F.normalize((weight * seen).sum((2, 3)), dim=1)
