"""Regions that look at nothing: a box in the middle, a box at random, no region at all.

They are the floor that other proposers are measured against, so their confidence says nothing.
"""

import hashlib
import random

import torch
from torch import Tensor

from lr_edit.crop import Box
from lr_edit.errors import UserError
from lr_edit.images import to_uint8
from lr_edit.instruction import Reading
from lr_edit.regions.region import Alternative, Region, RegionProposer

LEAST, MOST = 0.15, 0.6
"""The sides of a random box, as shares of the picture's."""


class CentreBoxProposer(RegionProposer):
    """The region is a box in the middle, of the picture's shape, whatever the phrase.

    share: of the picture's area, in (0, 1]; UserError otherwise.
    """

    def __init__(self, share: float = 0.1) -> None:
        if not 0 < share <= 1:
            raise UserError(f"the box's share of the picture is {share}: give more than 0, up to 1")
        self.share = share

    def propose(
        self, image: Tensor, phrase: str, reading: Reading = "refer", paint: str = ""
    ) -> Region:
        """The box, of at least a pixel."""
        height, width = image.shape[-2:]
        rows, columns = (max(1, round(length * self.share**0.5)) for length in (height, width))
        x0, y0 = (width - columns) // 2, (height - rows) // 2
        return box_region(image, (x0, y0, x0 + columns, y0 + rows), "centre box")


class RandomBoxProposer(RegionProposer):
    """The region is a box of random sides at a random place within the picture.

    It is a function of seed, picture (in 8 bits) and phrase alone, even an empty phrase.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def propose(
        self, image: Tensor, phrase: str, reading: Reading = "refer", paint: str = ""
    ) -> Region:
        """The box, of at least a pixel; its sides are uniform in LEAST to MOST of the picture's."""
        pixels = to_uint8(image).cpu().numpy().tobytes()
        told = hashlib.sha256(pixels + f"{self.seed} {phrase}".encode()).hexdigest()
        rng = random.Random(told)
        height, width = image.shape[-2:]
        rows, columns = (
            max(1, round(length * rng.uniform(LEAST, MOST))) for length in (height, width)
        )
        x0, y0 = rng.randint(0, width - columns), rng.randint(0, height - rows)
        return box_region(image, (x0, y0, x0 + columns, y0 + rows), "random box")


class NothingProposer(RegionProposer):
    """Says of every phrase that nothing in the picture fits."""

    def propose(
        self, image: Tensor, phrase: str, reading: Reading = "refer", paint: str = ""
    ) -> Region:
        """An empty mask, `present` False, no alternatives."""
        return Region(torch.zeros_like(image[:, :1]), (), confidence=0.0, present=False)


def box_region(image: Tensor, box: Box, label: str) -> Region:
    """The region of image [1, 3, H, W] that fills a box, with confidence 1."""
    x0, y0, x1, y1 = box
    mask = torch.zeros_like(image[:, :1])
    mask[..., y0:y1, x0:x1] = 1
    return Region(mask, (Alternative(mask, 1.0, label),), confidence=1.0)
