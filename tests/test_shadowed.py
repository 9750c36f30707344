"""The shadow of what a given mask shows goes along where a network finds the same thing there."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from lr_edit.errors import UserError
from lr_edit.regions.fixed import MaskProposer
from lr_edit.regions.region import Region, RegionProposer
from lr_edit.regions.shadowed import ShadowedMaskProposer, overlap


def box(x0: int, y0: int, x1: int, y1: int) -> Tensor:
    mask = torch.zeros(1, 1, 20, 20)
    mask[..., y0:y1, x0:x1] = 1
    return mask


THING, SHADOW, ELSEWHERE = box(4, 4, 10, 10), box(10, 8, 14, 10), box(12, 12, 18, 18)
IMAGE = torch.zeros(1, 3, 20, 20)


@dataclass
class Finder(RegionProposer):
    """Sees a thing with a shadow, or says what it was told to."""

    thing: Tensor
    knows: bool = True
    present: bool = True
    asked: int = 0

    def propose(self, image: Tensor, phrase: str, reading: str = "refer") -> Region:
        self.asked += 1
        if phrase == "too long":
            raise UserError("too long")
        change = torch.maximum(self.thing, SHADOW) if self.knows else None
        region = MaskProposer(self.thing, change).propose(image, phrase)
        return replace(region, present=self.present)


def proposed(mask: Tensor, finder: Finder, phrase: str = "the mug") -> Region:
    return ShadowedMaskProposer(mask, finder).propose(IMAGE, phrase)


def test_the_shadow_goes_along_and_the_given_mask_stays_as_it_is() -> None:
    given = box(4, 4, 10, 9) * 0.7
    region = proposed(given, Finder(THING))
    assert torch.equal(region.mask, torch.maximum(given, SHADOW))
    assert region.change is None and torch.equal(region.to_edit, region.mask)
    assert torch.equal(region.alternatives[0].mask, region.mask)


@pytest.mark.parametrize(
    "finder",
    [Finder(ELSEWHERE), Finder(box(4, 4, 10, 6)), Finder(THING, knows=False),
     Finder(THING, present=False)],
    ids=["elsewhere", "too little of it", "knows no shadows", "sees nothing that fits"],
)  # fmt: skip
def test_the_mask_alone_where_the_network_sees_no_such_thing_there(finder: Finder) -> None:
    assert torch.equal(proposed(THING, finder).mask, THING)
    assert finder.asked == 1


@pytest.mark.parametrize(("phrase", "asked"), [("", 0), ("  ", 0), ("too long", 1)])
def test_any_phrase_goes_with_a_mask(phrase: str, asked: int) -> None:
    finder = Finder(THING)
    assert torch.equal(proposed(THING, finder, phrase).mask, THING)
    assert finder.asked == asked


def test_a_mask_that_is_none_is_refused_as_ever() -> None:
    with pytest.raises(UserError, match="all black"):
        proposed(torch.zeros(1, 1, 20, 20), Finder(THING))


def test_overlap_is_intersection_over_union() -> None:
    assert overlap(THING, THING) == 1 and overlap(THING, ELSEWHERE) == 0
    assert overlap(box(0, 0, 4, 4), box(0, 0, 4, 2)) == 0.5
    assert overlap(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)) == 0
