"""A student that imitates a trained CLIP, patch by patch and as a whole (feature distillation)."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from lr_edit.backbones.open_clip_dense import OpenClipDense
from lr_edit.training.losses import unexplained


class Imitation(nn.Module):
    """Linear maps from a vision transformer's states to what a tutor says of the same pictures.

    tutor: its embeddings are what the class token, its maps what the patches come to tell; it is no
    part of the state that is saved. width: channels of the student's states.
    """

    def __init__(self, tutor: OpenClipDense, width: int) -> None:
        super().__init__()
        self.tutor = tutor
        self.whole = nn.Linear(width, tutor.encoder.encode_text([""]).shape[1])
        self.parts = nn.Linear(width, sum(tutor.channels))

    def forward(self, images: Tensor, states: Tensor) -> Tensor:
        """What the student misses, by its states [N, 1 + P, C] of images [N, 3, S, S], the class
        token's first: the unexplained shares of both, from 0 on, 2 for one who guesses the mean."""
        whole, parts = self.told(images, math.isqrt(states.shape[1] - 1))
        missed = unexplained(self.whole(states[:, 0]).float(), whole)
        guess = self.parts(states[:, 1:]).float()
        return missed + unexplained(guess.flatten(0, 1), parts.flatten(0, 1))

    @torch.no_grad()
    def told(self, images: Tensor, rows: int) -> tuple[Tensor, Tensor]:
        """The tutor's embeddings [N, E] of images, and its maps [N, P, D] of rows x rows cells."""
        maps, whole = self.tutor.patches_and_whole(images)
        parts = torch.cat([adaptive_avg_pool2d(m, rows) for m in maps], 1)
        return whole, parts.flatten(2).transpose(1, 2)
