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


def spread_out(agree: Tensor, side: int) -> Tensor:
    """Heat [B, P, side, side] of cosines [B, P, n, n] with windows: 0 at a picture's mean, 1 at its
    best."""
    number = agree.shape[-1]
    inner = round(side * number / (number + 1))
    heat = F.interpolate(agree.float(), (inner, inner), mode="bilinear", align_corners=False)
    before = (side - inner) // 2
    return standing_out(F.pad(heat, (before, side - inner - before) * 2, mode="replicate"))


def standing_out(heat: Tensor) -> Tensor:
    """Heat [B, P, h, w] with 0 at its mean and 1 at its best."""
    mean = heat.mean((2, 3), keepdim=True)
    return (heat - mean) / (heat.amax((2, 3), keepdim=True) - mean).clamp_min(1e-4)


def heat_target(heat: Tensor, threshold: float = 0.6, steep: float = 10.0) -> Tensor:
    """Soft masks of heat in [0, 1] or below: half where it is `threshold`."""
    return ((heat - threshold) * steep).sigmoid()


def pooled(mask: Tensor, seen: Tensor) -> Tensor:
    """What masks [P, 1, S, S] cover of embeddings [P, D, n, n]: unit [P, D]."""
    number = seen.shape[-1]
    half = mask.shape[-1] / (number + 1) / 2
    edge = round(half)
    middle = mask[..., edge : mask.shape[-1] - edge, edge : mask.shape[-1] - edge]
    weight = F.adaptive_avg_pool2d(middle, (number, number))
    return F.normalize((weight * seen).sum((2, 3)), dim=1)
