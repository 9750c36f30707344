"""Regions that nobody has to look for: a mask that is given, and the whole picture."""

from dataclasses import replace

import torch
from torch import Tensor

from lr_edit.errors import UserError
from lr_edit.instruction import Reading
from lr_edit.regions.region import Alternative, Region, RegionProposer


class MaskProposer(RegionProposer):
    """The region is a mask float32 [1, 1, H, W] in [0, 1]; the phrase may be anything, even "".

    change: what changes along with it, of the same size; None where that is not known.
    """

    def __init__(self, mask: Tensor, change: Tensor | None = None) -> None:
        self.mask, self.change = mask, change

    def propose(
        self, image: Tensor, phrase: str, reading: Reading = "refer", paint: str = ""
    ) -> Region:
        """The mask; UserError when it has another size than the image, or selects nothing."""
        if self.mask.shape[-2:] != image.shape[-2:]:
            (height, width), (rows, columns) = self.mask.shape[-2:], image.shape[-2:]
            raise UserError(
                f"the mask is {width}x{height} pixels, but the picture is {columns}x{rows}: "
                "make them the same size"
            )
        if not (self.mask > 0).any():
            raise UserError("the mask is all black and selects nothing: white = edit")
        region = _certain(self.mask.to(image), "mask")
        return region if self.change is None else replace(region, change=self.change.to(image))


class WholeProposer(RegionProposer):
    """The region is the whole picture, whatever the phrase, even an empty one."""

    def propose(
        self, image: Tensor, phrase: str, reading: Reading = "refer", paint: str = ""
    ) -> Region:
        return _certain(torch.ones_like(image[:, :1]), "whole picture")


def _certain(mask: Tensor, label: str) -> Region:
    return Region(mask, (Alternative(mask, 1.0, label),), confidence=1.0)
