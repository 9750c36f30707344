"""Several regions painted each for itself, and put together."""

import weakref
from typing import Any

import pytest
import torch
from editor_fakes import GaussianDiffusion, Witness, box_mask, outside_is_kept, picture
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lr_edit.edit import REMOVED, one_by_one
from lr_edit.editors.editor import Edit, Progress
from lr_edit.editors.guided import GuidedEditor
from lr_edit.editors.options import SamplingOptions
from lr_edit.editors.separate import edit_separately, joined
from lr_edit.guidance.options import NO_GUIDANCE
from lr_edit.masks import separated

TWO = torch.maximum(box_mask(40, 60, 4, 10, 16, 22), box_mask(40, 60, 38, 12, 54, 26))


def editor() -> GuidedEditor:
    sampling = SamplingOptions(steps=2, bf16=False)
    return GuidedEditor(GaussianDiffusion(), weights=NO_GUIDANCE, sampling=sampling)


def test_two_regions_are_two_windows_and_one_edit() -> None:
    image, seen = picture(40, 60), list[Progress]()
    regions = separated(TWO)
    edit = edit_separately(editor(), image, regions, "a cat", seeds=[1, 2, 3], on_step=seen.append)
    assert outside_is_kept(edit, image)
    assert len(edit.parts) == 2 and torch.equal(edit.mask, torch.stack(edit.parts).amax(0)[0:1])
    assert [one.step for one in seen] == [1, 2, 3, 4] and {one.steps for one in seen} == {4}
    for region, part, other in zip(regions, edit.parts, edit.parts[::-1], strict=True):
        alone = editor().edit(image, region, "a cat", seeds=[2])
        there = ((part > 0) & (other == 0)).expand(1, 3, -1, -1)
        assert torch.equal(edit.candidates[1:2][there], alone.candidates[there])


def test_where_two_meet_the_stronger_wins() -> None:
    def painted(value: float, weight: Tensor) -> Edit:
        return Edit(torch.full((2, 3, 1, 3), value), (0, 1), weight, (0, 0, 3, 1), {})

    left, right = torch.tensor([[[[1.0, 0.6, 0.0]]]]), torch.tensor([[[[0.0, 0.4, 1.0]]]])
    edit = joined([painted(-0.5, left), painted(0.5, right)])
    assert edit.candidates[1, 0, 0].tolist() == [-0.5, -0.5, 0.5]
    assert edit.mask.flatten().tolist() == pytest.approx([1, 0.6, 1])


@given(st.integers(0, 10**6))
def test_every_pixel_is_of_the_edit_that_repainted_it_most(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    image, edits = torch.rand(2, 3, 6, 7, generator=generator), list[Edit]()
    for _ in range(3):  # with weights of which many are equal, or 0
        weight = (torch.randint(-3, 4, (1, 1, 6, 7), generator=generator) / 3).clamp(0)
        painted = torch.rand(2, 3, 6, 7, generator=generator)
        pictures = torch.where(weight > 0, painted, image)
        losses = {"clip": torch.rand(2, generator=generator)}
        edits.append(Edit(pictures, (0, 1), weight, (0, 0, 7, 7), losses, 0.5))
    before = [one.candidates.clone() for one in edits]
    both = joined(edits)
    weights = torch.stack([one.mask for one in edits])
    strongest = weights.argmax(0).expand(2, 3, -1, -1)
    assert torch.equal(both.candidates, torch.stack(before).gather(0, strongest[None])[0])
    assert torch.equal(both.mask, weights.amax(0)) and torch.equal(torch.stack(both.parts), weights)
    mean = torch.stack([one.losses["clip"] for one in edits]).mean(0)
    assert torch.equal(both.losses["clip"], mean) and both.seconds == 1.5
    assert all(torch.equal(one.candidates, b) for one, b in zip(edits, before, strict=True))


class Forgotten(Witness):
    """Looks whether the candidates it painted before are still there."""

    def __init__(self) -> None:
        super().__init__()
        self.painted: list[weakref.ref[Tensor]] = []

    def edit(self, *given: Any, **options: Any) -> Edit:
        assert all(candidates() is None for candidates in self.painted)
        done = super().edit(*given, **options)
        self.painted.append(weakref.ref(done.candidates))
        return done


def test_the_candidates_of_one_thing_are_held_at_a_time() -> None:
    editor, image = Forgotten(), picture(40, 60)
    edit = edit_separately(editor, image, separated(TWO) * 2, "a cat", seeds=[1, 2])
    assert len(editor.painted) == 4 and len(edit.parts) == 4
    assert torch.equal(edit.candidates, image.expand(2, -1, -1, -1)) and torch.equal(edit.mask, TWO)


@given(st.integers(0, 10**6))
def test_pieces_share_out_a_mask(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.rand(1, 1, 6, 7, generator=generator) - 0.4).clamp(0)
    pieces = separated(mask, 0.2)
    assert torch.equal(torch.stack(pieces).sum(0), mask)
    assert all((piece > 0.5).any() for piece in pieces) or len(pieces) == 1


def test_what_is_painted_one_by_one() -> None:
    assert one_by_one(TWO, "both mugs", "two cats")[1] == "a cat"
    assert len(one_by_one(TWO, "both mugs", "two cats")[0]) == 2
    assert one_by_one(TWO, "the mugs", "a basket") == ([TWO], "a basket")
    assert one_by_one(TWO, "the mug", "cats") == ([TWO], "cats")
    assert len(one_by_one(TWO, "all mugs", "")[0]) == 2
    assert one_by_one(TWO, "the mug", " ") == ([TWO], REMOVED)
