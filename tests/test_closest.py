"""What a picture shows, told by the words that come nearest to a phrase."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from lr_edit.backbones.base import ImageTextEncoder, Segmentation, Segmenter
from lr_edit.regions.closest import closest_things


class Thirds(Segmenter):
    """Three classes side by side, and a speck of a fourth; the first ones may be renamed."""

    def __init__(self, *names: str) -> None:
        self.names = (*names, *("table", "mug", "apple", "ring")[len(names) :])

    def segment(self, images: Tensor) -> Segmentation:
        labels = torch.arange(30).div(10, rounding_mode="floor").expand(1, 30, 30).clone()
        labels[0, 0, 0] = 3
        return Segmentation(labels, self.names)


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


@pytest.mark.parametrize("rest", ["surface", "backdrop", "background"])
def test_what_stands_for_the_rest_is_no_thing(rest: str) -> None:
    name = closest_things(Thirds(rest), Lengths(), count=9, minimum=0.0)
    assert set(name(torch.zeros(1, 3, 30, 30), "cup")) == {"mug", "apple", "ring"}
    alone = closest_things(Thirds(rest, rest, rest, rest), Lengths())
    assert alone(torch.zeros(1, 3, 30, 30), "cup") == ()


def test_walls_floors_and_the_sky_may_be_named() -> None:
    name = closest_things(Thirds("wall", "floor", "sky"), Lengths(), minimum=0.01)
    assert set(name(torch.zeros(1, 3, 30, 30), "cup")) == {"wall", "floor", "sky"}


def test_no_more_than_there_are() -> None:
    name = closest_things(Thirds(), Lengths(), count=9, minimum=0.0)
    assert set(name(torch.zeros(1, 3, 30, 30), "cup")) == {"table", "mug", "apple", "ring"}
