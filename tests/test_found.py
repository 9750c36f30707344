"""Whether a phrase is found where it was painted."""

import weakref

import pytest
import torch
from torch import Tensor

from lr_edit.errors import UserError
from lr_edit.regions.found import LEAST, found_score, overlap
from lr_edit.regions.region import Alternative, Region, RegionProposer


def box(size: int, left: int, right: int) -> Tensor:
    mask = torch.zeros(1, 1, size, size)
    mask[..., left:right] = 1
    return mask


def region(*found: tuple[Tensor, float]) -> Region:
    ranked = tuple(Alternative(mask, score, "proposal") for mask, score in found)
    return Region(ranked[0].mask if ranked else box(8, 0, 0), ranked, 0.5)


def test_the_best_alternative_counts_by_its_share_inside() -> None:
    place = box(8, 0, 4)
    half, whole, beside = box(8, 2, 6), box(8, 1, 3), box(8, 5, 8)
    assert overlap(region((half, 0.8)), place) == pytest.approx(0.4)
    assert overlap(region((half, 0.8), (whole, 0.5), (beside, 1.0)), place) == pytest.approx(0.5)
    assert overlap(region((beside, 1.0)), place) == 0
    assert overlap(region((box(8, 0, 0), 1.0)), place) == 0
    assert overlap(region(), place) == 0


class Bright(RegionProposer):
    """Finds what is bright, and remembers the sizes of the pictures it was shown."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def propose(
        self, image: Tensor, phrase: str, reading: str = "refer", paint: str = ""
    ) -> Region:
        if phrase == "too long":
            raise UserError("too long")
        self.sizes.append((image.shape[-1], image.shape[-2]))
        mask = (image[:, :1] > 0.5).float()
        return region((mask, 1.0))


def test_a_large_picture_is_looked_at_around_the_place() -> None:
    place = torch.zeros(1, 1, 700, 900)
    place[..., 300:420, 500:640] = 1
    images = torch.zeros(2, 3, 700, 900)
    images[0, :, 310:400, 520:600] = 1
    images[1, :, :100, :100] = 1  # far from there
    finder = Bright()
    assert found_score(finder, images, place, "an orange").tolist() == [1, 0]
    assert finder.sizes == [(420, 420)] * 2


def test_a_small_picture_is_looked_at_as_it_is() -> None:
    finder, place = Bright(), box(64, 0, 20)
    assert LEAST > 64
    assert found_score(finder, place.expand(1, 3, -1, -1), place, "a cat").tolist() == [1]
    assert finder.sizes == [(64, 64)]


def test_a_phrase_that_cannot_be_read_says_nothing() -> None:
    place = box(64, 0, 20)
    assert found_score(Bright(), place.expand(2, 3, -1, -1), place, "too long").tolist() == [0, 0]


class Forgotten(Bright):
    """Looks whether the masks it gave before are still there."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[weakref.ref[Tensor]] = []

    def propose(
        self, image: Tensor, phrase: str, reading: str = "refer", paint: str = ""
    ) -> Region:
        assert all(mask() is None for mask in self.given)
        found = super().propose(image, phrase)
        self.given.append(weakref.ref(found.mask))
        return found


def test_one_region_is_held_at_a_time() -> None:
    finder, place = Forgotten(), box(64, 0, 20)
    assert found_score(finder, place.expand(3, 3, -1, -1), place, "a cat").tolist() == [1] * 3
    assert len(finder.given) == 3
