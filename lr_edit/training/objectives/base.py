"""What a region network can be taught by: a batch of pictures and phrases → named loss terms."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lr_edit.regions.features import FrozenFeatures
from lr_edit.regions.network import EVERY, Lattice, Proposals, RegionNetwork, Seen
from lr_edit.training.feature_noise import FeatureNoise

Batch = dict[str, Any]
"""image [B, 3, S, S]; phrases: B·P texts, picture by picture; edit, present, change_known: bool
[B, P]; object, change: bool [B, P, S, S]. Objectives that see no masks ignore the latter. paints:
B·P texts, what the thing of each phrase is to become, "" where that is not known; it may be left
out."""


@dataclass(frozen=True)
class Learner:
    """The network that learns, the frozen features that it reads, and the objective's head.

    share: how much of a training from nothing is over, in [0, 1]; 1 where it goes on from trained
    weights, and where nothing is trained. noise: on what the network reads; None: none.
    """

    network: RegionNetwork
    features: FrozenFeatures
    head: nn.Module | None = None
    share: float = 1.0
    noise: FeatureNoise | None = None

    def answers(
        self, batch: Batch, maps: Sequence[Tensor] | None = None, lattice: Lattice = EVERY
    ) -> Proposals:
        """The proposals of every phrase of a batch, picture by picture; maps: its features, where
        they are known already; lattice: the pixels that masks are drawn at."""
        return self.read(self.seen(batch, maps), batch, lattice)

    def seen(self, batch: Batch, maps: Sequence[Tensor] | None = None) -> Seen:
        """What the network keeps of a batch's pictures."""
        maps = self.features.maps(batch["image"]) if maps is None else maps
        maps = maps if self.noise is None else self.noise.on_maps(maps)
        return self.network.look(batch["image"], maps)

    def read(self, seen: Seen, batch: Batch, lattice: Lattice = EVERY) -> Proposals:
        """The proposals of every phrase of a batch about its pictures."""
        edit, paints = batch["edit"].flatten(), batch.get("paints")
        words = self.features.tokens(batch["phrases"], edit, paints)
        words = words.to(seen.cells.device)
        words = words if self.noise is None else self.noise.on_words(words)
        return self.network.read(seen, words, lattice)


def quarter(generator: torch.Generator) -> Lattice:
    """A quarter of the pixels: another one every step teaches as well, at a quarter of the cost."""
    y, x = torch.randint(0, 2, (2,), generator=generator, device=generator.device).tolist()
    return slice(y, None, 2), slice(x, None, 2)


class Objective(ABC):
    """One way to learn.

    alone: the share of a training from nothing, at its beginning, in which no phrase is read.
    """

    alone: float = 0.0

    def head(self, width: int) -> nn.Module | None:
        """What learns beside the network and is left behind when that is exported, if anything;
        width: channels of the network's cells."""
        return None

    @abstractmethod
    def terms(
        self, learner: Learner, batch: Batch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """The loss terms by name, each a scalar with its weight applied; their sum is minimised."""
