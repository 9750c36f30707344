"""A mask that is given, and with it the shadow of what it shows, where a network sees one."""

from dataclasses import replace

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from lr_edit.errors import UserError
from lr_edit.instruction import Reading
from lr_edit.phrase import only_recoloured
from lr_edit.regions.fixed import MaskProposer
from lr_edit.regions.region import Region, RegionProposer

AGREEMENT = 0.5
"""The least IoU at which mask and finder are taken to mean the same thing."""


class ShadowedMaskProposer(RegionProposer):
    """The region is a mask float32 [1, 1, H, W] in [0, 1], and the shadow that goes along with it.

    finder: a proposer that knows what changes along with a thing. Where it finds the phrase in the
    mask's place, what it says of the shadow is added; where it finds it elsewhere, or not at all,
    or cannot read it, the mask is the region.
    """

    def __init__(self, mask: Tensor, finder: RegionProposer) -> None:
        self.given, self.finder = MaskProposer(mask), finder

    def propose(
        self, image: Tensor, phrase: str, reading: Reading = "refer", paint: str = ""
    ) -> Region:
        """The mask with its shadow, but alone where its thing is only recoloured; for what else it
        becomes no more room is made than was given.

        Raises UserError where the mask alone is none for this image.
        """
        region = self.given.propose(image, phrase, reading)
        if only_recoloured(phrase, paint):
            return region
        shadow = self.shadow(region.mask, image, phrase, reading)
        if shadow is None:
            return region
        mask = torch.maximum(region.mask, shadow)
        first = replace(region.alternatives[0], mask=mask, label="mask with its shadow")
        return replace(region, mask=mask, alternatives=(first,))

    def shadow(self, mask: Tensor, image: Tensor, phrase: str, reading: Reading) -> Tensor | None:
        """What changes along with the thing [1, 1, H, W], the thing itself left out; None where the
        finder sees no such thing there."""
        if not phrase.strip():
            return None
        try:
            found = self.finder.propose(image, phrase, reading)
        except UserError:  # a phrase that it cannot read: with a mask it may be anything
            return None
        if found.change is None or not found.present or overlap(found.mask, mask) < AGREEMENT:
            return None
        shadow = (found.change - found.mask).clamp(min=0)
        return shadow * beside(mask, shadow)


def beside(mask: Tensor, shadow: Tensor) -> Tensor:
    """float32 [1, 1, H, W], 1 on the pieces of a shadow that touch the mask, both taken where they
    are at least .5: a shadow begins at its thing, and a speck elsewhere would widen the region for
    nothing."""
    together = (torch.maximum(mask, shadow) >= 0.5)[0, 0].cpu().numpy()
    numbers, _ = ndimage.label(together, structure=np.ones((3, 3)))
    touched = np.unique(numbers[(mask[0, 0] >= 0.5).cpu().numpy()])
    return torch.from_numpy(np.isin(numbers, touched[touched > 0])).to(mask)[None, None]


def overlap(first: Tensor, second: Tensor) -> float:
    """Intersection over union of two masks, each taken where it is at least .5."""
    one, other = first >= 0.5, second >= 0.5
    return float((one & other).sum() / (one | other).sum().clamp_min(1))
