"""What objectives ask of masks whatever they are learned from, as pure functions; no words here.

Masks are [P, 1, S, S] in [0, 1], one a phrase.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lr_edit.regions.network import Proposals


def mean_where(values: Tensor, there: Tensor) -> Tensor:
    """The mean of values where `there`, bool of the same shape, is true; 0 where it never is."""
    return (values * there).sum() / there.sum().clamp_min(1)


def mixture(found: Proposals) -> Tensor:
    """One soft mask [P, 1, S, S] of K proposals, each weighed by its score."""
    weight = found.score.float().softmax(1)[:, :, None, None]
    return (weight * found.thing.float().sigmoid()).sum(1, keepdim=True)


def unlike_target(mask: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy and Dice error of masks against soft targets [P, 1, S, S]."""
    with torch.autocast(mask.device.type, enabled=False):  # refused within it on a GPU
        hot = F.binary_cross_entropy(mask.float().clamp(1e-5, 1 - 1e-5), target.float())
    return hot + dice_error(mask, target).mean()


def dice_error(masks: Tensor, target: Tensor) -> Tensor:
    """The Dice error [P, K] of masks against targets [P, K, S, S] in [0, 1]."""
    both, total = (masks * target).sum((2, 3)), masks.sum((2, 3)) + target.sum((2, 3))
    return 1 - (2 * both + 1) / (total + 1)


def follow(found: Proposals, mask: Tensor) -> Tensor:
    """The edit masks learn the mask itself, where nothing tells of shadows."""
    target = mask.detach().expand_as(found.change)
    return F.binary_cross_entropy_with_logits(found.change.float(), target)


def out_of_range(areas: Tensor, least: float, most: float) -> Tensor:
    """By how much areas [P] miss the range, as shares of the picture."""
    return F.relu(least - areas) + F.relu(areas - most)


def total_variation(mask: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels."""
    return mask.diff(dim=2).abs().mean() + mask.diff(dim=3).abs().mean()


def unlike_neighbours(mask: Tensor, features: Tensor) -> Tensor:
    """Squared differences of a mask [P, 1, S, S] between neighbouring cells of features [P, C, h,
    w], weighed by how alike these are: affinity as a loss. CLIP-DINOiser's affinities are DINO's;
    here they are those of whatever features are given."""
    cells = F.adaptive_avg_pool2d(mask, (features.shape[-2], features.shape[-1]))
    unit = F.normalize(features.float(), dim=1)
    total = mask.new_zeros(())
    for axis in (2, 3):
        first, second = (
            unit.narrow(axis, 0, unit.shape[axis] - 1),
            unit.narrow(axis, 1, unit.shape[axis] - 1),
        )
        alike = F.relu((first * second).sum(1, keepdim=True)) ** 4
        total = total + (alike * cells.diff(dim=axis).square()).mean()
    return total
