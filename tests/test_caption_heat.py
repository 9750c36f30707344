"""Where CLIP sees a phrase, with an encoder that knows only how red a picture is."""

import torch

from lr_edit.training.objectives.heat import (
    heat_target,
    pooled,
    seen_through_windows,
    spread_out,
    standing_out,
)
from lr_edit.training.objectives.refine import neighbours, refined


class Redness:
    """Embeds a picture by its colour."""

    def encode_image(self, images: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(images.mean((2, 3)) + 1e-3, dim=1)

    def encode_text(self, phrases: list[str]) -> torch.Tensor:
        return torch.tensor([[1.0, 0.0, 0.0]]).expand(len(phrases), -1)


def half_red() -> torch.Tensor:
    """A green picture with a red patch at the upper right."""
    image = torch.zeros(1, 3, 64, 64)
    image[:, 1] = 1
    image[:, :, 8:24, 40:56] = torch.tensor([1.0, 0, 0])[:, None, None]
    return image


def test_the_heat_lies_on_what_the_words_say() -> None:
    seen = seen_through_windows(Redness(), half_red(), 0.25)  # type: ignore[arg-type]
    assert seen.shape == (1, 3, 7, 7)
    target = heat_target(spread_out(seen[:, :1], 64))
    truth = half_red()[:, :1] > 0
    assert target.shape == (1, 1, 64, 64)
    hot = target > 0.5
    assert (hot & truth).sum() / (hot | truth).sum() > 0.4


def test_a_mask_pools_what_it_covers() -> None:
    seen = seen_through_windows(Redness(), half_red(), 0.25)  # type: ignore[arg-type]
    truth = (half_red()[:, :1] > 0).float()
    for mask, channel in ((truth, 0), (1 - truth, 1)):
        assert pooled(mask, seen)[0].argmax() == channel


def test_nothing_that_stands_out_gives_no_certain_mask() -> None:
    flat = spread_out(torch.full((1, 1, 7, 7), 0.3), 64)
    assert (heat_target(flat) < 0.5).all()


def test_refined_heat_has_the_borders_of_the_picture() -> None:
    image, truth = half_red(), half_red()[:, :1] > 0
    seen = seen_through_windows(Redness(), image, 0.25)  # type: ignore[arg-type]
    coarse = spread_out(seen[:, :1], 64)
    fine = standing_out(refined(coarse, image))

    def agreement(heat: torch.Tensor) -> float:
        hot = heat_target(heat) > 0.5
        return float((hot & truth).sum() / (hot | truth).sum())

    assert agreement(fine) > 0.95 > agreement(coarse)


def test_refining_a_plain_picture_smooths_and_keeps_the_level() -> None:
    heat = torch.rand(1, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    smooth = refined(heat, torch.zeros(1, 3, 16, 16))
    assert smooth.std() < heat.std() / 3
    torch.testing.assert_close(refined(torch.ones_like(heat), torch.rand(1, 3, 16, 16)).mean(),
                               torch.tensor(1.0))  # fmt: skip


def test_neighbours_are_those_around_at_every_reach() -> None:
    picture = torch.arange(25.0).view(1, 1, 5, 5)
    around = neighbours(picture, (1, 2))[0, 0, :, 2, 2]
    assert around.tolist() == [6, 7, 8, 11, 13, 16, 17, 18, 0, 2, 4, 10, 14, 20, 22, 24]
