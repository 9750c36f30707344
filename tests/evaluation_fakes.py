"""A judge that knows the right answers by heart, and a set of tiny models to be judged."""

from collections.abc import Sequence

import torch
from editor_fakes import EdgeDistance, GaussianDiffusion, LinearClip
from torch import Tensor

from lr_edit.backbones.base import Segmentation, Segmenter
from lr_edit.backbones.judge import NOTHING
from lr_edit.evaluation.cases import Case
from lr_edit.evaluation.judging import ROOM, judged_crop
from lr_edit.masks import grow_mask
from lr_edit.models import ModelSet
from lr_edit.tabletop.scene import COLOURS, NOUNS


class KnowingJudge:
    """Names the thing of a crop that is exactly a case's target, and else says NOTHING."""

    size = 16
    nouns, colours = (*NOUNS, NOTHING), COLOURS

    def __init__(self, cases: Sequence[Case]) -> None:
        self.known = [
            (judged_crop(case.target, grow_mask(place, ROOM), self.size)[0], case.wanted)
            for case in cases
            for place in case.places
        ]
        self.batches: list[int] = []

    def judge(self, crops: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of one answer each."""
        assert masks.shape == (len(crops), 1, self.size, self.size)
        self.batches.append(len(crops))
        nouns = torch.zeros(len(crops), len(self.nouns))
        colours = torch.zeros(len(crops), len(self.colours))
        for k, crop in enumerate(crops):
            wanted = [thing for seen, thing in self.known if torch.equal(seen[0], crop)]
            nouns[k, self.nouns.index(wanted[0].noun if wanted else NOTHING)] = 9
            colours[k, self.colours.index(wanted[0].colour) if wanted else 0] = 9
        return nouns, colours


class OneSegment(Segmenter):
    """The middle of the picture is a thing."""

    def segment(self, images: Tensor) -> Segmentation:
        labels = torch.zeros_like(images[:, 0], dtype=torch.long)
        quarter = labels.shape[-1] // 4
        labels[:, quarter:-quarter, quarter:-quarter] = 1
        return Segmentation(labels, ("table", "thing"))


class NoSegment(Segmenter):
    """Sees nothing but one class that is too small to count."""

    def segment(self, images: Tensor) -> Segmentation:
        size = images.shape[-2] * images.shape[-1]
        labels = torch.arange(size).view(1, *images.shape[-2:])
        return Segmentation(labels, tuple(map(str, range(size))))


def fake_models(segmenter: Segmenter | None = None) -> ModelSet:
    """Networks that take no time."""
    return ModelSet.of(
        clip=LinearClip(),
        perceptual=EdgeDistance(),
        diffusion=GaussianDiffusion(pull=0.3),
        segmenter=segmenter or OneSegment(),
    )
