"""Noise on what a network reads: which features come together is not to be learned by heart."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lr_edit.regions.words import Words


@dataclass(frozen=True)
class FeatureNoise:
    """Gaussian noise on the token states of phrases and on the feature maps of pictures.

    words, maps: its deviation as a share of that of the values themselves. A network sees each pair
    of words and things it learns from at one exact place in the space of features; with noise, as
    on CLIP's embeddings in CapDec (Nukrai et al., 2022, sec. 3.2), it has to answer alike all
    around it, and what it never saw lies less far away.
    """

    words: float
    maps: float
    generator: torch.Generator

    def on_words(self, words: Words) -> Words:
        """The words with noise on the states that are known."""
        if self.words <= 0:
            return words
        deviation = words.states[words.known].std()
        return replace(words, states=self.noisy(words.states, self.words * deviation))

    def on_maps(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps [B, C, h, w] with noise, each channel's by its own deviation."""
        if self.maps <= 0:
            return tuple(maps)
        return tuple(
            self.noisy(m, self.maps * m.float().std((0, 2, 3), keepdim=True)) for m in maps
        )

    def noisy(self, values: Tensor, deviation: Tensor) -> Tensor:
        """The values plus noise of a deviation, which broadcasts."""
        device = self.generator.device
        noise = torch.randn(values.shape, generator=self.generator, device=device)
        return values + (deviation.to(device) * noise).to(values.device, values.dtype)
