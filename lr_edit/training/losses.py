"""Training losses as pure functions; they know no trainer."""

import math

import torch
from torch import Tensor, nn

from lr_edit.backbones.base import PerceptualDistance


def no_loss(module: nn.Module) -> Tensor:
    """Zero that depends on every weight of a module: processes that train together wait for the
    gradients of all, even of those that a step does not use."""
    return 0 * torch.stack([p.sum() for p in module.parameters()]).sum()


def velocity(x0: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """v = √ᾱ ε − √(1−ᾱ) x0 (Salimans & Ho, 2022, sec. 4); ᾱ broadcasts over [B, 3, S, S]."""
    return alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * x0


def add_noise(x0: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """x_t = √ᾱ x0 + √(1−ᾱ) ε (DDPM, eq. 4)."""
    return alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * noise


def region_distance(
    distance: PerceptualDistance, x0: Tensor, image: Tensor, mask: Tensor
) -> Tensor:
    """The perceptual distance [B] of x0 in the mask [B, 1, S, S], set into the image, from it.

    As a share of the mask's area, so that small regions count as much as large ones.
    """
    shown = mask * x0 + (1 - mask) * image
    area = mask.flatten(1).mean(1).clamp(min=0.02)
    return distance.distance(shown, image) / area


def noisy_times(
    count: int, steps: int, generator: torch.Generator, bias: float, taper: float = 0.0
) -> Tensor:
    """Timesteps int64 [count] in [0, steps), with a density ∝ t^bias (1 − t^(bias+1))^taper for t
    in [0, 1]; both 0 take all alike (Kumaraswamy's distribution, drawn by its inverse).

    At low noise v is almost the noise itself, which tells little about the picture: a bias spends
    learning where what stands in the region is decided (the idea of P2, Choi et al., 2022). At the
    highest there is little to see but the prompt: a taper spends it in the middle, where edges and
    parts are drawn (as the logit-normal times of Esser et al., 2024, sec. 3.1).
    """
    u = torch.rand(count, generator=generator, device=generator.device)
    t = (1 - (1 - u).pow(1 / (taper + 1))).pow(1 / (bias + 1))
    return (t * steps).long().clamp_max(steps - 1)


def region_mse(prediction: Tensor, target: Tensor, mask: Tensor, outside: float) -> Tensor:
    """Squared error [B], weighted 1 inside the mask [B, 1, S, S] and `outside` elsewhere.

    Each sample's weights sum to one, so that small regions count as much as large ones.
    """
    weight = mask + outside * (1 - mask)
    error = (prediction - target).square().mean(1, keepdim=True)
    return (weight * error).flatten(1).sum(1) / weight.flatten(1).sum(1)


def soft_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """−Σ target · log softmax(logits) per row [B]; target rows [B, K] sum to one."""
    return -(target * torch.log_softmax(logits, dim=-1)).sum(-1)


def balanced(logits: Tensor, temperature: float, rounds: int = 3) -> Tensor:
    """A teacher's word [N, K] by its logits [N, K]: rows sum to one, all prototypes get alike much.

    Sinkhorn–Knopp on exp(g / τ) (Caron et al., "SwAV", 2020, eq. 3), as DINOv2 in place of a moving
    centre: neither can one prototype win nor, as τ is small, all be alike.
    """
    logs = logits.float() / temperature
    for _ in range(rounds):
        logs = torch.log_softmax(logs, dim=0)
        logs = torch.log_softmax(logs, dim=1)
    return logs.exp()


def unexplained(guess: Tensor, target: Tensor) -> Tensor:
    """Which share of the variance of target [N, C] the guess [N, C] leaves, the mean over channels.

    Every channel counts alike, whatever its scale, and none for its mean (as features are whitened
    before they are distilled by Wei et al., "Feature Distillation", 2022, sec. 3.2).
    """
    level, spread = target.mean(0), target.std(0, correction=0).clamp(min=1e-6)
    return (guess - (target - level) / spread).square().mean()


def across_views(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean of −Σ teacher · log softmax(student) over all pairs of different crops.

    student: logits [B, S, K]; teacher: probabilities [B, T, K] of the first T of these crops
    (Caron et al., 2021, eq. 3).
    """
    logs = torch.log_softmax(student, dim=-1)
    pairs = -torch.einsum("btk,bsk->ts", teacher, logs) / len(student)
    different = ~torch.eye(*pairs.shape, dtype=torch.bool, device=pairs.device)
    return pairs[different].mean()


def cosine_path(start: float, end: float, share: float) -> float:
    """From start at share 0 to end at share 1, slowly at both ends."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
