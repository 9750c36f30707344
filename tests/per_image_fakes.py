"""Learnable Regions on one picture, with tiny networks whose answers cost nothing."""

from typing import Any

import torch
import torch.nn.functional as F
from editor_fakes import GaussianDiffusion, LinearClip
from region_fakes import Simple
from torch import Tensor

from lr_edit.regions.per_image import PerImageOptions, PerImageProposer


class Dense(Simple):
    """CLIP as the method sees it: embeddings of `encoder`, and the picture itself as tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = LinearClip()

    def patches_and_whole(self, images: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        return self.patch_features(images), self.encoder.encode_image(images)


class ColourDino:
    """Attends to what is red, in two heads of 16 by 16 cells; its features are colours."""

    def attention(self, images: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(images[:, :1], 16).add(1).expand(-1, 2, -1, -1)

    def patch_features(self, images: Tensor) -> tuple[Tensor, ...]:
        colours = F.adaptive_avg_pool2d(images, 16)
        return (torch.cat((colours, colours.square(), 1 - colours), 1),)


def proposer(shape: str = "boxes", **options: Any) -> PerImageProposer:
    """The method with these networks."""
    networks: Any = (Dense(), ColourDino(), GaussianDiffusion(pull=0.3))
    return PerImageProposer(*networks, options=PerImageOptions(shape, **options))  # type: ignore[arg-type]
