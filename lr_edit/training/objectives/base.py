"""What a region network can be taught by: a batch of pictures and phrases → named loss terms."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lr_edit.regions.features import FrozenFeatures
from lr_edit.regions.network import EVERY, Lattice, Proposals, RegionNetwork

Batch = dict[str, Any]
"""image [B, 3, S, S]; phrases: B·P texts, picture by picture; edit, present, change_known: bool
[B, P]; object, change: bool [B, P, S, S]. Objectives that see no masks ignore the latter."""


@dataclass(frozen=True)
class Learner:
    """The network that learns and the frozen features that it reads."""

    network: RegionNetwork
    features: FrozenFeatures

    def answers(
        self, batch: Batch, maps: Sequence[Tensor] | None = None, lattice: Lattice = EVERY
    ) -> Proposals:
        """The proposals of every phrase of a batch, picture by picture; maps: its features, where
        they are known already; lattice: the pixels that masks are drawn at."""
        images = batch["image"]
        words, known = self.features.tokens(batch["phrases"])
        words, known = words.to(images.device), known.to(images.device)
        maps = self.features.maps(images) if maps is None else maps
        return self.network(images, maps, words, known, batch["edit"].flatten(), lattice)


def quarter(generator: torch.Generator) -> Lattice:
    """A quarter of the pixels: another one every step teaches as well, at a quarter of the cost."""
    y, x = torch.randint(0, 2, (2,), generator=generator, device=generator.device).tolist()
    return slice(y, None, 2), slice(x, None, 2)


class Objective(ABC):
    """One way to learn."""

    @abstractmethod
    def terms(
        self, learner: Learner, batch: Batch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """The loss terms by name, each a scalar with its weight applied; their sum is minimised."""
