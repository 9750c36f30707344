"""Frozen features without weights: picture colours as maps, letters as words."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lr_edit.backbones.base import DenseEncoder, TokenEncoder
from lr_edit.regions.features import FrozenFeatures
from lr_edit.regions.network import RegionNetwork

SIDE = 32


class Simple(DenseEncoder, TokenEncoder):
    """The picture itself at 4 by 4 cells, and one token a letter."""

    channels = (3,)
    identity = "colours"
    token_channels = 6

    def __init__(self) -> None:
        self.calls = 0

    def patch_features(self, images: Tensor) -> tuple[Tensor, ...]:
        self.calls += 1
        return (F.adaptive_avg_pool2d(images, 4),)

    def encode_tokens(self, phrases: Sequence[str]) -> tuple[Tensor, Tensor]:
        longest = max(map(len, phrases))
        codes = torch.tensor([[ord(c) for c in p.ljust(longest)] for p in phrases]).float()
        known = torch.tensor([[k < len(p) for k in range(longest)] for p in phrases])
        return torch.stack([(codes * (k + 1)).sin() for k in range(6)], -1), known


def features() -> FrozenFeatures:
    return FrozenFeatures(Simple())  # type: ignore[arg-type]


def network(seed: int = 0, wishes: bool = False) -> RegionNetwork:
    """A tiny region network for `features`."""
    torch.manual_seed(seed)
    return RegionNetwork(
        [3], 6, ("colours",), width=16, heads=2, mixers=1, side=SIDE, fine=1, wishes=wishes
    )


def batch(pictures: int = 2, phrases: int = 3, seed: int = 0) -> dict[str, object]:
    """Random pictures with boxes to find; the last phrase of each fits nothing."""
    generator = torch.Generator().manual_seed(seed)
    things = torch.zeros(pictures, phrases, SIDE, SIDE, dtype=torch.bool)
    for b in range(pictures):
        for p in range(phrases - 1):
            things[b, p, 4 + 6 * p : 16 + 6 * p, 4 + 4 * b : 20 + 4 * b] = True
    present = torch.ones(pictures, phrases, dtype=torch.bool)
    present[:, -1] = False
    return {
        "image": torch.rand(pictures, 3, SIDE, SIDE, generator=generator) * 2 - 1,
        "phrases": [f"thing {b} {p}" for b in range(pictures) for p in range(phrases)],
        "prompts": [f"a blue thing {p}" for _ in range(pictures) for p in range(phrases)],
        "edit": torch.zeros(pictures, phrases, dtype=torch.bool),
        "object": things,
        "change": things,
        "change_known": present,
        "present": present,
    }
