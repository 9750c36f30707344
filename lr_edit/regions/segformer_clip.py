"""SegFormer cuts the picture into segments and CLIP picks the one that fits the phrase.

Joshi and Aditya, "Text-based Image Editing using Diffusion Model and CLIP", sections 3.1 and 3.2.
"""

from collections.abc import Sequence

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
_AT_ONCE = 64  # segments: CLIP's memory grows with them


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
            SegmentAlternative(segments[k], float(scores[k]), image.device)
            for k in scores.argsort(descending=True, stable=True).tolist()
        )
        return Region(ranked[0].mask, ranked, confidence=ranked[0].score)

    def scores(self, image: Tensor, segments: Sequence[Segment], phrase: str) -> Tensor:
        """The probabilities [k] of the segments, from one call of CLIP for every _AT_ONCE."""
        parts = [segments[k : k + _AT_ONCE] for k in range(0, len(segments), _AT_ONCE)]
        seen = torch.cat([self.clip.encode_image(self.shown(image, part)) for part in parts])
        cosines = seen @ self.clip.encode_text([phrase])[0]
        scale = 1 / self.temperature if self.temperature > 0 else self.clip.logit_scale
        return torch.softmax(scale * cosines.float(), dim=0).cpu()

    def shown(self, image: Tensor, segments: Sequence[Segment]) -> Tensor:
        """What CLIP sees of image [1, 3, H, W] through k segments: [k, 3, h, w]."""
        masks = (_as_region(segment, image.device) for segment in segments)  # one at a time
        if not self.crop:
            small = _at_most(image, _SIDE)
            return torch.cat([masked(small, _at_most(mask, _SIDE), self.fill) for mask in masks])
        size = (image.shape[3], image.shape[2])
        views = []
        for mask in masks:
            box = square_crop(mask_box(mask), size, self.context, minimum=1)
            views.append(masked(crop(image, box, _VIEW), crop(mask, box, _VIEW), self.fill))
        return torch.cat(views)


class SegmentAlternative(Alternative):
    """A segment with its score; its mask is made whenever it is asked for, as at a photograph's
    size those of all segments would fill the memory."""

    segment: Segment
    device: torch.device

    def __init__(self, segment: Segment, score: float, device: torch.device) -> None:
        # As dataclasses do where they are frozen.
        for name, value in (("segment", segment), ("score", score), ("device", device)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "label", segment.name)

    @property
    def mask(self) -> Tensor:
        return _as_region(self.segment, self.device)


def _as_region(segment: Segment, device: torch.device) -> Tensor:
    """The mask of a segment, float32 [1, 1, H, W]."""
    return segment.mask[None, None].to(device).float()


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
