"""A thing that only changes its colour keeps its shape: its fine lightness."""

import pytest
import torch
from editor_fakes import GaussianDiffusion, Witness, box_mask, picture
from test_guided_editor import plain
from torch import Tensor

from lr_edit.edit import edit_image
from lr_edit.editors.lightness import fine_lightness, lightness_kept
from lr_edit.editors.options import SamplingOptions, WindowOptions
from lr_edit.errors import UserError
from lr_edit.ranked import Critics
from lr_edit.regions.fixed import MaskProposer

SIDE, SHARE = 32, 0.1
MASK = box_mask(SIDE, SIDE, 6, 8, 24, 26)


def noise(seed: int, count: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, SIDE, SIDE, generator=generator) * 1.2 - 0.6


def test_any_picture_gets_the_fine_lightness_of_the_source() -> None:
    source, others = noise(0), noise(1, 3)
    kept = lightness_kept(source, MASK, SHARE)(others)
    wanted = fine_lightness(source, MASK, SHARE) * MASK
    for one in kept:
        found = fine_lightness(one[None], MASK, SHARE) * MASK
        # The means of what was added are not exactly 0 everywhere, but small.
        assert (found - wanted).abs().max() < 0.15 < wanted.abs().max()
    assert torch.equal(kept * (1 - MASK), others * (1 - MASK))


def test_the_source_in_another_colour_stays_as_it_is() -> None:
    source = noise(0)
    for shift in ((0.3, -0.2, 0.1), (-0.3, -0.3, -0.3)):
        other = source + torch.tensor(shift).view(1, 3, 1, 1)
        torch.testing.assert_close(lightness_kept(source, MASK, SHARE)(other), other)


def test_no_colour_is_taken_from_the_source() -> None:
    other = noise(1)
    kept = lightness_kept(noise(0), MASK, SHARE)(other)
    difference = kept - other
    torch.testing.assert_close(difference, difference[:, :1].expand_as(difference))


@pytest.mark.parametrize(("recolour", "share"), [(True, SHARE), (False, SHARE), (True, 0.0)])
def test_the_editor_keeps_it_where_only_a_colour_changes(recolour: bool, share: float) -> None:
    image = noise(0).clamp(-0.4, 0.4)
    build = plain(
        GaussianDiffusion(SIDE, std=0.05),
        sampling=SamplingOptions(steps=4, lightness=share),
        window=WindowOptions(minimum=SIDE, grow=0, feather=0, match_color=False),
    )
    result = build.edit(image, MASK, "a blue mug", seeds=[1, 2], recolour=recolour)
    wanted, found = (
        fine_lightness(p, MASK, SHARE)[..., 12:22, 10:20] for p in (image, result.candidates)
    )
    error = (found - wanted).abs().mean()
    assert (error < 0.25 * wanted.abs().mean()) == (recolour and share > 0)


@pytest.mark.parametrize(("paint", "expected"), [("a blue mug", True), ("a cat", False)])
def test_the_editor_is_told_whether_only_a_colour_changes(paint: str, expected: bool) -> None:
    editor, told = Witness(), []
    plain_edit = editor.edit

    def edit(*args: object, recolour: bool = False, **others: object) -> object:
        told.append(recolour)
        return plain_edit(*args, **others)  # type: ignore[arg-type]

    editor.edit = edit  # type: ignore[method-assign,assignment]
    edit_image(
        picture(SIDE, SIDE), "the red mug", paint, proposer=MaskProposer(MASK), editor=editor,
        critics=Critics(), seeds=[0],
    )  # fmt: skip
    assert told == [expected]


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_shares_that_are_none_are_told(share: float) -> None:
    with pytest.raises(UserError, match=r"sampling\.lightness is .*from 0 to 1"):
        SamplingOptions(lightness=share)
