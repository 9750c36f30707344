"""Where a region network says "nothing": its threshold, set on phrases that it did not learn from.

A network learns from a mixture in which most phrases fit something, and leans that way; how often a
phrase that fits may be refused is for people to say. It knows neither data nor objectives.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from lr_edit.regions.network import RegionNetwork
from lr_edit.training.objectives.base import Batch, Learner


@torch.no_grad()
def presences(learner: Learner, batches: Iterable[Batch], device: torch.device) -> Tensor:
    """Presence logits [N] of all phrases of the batches that fit something."""
    found = []
    for batch in batches:
        moved = {k: v.to(device) if torch.is_tensor(v) else v for k, v in batch.items()}
        logits = learner.answers(moved).presence.float()
        found.append(logits[moved["present"].flatten()].cpu())
    return torch.cat(found)


@torch.no_grad()
def shift_presence(network: RegionNetwork, logits: Tensor, accuracy: float) -> float:
    """Moves the presence so that a share `accuracy` of logits [N] comes to lie above 0, that is,
    above a presence of .5; returns by how much."""
    shift = -float(logits.quantile(1 - accuracy))
    network.presence.bias.add_(shift)
    return shift
