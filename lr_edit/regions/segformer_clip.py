"""SegFormer cuts the picture into segments and CLIP picks the one that fits the phrase.

Joshi and Aditya, "Text-based Image Editing using Diffusion Model and CLIP", sections 3.1 and 3.2.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lr_edit.backbones.base import ImageTextEncoder, Segmenter
from lr_edit.crop import crop, mask_box, square_crop
from lr_edit.instruction import Reading
from lr_edit.regions.region import Alternative, Region, RegionProposer, checked_phrase
from lr_edit.regions.segments import Segment, segments_of

_SIDE, _VIEW = 512, 224
"""CLIP is shown the picture at no more than so many pixels a side, crops at exactly so many."""


class SegformerClipProposer(RegionProposer):
    """s_i = m_i ⊙ I for every segment; softmax over cosines of CLIP(s_i) and CLIP(phrase); argmax.

    connected: a segment is a connected piece of a class; False: all of a class, as published.
    crop: show CLIP a square around each segment; False: the whole masked picture, as published.
    context: how much around the segment such a square keeps, as a share of its longer side.
    fill: the value outside a segment, in [-1, 1]: 0 is m ⊙ I itself, gray; -1 is black.
    temperature: of the softmax; 0 = CLIP's own. minimum: segments under this share of the picture
    are dropped.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        clip: ImageTextEncoder,
        connected: bool = True,
        crop: bool = False,
        context: float = 0.1,
        fill: float = 0.0,
        temperature: float = 0.0,
        minimum: float = 0.001,
    ) -> None:
        self.segmenter, self.clip = segmenter, clip
        self.connected, self.crop, self.context = connected, crop, context
        self.fill, self.temperature, self.minimum = fill, temperature, minimum

    @torch.no_grad()
    def propose(
        self, image: Tensor, phrase: str, reading: Reading = "refer", paint: str = ""
    ) -> Region:
        """The segment that fits best; `present` is False where no segment is large enough."""
        phrase = checked_phrase(phrase)
        self.clip.check_length(phrase)
        segments = segments_of(self.segmenter.segment(image), self.connected, self.minimum)
        if not segments:
            return Region(torch.zeros_like(image[:, :1]), (), confidence=0.0, present=False)
        scores = self.scores(image, segments, phrase)
        ranked = tuple(
            Alternative(segments[k].mask[None, None].to(image), float(scores[k]), segments[k].name)
            for k in scores.argsort(descending=True, stable=True).tolist()
        )
        return Region(ranked[0].mask, ranked, confidence=ranked[0].score)

    def scores(self, image: Tensor, segments: list[Segment], phrase: str) -> Tensor:
        """The probabilities [k] of the segments, from one call of CLIP."""
        masks = torch.stack([segment.mask for segment in segments])[:, None].to(image)
        pictures = self.shown(image, masks)
        cosines = self.clip.encode_image(pictures) @ self.clip.encode_text([phrase])[0]
        scale = 1 / self.temperature if self.temperature > 0 else self.clip.logit_scale
        return torch.softmax(scale * cosines.float(), dim=0).cpu()

    def shown(self, image: Tensor, masks: Tensor) -> Tensor:
        """What CLIP sees of image [1, 3, H, W] through masks [k, 1, H, W]: [k, 3, h, w]."""
        if not self.crop:
            return masked(_at_most(image, _SIDE), _at_most(masks, _SIDE), self.fill)
        size = (image.shape[3], image.shape[2])
        views = []
        for mask in masks[:, None]:
            box = square_crop(mask_box(mask), size, self.context, minimum=1)
            views.append(masked(crop(image, box, _VIEW), crop(mask, box, _VIEW), self.fill))
        return torch.cat(views)


def masked(image: Tensor, mask: Tensor, fill: float) -> Tensor:
    """The image inside the mask and `fill` outside: s_i = m_i ⊙ I where fill is 0."""
    return fill + (image - fill) * mask


def _at_most(image: Tensor, side: int) -> Tensor:
    """The image reduced so that its longer side is `side` at most."""
    height, width = image.shape[-2:]
    factor = side / max(height, width)
    if factor >= 1:
        return image
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    return F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)
