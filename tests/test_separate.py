"""Several regions painted each for itself, and put together."""

import pytest
import torch
from editor_fakes import GaussianDiffusion, box_mask, outside_is_kept, picture
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
