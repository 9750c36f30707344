"""What a picture shows, told by the words that come nearest to a phrase."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lr_edit.backbones.base import ImageTextEncoder, Segmentation, Segmenter
from lr_edit.regions.closest import closest_things


class Thirds(Segmenter):
    """Three classes side by side, and a speck of a fourth."""

    def segment(self, images: Tensor) -> Segmentation:
        labels = torch.arange(30).div(10, rounding_mode="floor").expand(1, 30, 30).clone()
        labels[0, 0, 0] = 3
        return Segmentation(labels, ("table", "mug", "apple", "ring"))


class Lengths(ImageTextEncoder):
    """Words are alike that have about as many letters."""

    logit_scale = 1.0  # type: ignore[assignment]

    def encode_image(self, images: Tensor) -> Tensor:
        raise NotImplementedError

    def encode_text(self, phrases: Sequence[str]) -> Tensor:
        angles = torch.tensor([len(p) / 10 for p in phrases])
        return torch.stack((angles.cos(), angles.sin()), 1)


def test_the_likest_come_first_and_specks_do_not_count() -> None:
    name = closest_things(Thirds(), Lengths(), count=2, minimum=0.01)
    assert name(torch.zeros(1, 3, 30, 30), "cup") == ("mug", "table")


def test_no_more_than_there_are() -> None:
    name = closest_things(Thirds(), Lengths(), count=9, minimum=0.0)
    assert set(name(torch.zeros(1, 3, 30, 30), "cup")) == {"table", "mug", "apple", "ring"}
