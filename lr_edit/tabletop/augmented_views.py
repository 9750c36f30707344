"""Parts of pictures, each distorted in its own way, a whole batch at once and on its device."""

import math
import random

import torch
from torch import Tensor
from torch.nn.functional import pad
from torchvision.ops import roi_align

from lr_edit.images import from_uint8, luma

UNCHANGED = (0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0)
"""What a distortion is made of: flipped (1) or not, the hue's turn in radians, brightness,
contrast, saturation, gray (1) or not, and the blur's width in pixels."""
REACH = 2  # pixels that a blur looks to either side


def drawn_change(rng: random.Random, blurred: float) -> tuple[float, ...]:
    """A random distortion as UNCHANGED is one; blurred: how often it blurs.

    Colours tell two pictures of this world apart too easily; shapes and parts are to be learned.
    """
    turn = rng.uniform(-math.pi, math.pi) if rng.random() < 0.8 else 0.0
    lights = [rng.uniform(0.7, 1.3) for _ in "bcs"] if rng.random() < 0.8 else [1.0] * 3
    width = rng.uniform(0.3, 1.2) if rng.random() < blurred else 0.0
    flipped, gray = rng.random() < 0.5, rng.random() < 0.15
    return float(flipped), turn, *lights, float(gray), width


def turned(angles: Tensor) -> Tensor:
    """The matrices [N, 3, 3] that turn colours about the gray ones by so many radians [N]: the hue
    alone changes, the mean of red, green and blue does not."""
    cosine, sine = angles.cos(), angles.sin() / math.sqrt(3)
    rest = (1 - cosine) / 3
    a, b, c = cosine + rest, rest - sine, rest + sine
    return torch.stack((a, b, c, c, a, b, b, c, a), -1).unflatten(-1, (3, 3))


def recoloured(images: Tensor, changes: Tensor) -> Tensor:
    """Images [N, 3, S, S] in [-1, 1] with other hues, brightness, contrast and saturation, or gray;
    changes: [N, 7], rows as UNCHANGED."""
    _, turn, bright, contrast, saturation, gray, _ = changes[:, :, None, None, None].unbind(1)
    images = torch.einsum("ndc,ncyx->ndyx", turned(turn.flatten()), images).clamp(-1, 1)
    lights = luma(images)
    middle = lights.mean((-2, -1), keepdim=True)
    images = lights + saturation * (1 - gray) * (images - lights)
    images = middle + contrast * (images - middle)
    return ((images + 1) * bright - 1).clamp(-1, 1)


def blurred(images: Tensor, widths: Tensor) -> Tensor:
    """Images [N, C, S, S] under Gaussians of standard deviations [N] in pixels; 0 blurs nothing."""
    offsets = torch.arange(-REACH, REACH + 1, device=images.device)
    weights = (-(offsets**2) / (2 * widths.clamp(min=0.05)[:, None] ** 2)).exp()
    weights = (weights / weights.sum(1, keepdim=True))[..., None, None, None]
    for axis, padding in ((-1, (REACH, REACH, 0, 0)), (-2, (0, 0, REACH, REACH))):
        size = images.shape[axis]
        wide = pad(images, padding, mode="reflect")
        shifted = [wide.narrow(axis, k, size) for k in range(2 * REACH + 1)]
        images = (weights * torch.stack(shifted, 1)).sum(1)
    return images


def views(pictures: Tensor, boxes: Tensor, changes: Tensor, side: int) -> Tensor:
    """The parts of pictures inside boxes, each distorted: [B, N, 3, side, side] in [-1, 1].

    pictures: uint8 [B, H, W, 3]; boxes: float32 [B, N, 4], x0, y0, x1, y1 in pixels; changes:
    float32 [B, N, 7], rows as UNCHANGED. In float32 inside of autocast too: eight bits of a picture
    are more than bfloat16 has.
    """
    with torch.autocast(pictures.device.type, enabled=False):
        return _views(pictures, boxes, changes, side)


def _views(pictures: Tensor, boxes: Tensor, changes: Tensor, side: int) -> Tensor:
    owners = torch.arange(len(boxes), device=boxes.device).repeat_interleave(boxes.shape[1])
    rows = torch.cat((owners[:, None].float(), boxes.flatten(0, 1)), 1)
    parts = roi_align(from_uint8(pictures), rows, side, sampling_ratio=2, aligned=True)
    rows = changes.flatten(0, 1)
    parts = torch.where(rows[:, 0, None, None, None] > 0.5, parts.flip(-1), parts)
    parts = recoloured(parts, rows)
    soft = (rows[:, -1] > 0).nonzero()[:, 0]
    parts[soft] = blurred(parts[soft], rows[soft, -1])
    return parts.unflatten(0, boxes.shape[:2])
