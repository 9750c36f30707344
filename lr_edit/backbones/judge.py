"""The judge says what noun and colour stands in a region; it measures edits and makes none.

A plain residual network of its own that sees a crop and the region's mask. Its folder holds
config.json (names, widths, size) and model.safetensors.
"""

import json
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lr_edit.backbones.base import freeze
from lr_edit.backbones.devices import device_named
from lr_edit.backbones.folders import loading, located, replacing_folder

NOTHING = "nothing recognisable"
"""The last noun of every judge."""


class JudgeNetwork(nn.Module):
    """A residual network with two heads.

    nouns: their names, `NOTHING` last; colours: theirs. widths: channels of the stages, two
    residual blocks each. size: the side of the crops.
    """

    def __init__(
        self,
        nouns: Sequence[str],
        colours: Sequence[str],
        widths: Sequence[int] = (32, 64, 128, 192),
        size: int = 64,
    ) -> None:
        super().__init__()
        self.nouns, self.colours = tuple(nouns), tuple(colours)
        self.widths, self.size = tuple(widths), size
        self.stem = nn.Sequential(
            nn.Conv2d(4, widths[0], 3, padding=1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        pairs = zip((widths[0], *widths[:-1]), widths, strict=True)
        self.blocks = nn.Sequential(
            *(
                block
                for low, high in pairs
                for block in (_Residual(low, high, stride=2), _Residual(high, high, stride=1))
            )
        )
        self.noun_head = nn.Linear(widths[-1], len(nouns))
        self.colour_head = nn.Linear(widths[-1], len(colours))

    def forward(self, crops: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [B, nouns] and [B, colours] of crops [B, 3, S, S] and masks [B, 1, S, S]."""
        features = self.blocks(self.stem(torch.cat((crops, masks), 1))).mean((2, 3))
        return self.noun_head(features), self.colour_head(features)


class _Residual(nn.Module):
    """Two 3 × 3 convolutions and a shortcut (He et al., 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        plain = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if plain else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.path(x) + self.shortcut(x))


class Judge:
    """The trained judge in a folder. Raises UserError for missing or damaged weights."""

    def __init__(self, folder: str, device: str = "cpu") -> None:
        self._device = device_named(device)
        network = load_judge(located(folder))
        self._network: Any = freeze(network.to(self._device))
        self.nouns, self.colours, self.size = network.nouns, network.colours, network.size

    @torch.no_grad()
    def judge(self, crops: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [B, nouns] and [B, colours] for square crops [B, 3, S, S] and masks [B, 1, S, S].

        The crops show the region with some surroundings; any side is resized to the network's own.
        """
        crops, masks = crops.to(self._device), masks.to(self._device)
        if crops.shape[-1] != self.size:
            side = (self.size, self.size)
            crops = F.interpolate(
                crops, side, mode="bicubic", antialias=True, align_corners=False
            ).clamp(-1, 1)
            masks = F.interpolate(masks, side, mode="bilinear", antialias=True, align_corners=False)
        return self._network(crops, masks)


def save_judge(folder: str | Path, network: JudgeNetwork) -> None:
    """Write a judge's folder, whole or not at all; weights as float16."""
    from safetensors.torch import save_model

    config = {
        "nouns": network.nouns,
        "colours": network.colours,
        "widths": network.widths,
        "size": network.size,
    }
    with replacing_folder(folder) as place:
        save_model(deepcopy(network).half().cpu(), str(place / "model.safetensors"))
        (place / "config.json").write_text(json.dumps(config, indent=1) + "\n")


def load_judge(folder: str | Path) -> JudgeNetwork:
    """The network of a folder that `save_judge` wrote; UserError when it is damaged."""
    from safetensors.torch import load_model

    with loading(folder):
        network = JudgeNetwork(**json.loads((Path(folder) / "config.json").read_text()))
        load_model(network, str(Path(folder) / "model.safetensors"), strict=True)
    return network
