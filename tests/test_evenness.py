"""What had one colour has one colour again, where a thing only changes its colour."""

import pytest
import torch
from editor_fakes import GaussianDiffusion, box_mask
from test_guided_editor import plain
from torch import Tensor
from torch.testing import assert_close

from lr_edit.editors.evenness import colours_evened, depth, tinted
from lr_edit.editors.options import SamplingOptions, WindowOptions
from lr_edit.errors import UserError
from lr_edit.images import from_unit, luma

SIDE, ALIKE, SHARE = 48, 0.15, 0.1
THING = box_mask(SIDE, SIDE, 8, 8, 40, 40)
RED, GREEN, BLUE = (0.8, 0.1, 0.1), (0.1, 0.7, 0.2), (0.1, 0.2, 0.8)


def shaded(colour: tuple[float, float, float]) -> Tensor:
    """One colour all over, lit from the left."""
    light = torch.linspace(1.0, 0.5, SIDE).expand(1, 1, SIDE, SIDE)
    return from_unit(torch.tensor(colour).view(1, 3, 1, 1) * light)


def evened(source: Tensor, pictures: Tensor, thing: Tensor = THING) -> Tensor:
    return colours_evened(source, thing, ALIKE, SHARE)(pictures)


def tint(picture: Tensor, mask: Tensor) -> Tensor:
    """The mean colour without the light on it, [3]."""
    return tinted(picture, (mask[0, 0] > 0.5).nonzero())[0].mean((0, 2))


def test_an_end_that_was_left_gets_the_colour_of_the_rest() -> None:
    end = box_mask(SIDE, SIDE, 8, 8, 40, 12)
    left = torch.where(end > 0, shaded(RED), shaded(GREEN))
    result = evened(shaded(RED), left)
    wanted, before = tint(shaded(GREEN), end), tint(left, end)
    assert (tint(result, end) - wanted).norm() < 0.1 * (before - wanted).norm()
    middle = box_mask(SIDE, SIDE, 20, 20, 30, 30)
    assert_close(tint(result, middle), tint(shaded(GREEN), middle), atol=0.1, rtol=0)


def test_parts_of_other_colours_stay_apart() -> None:
    part = box_mask(SIDE, SIDE, 8, 8, 40, 24)
    source = torch.where(part > 0, shaded(RED), shaded(BLUE))
    painted = torch.where(part > 0, shaded(GREEN), shaded(BLUE))
    assert_close(evened(source, painted), painted, atol=0.05, rtol=0)


def test_what_was_like_nothing_else_keeps_its_own() -> None:
    spot = box_mask(SIDE, SIDE, 20, 20, 22, 22)
    source = torch.where(spot > 0, torch.ones(()), shaded(RED))
    painted = torch.where(spot > 0, torch.ones(()), shaded(GREEN))
    assert_close(evened(source, painted), painted, atol=0.05, rtol=0)


def test_the_light_stays_and_so_does_all_beside_the_thing() -> None:
    given = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    result = evened(shaded(RED), given)
    outside = (THING == 0).expand_as(given)
    assert torch.equal(result[outside], given[outside])
    assert_close(luma(result), luma(given), atol=1e-5, rtol=0)
    assert (result - given).abs().max() > 0.5


def test_autocast_changes_little() -> None:
    given = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    even = colours_evened(shaded(RED), THING, ALIKE, SHARE)
    with torch.autocast("cpu", torch.bfloat16):
        cast = even(given)
    assert torch.equal(cast, even(given))


@pytest.mark.parametrize("count", [0, 1])
def test_things_of_hardly_a_pixel(count: int) -> None:
    thing = torch.zeros(1, 1, SIDE, SIDE)
    thing[..., 5, 5 : 5 + count] = 1
    assert_close(evened(shaded(RED), shaded(GREEN), thing), shaded(GREEN))


def test_the_middle_is_deepest() -> None:
    deep = depth(THING, SHARE)
    assert float(deep.amax()) == 1 == pytest.approx(float(deep[24, 24]))
    assert deep[8, 8] < 0.5 and deep[0, 0] < deep[8, 8]


@pytest.mark.parametrize(
    ("recolour", "lightness", "evenness"),
    [(True, 0.1, 0.15), (True, 0.1, 0.0), (True, 0.0, 0.15), (False, 0.1, 0.15)],
)
def test_the_editor_evens_what_is_recoloured_unless_it_paints_anew(
    recolour: bool, lightness: float, evenness: float
) -> None:
    options = SamplingOptions(steps=4, lightness=lightness, evenness=evenness)
    editor = plain(
        GaussianDiffusion(SIDE, std=0.3), sampling=options,
        window=WindowOptions(minimum=SIDE, grow=0, feather=0, match_color=False),
    )  # fmt: skip
    painted = editor.edit(shaded(RED), THING, "a blue mug", seeds=[1], recolour=recolour)
    tints, _ = tinted(painted.candidates, (THING[0, 0] > 0.5).nonzero())
    is_even = float(tints.std(2).mean()) < 0.1
    assert is_even == (recolour and lightness > 0 and evenness > 0)


@pytest.mark.parametrize("evenness", [-0.1, float("nan"), float("inf")])
def test_evenness_that_is_none_is_told(evenness: float) -> None:
    with pytest.raises(UserError, match=r"sampling\.evenness is .*at least 0"):
        SamplingOptions(evenness=evenness)
