"""A thing that only changes its colour keeps its shape: its fine lightness."""

import pytest
import torch
from editor_fakes import GaussianDiffusion, Witness, box_mask, picture
from test_guided_editor import plain
from torch import Tensor

from lr_edit.edit import edit_image
from lr_edit.editors.lightness import coarse_within, lightness_kept
from lr_edit.editors.options import SamplingOptions, WindowOptions
from lr_edit.errors import UserError
from lr_edit.images import luma
from lr_edit.instruction import Reading
from lr_edit.ranked import Critics
from lr_edit.regions.fixed import MaskProposer

SIDE, SHARE = 32, 0.1
MASK = box_mask(SIDE, SIDE, 6, 8, 24, 26)


def noise(seed: int, count: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, SIDE, SIDE, generator=generator) * 1.2 - 0.6


def fine(pictures: Tensor) -> Tensor:
    """How much lighter every pixel of the thing is than the thing around it."""
    light = luma(pictures)
    return (light - coarse_within(MASK, SHARE)(light)) * MASK


def test_any_picture_gets_the_fine_lightness_of_the_thing() -> None:
    source, others = noise(0), noise(1, 3)
    kept, wanted = lightness_kept(source, MASK, SHARE)(others), fine(source)
    # The means of what was added are not exactly 0 everywhere, but small.
    assert (fine(kept) - wanted).abs().max() < 0.15 < wanted.abs().max()


@pytest.mark.parametrize("shift", [(0.3, -0.2, 0.1), (-0.3, -0.3, -0.3), (0.8, 0.8, 0.8)])
def test_a_thing_in_another_colour_on_the_same_ground_stays_as_it_is(
    shift: tuple[float, float, float],
) -> None:
    """No halo: what is light or dark beside the thing has no say in it, nor it in that."""
    source = noise(0)
    other = source + torch.tensor(shift).view(1, 3, 1, 1) * MASK
    torch.testing.assert_close(lightness_kept(source, MASK, SHARE)(other), other)


def test_beside_the_thing_all_light_stays() -> None:
    kept = lightness_kept(noise(0), MASK, SHARE)(noise(1, 2))
    outside = (MASK == 0).expand(2, 1, -1, -1)
    torch.testing.assert_close(luma(kept)[outside], luma(noise(0)).expand(2, -1, -1, -1)[outside])


def test_no_colour_is_taken_from_the_source() -> None:
    other = noise(1)
    difference = lightness_kept(noise(0), MASK, SHARE)(other) - other
    torch.testing.assert_close(difference, difference[:, :1].expand_as(difference))


@pytest.mark.parametrize("share", [0.01, 0.3, 1.0])
def test_a_speck_can_become_dark(share: float) -> None:
    speck = box_mask(SIDE, SIDE, 10, 10, 12, 12)
    source, dark = torch.full((1, 3, SIDE, SIDE), 0.5), torch.full((1, 3, SIDE, SIDE), -0.9)
    kept = lightness_kept(source, speck, share)(dark)
    torch.testing.assert_close(kept[..., 10:12, 10:12], dark[..., 10:12, 10:12])


def test_autocast_changes_nothing() -> None:
    plain_map = lightness_kept(noise(0), MASK, SHARE)(noise(1))
    with torch.autocast("cpu", torch.bfloat16):
        cast = lightness_kept(noise(0), MASK, SHARE)(noise(1))
    assert torch.equal(cast, plain_map)


@pytest.mark.parametrize(("recolour", "share"), [(True, SHARE), (False, SHARE), (True, 0.0)])
def test_the_editor_keeps_it_where_only_a_colour_changes(recolour: bool, share: float) -> None:
    image = noise(0).clamp(-0.4, 0.4)
    build = plain(
        GaussianDiffusion(SIDE, std=0.05),
        sampling=SamplingOptions(steps=4, lightness=share),
        window=WindowOptions(minimum=SIDE, grow=0, feather=0, match_color=False),
    )
    result = build.edit(image, MASK, "a blue mug", seeds=[1, 2], recolour=recolour)
    wanted = fine(image)
    error = (fine(result.candidates) - wanted).abs().mean()
    assert (error < 0.25 * wanted.abs().mean()) == (recolour and share > 0)


CHANGE = box_mask(SIDE, SIDE, 6, 8, 30, 26)


@pytest.mark.parametrize(
    ("paint", "reading", "recolour"),
    [("a blue mug", "refer", True), ("a cat", "refer", False), ("a blue mug", "edit", False)],
)
@pytest.mark.parametrize("change", [CHANGE, None])
def test_what_only_changes_its_colour_keeps_its_shadow(
    paint: str, reading: Reading, recolour: bool, change: Tensor | None
) -> None:
    editor = Witness()
    edit_image(
        picture(SIDE, SIDE), "the red mug" if reading == "refer" else paint, paint,
        reading=reading, proposer=MaskProposer(MASK, change), editor=editor, critics=Critics(),
        seeds=[0],
    )  # fmt: skip
    ((region, complete),) = editor.handed
    assert editor.recoloured == [recolour]
    assert torch.equal(region, MASK if recolour or change is None else CHANGE)
    assert complete == (recolour or change is not None)


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_shares_that_are_none_are_told(share: float) -> None:
    with pytest.raises(UserError, match=r"sampling\.lightness is .*from 0 to 1"):
        SamplingOptions(lightness=share)
