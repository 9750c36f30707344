"""The shadow of what a given mask shows goes along where a network finds the same thing there."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lr_edit.cli.edit import build_proposer, takes_shadow
from lr_edit.cli.main import main
from lr_edit.cli.settings import edit_settings
from lr_edit.demo import SCENE
from lr_edit.errors import UserError
from lr_edit.images import mask_to_pil, to_pil
from lr_edit.models import ModelSet, load_models
from lr_edit.regions.fixed import MaskProposer
from lr_edit.regions.region import Region, RegionProposer
from lr_edit.regions.shadowed import ShadowedMaskProposer, overlap
from lr_edit.tabletop.render import render


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

    def propose(
        self, image: Tensor, phrase: str, reading: str = "refer", paint: str = ""
    ) -> Region:
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


def test_what_is_recoloured_leaves_its_shadow() -> None:
    proposer = ShadowedMaskProposer(THING, Finder(THING))
    assert torch.equal(proposer.propose(IMAGE, "the mug", paint="a blue mug").mask, THING)
    other = proposer.propose(IMAGE, "the mug", paint="a blue bottle")
    assert torch.equal(other.mask, torch.maximum(THING, SHADOW))


def test_specks_that_are_not_at_the_thing_stay_out() -> None:
    finder = Finder(THING)
    speck, region = box(17, 17, 19, 19), finder.propose(IMAGE, "the mug")
    assert region.change is not None
    found = replace(region, change=torch.maximum(region.change, speck))
    finder.propose = lambda *_: found  # type: ignore[method-assign]
    assert torch.equal(proposed(THING, finder).mask, torch.maximum(THING, SHADOW))


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


@pytest.mark.parametrize(
    ("words", "takes"),
    [
        (["--mask", "m.png", "--replace", "the mug"], True),
        (["--mask", "m.png", "--replace", "the mug", "--grow", "5"], False),
        (["--mask", "m.png", "--replace", "the mug", "--window.grow", "2"], False),
        (["--mask", "m.png"], False),  # nobody said what it shows
        (["--replace", "the mug"], False),
    ],
)
def test_when_infer_looks_for_the_shadow(words: list[str], takes: bool) -> None:
    settings = edit_settings(["--image", "a.png", "--with", "a cat", "--output", "out", *words])
    assert takes_shadow(settings, load_models("tabletop")) == takes


def test_without_a_region_network_the_mask_is_the_region() -> None:
    words = ["--image", "a.png", "--mask", "m.png", "--replace", "the mug", "--with", "a cat"]
    settings, models = edit_settings([*words, "--output", "out"]), load_models("tabletop")
    assert isinstance(build_proposer(settings, models, THING), ShadowedMaskProposer)
    others = {name: make for name, make in models.loaders.items() if name != "region"}
    without = ModelSet(others)
    assert isinstance(build_proposer(settings, without, THING), MaskProposer)


def test_infer_writes_the_mask_with_the_shadow_that_the_shipped_network_sees(
    tmp_path: Path,
) -> None:
    shown = render([SCENE], 128)
    apple = (
        shown.instances[0] == 1 + [thing.noun for thing in SCENE.things].index("apple")
    ).float()
    to_pil(shown.images)[0].save(tmp_path / "in.png")
    mask_to_pil(apple[None, None]).save(tmp_path / "mask.png")
    words = ["--image", str(tmp_path / "in.png"), "--mask", str(tmp_path / "mask.png")]
    words += ["--output", str(tmp_path / "out"), "--device", "cpu", "--region-only"]
    assert main([*words, "--replace", "the red apple"]) == 0
    with Image.open(tmp_path / "out" / "region.png") as written:
        region = torch.from_numpy(np.asarray(written.convert("L")).copy()) > 127
    assert (region & (apple > 0)).sum() == apple.sum()
    assert 1.1 * apple.sum() < region.sum() < 3 * apple.sum()
