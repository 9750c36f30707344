"""edit_image(): the stages in their order, ranking, and the figures of a result."""

import numpy as np
import pytest
import torch
from editor_fakes import EdgeDistance, GaussianDiffusion, LinearClip, box_mask, picture
from torch import Tensor

from lr_edit.edit import REMOVED, EditResult, changed_outside, edit_image
from lr_edit.editors.editor import Edit, Editor
from lr_edit.editors.guided import GuidedEditor
from lr_edit.editors.options import SamplingOptions, WindowOptions
from lr_edit.errors import NothingFits, UserError
from lr_edit.guidance.augment import homographies
from lr_edit.guidance.options import AugmentOptions, RankingOptions, ViewOptions
from lr_edit.guidance.views import region_views
from lr_edit.ranked import VIEW_SEED, Critics
from lr_edit.regions.fixed import MaskProposer, WholeProposer
from lr_edit.regions.region import Alternative, Region, RegionProposer

MASK = box_mask(40, 40, 12, 12, 28, 28)
SOURCE = picture(40, 40)


class Painter(Editor):
    """Adds a constant of its own to the region for every seed, and remembers what it was asked."""

    def __init__(self, *shifts: float) -> None:
        self.shifts = shifts
        self.prompts: list[str] = []

    def edit(
        self,
        image,
        region,
        prompt,
        *,
        seeds,
        gray=False,
        complete=False,
        recolour=False,
        on_step=None,
    ) -> Edit:
        self.prompts.append(prompt)
        candidates = torch.cat([image + self.shifts[seed] * region for seed in seeds])
        return Edit(candidates, tuple(seeds), region, (0, 0, 40, 40))


class Blind(RegionProposer):
    """Finds nothing."""

    def propose(
        self, image: Tensor, phrase: str, reading: str = "refer", paint: str = ""
    ) -> Region:
        return Region(torch.zeros_like(image[:, :1]), (), confidence=0.0, present=False)


def edited(editor: Editor, paint: str = "an orange", **options) -> EditResult:
    settings = {"proposer": MaskProposer(MASK), "critics": Critics(), "seeds": [0, 1, 2]} | options
    return edit_image(SOURCE, "the red apple", paint, editor=editor, **settings)


def guided_editor() -> GuidedEditor:
    return GuidedEditor(
        GaussianDiffusion(pull=0.4),
        LinearClip(),
        EdgeDistance(),
        sampling=SamplingOptions(steps=3),
        window=WindowOptions(minimum=8, grow=2, feather=1),
        views=ViewOptions(side=16),
        augment=AugmentOptions(copies=2),
    )


def test_the_candidate_with_the_least_seam_comes_first():
    result = edited(Painter(0.5, 0.1, 0.3))
    assert [c.seed for c in result.candidates] == [1, 2, 0]
    assert result.best is result.candidates[0]
    assert torch.equal(result.best.image, SOURCE + 0.1 * MASK)
    scores = [c.score for c in result.candidates]
    assert scores == sorted(scores, reverse=True)
    assert all(set(c.scores) == {"seam"} for c in result.candidates)


def test_text_agreement_decides_where_seams_are_switched_off():
    clip = LinearClip()
    painter = Painter(-0.6, 0.0, 0.6)
    result = edited(painter, critics=Critics(clip, options=RankingOptions(seam=0, copies=3)))
    cosines = [c.scores["text"] for c in result.candidates]
    assert cosines == sorted(cosines, reverse=True) and len(set(cosines)) == 3
    assert all(len(seen) == 3 for seen in clip.seen)  # its own number of views


@pytest.mark.parametrize("fill", ["source", "gray"])
def test_ranking_sees_the_region_as_guidance_is_told_to(fill):
    clip, views = LinearClip(), ViewOptions(side=11, context=1.5, fill=fill)
    critics = Critics(clip, views=views, options=RankingOptions(copies=1))
    result = edited(Painter(0.3), critics=critics, seeds=[0])
    place = (result.weight > 0).float()
    augment, generator = AugmentOptions(copies=2), torch.Generator().manual_seed(VIEW_SEED)
    matrices = homographies(augment, [generator])
    plain, other = region_views(result.best.image, SOURCE, place, views, matrices)[0].split(1)
    torch.testing.assert_close(clip.seen[0], other)
    assert not torch.allclose(clip.seen[0], plain)  # which guided


def test_a_guided_edit_keeps_everything_else_and_says_so():
    stages, steps = [], []
    result = edited(
        guided_editor(),
        critics=Critics(LinearClip()),
        on_stage=stages.append,
        on_step=lambda progress: steps.append(progress.step),
    )
    assert stages == ["region", "sampling", "ranking"] == list(result.seconds)
    assert steps == [1, 2, 3]
    outside = (result.weight == 0).expand_as(SOURCE)
    for candidate in result.candidates:
        assert candidate.image.shape == SOURCE.shape
        assert torch.equal(candidate.image[outside], SOURCE[outside])
        assert not torch.equal(candidate.image, SOURCE)
    assert result.figures["changed_outside"] == 0
    assert result.figures["region_share"] == pytest.approx(0.16)
    assert result.figures["painted_share"] > 0.16  # the region grows
    assert result.figures["confidence"] == 1


def test_candidate_and_text_score_do_not_depend_on_the_others():
    together = edited(guided_editor(), critics=Critics(LinearClip()), seeds=[3, 4, 5])
    alone = edited(guided_editor(), critics=Critics(LinearClip()), seeds=[4])
    (same,) = (c for c in together.candidates if c.seed == 4)
    torch.testing.assert_close(same.image, alone.best.image, atol=1e-5, rtol=0)
    assert same.scores == pytest.approx(alone.best.scores, abs=1e-4)


class Brightest(RegionProposer):
    """Finds the prompt in the middle, the surer the brighter it is there."""

    def propose(
        self, image: Tensor, phrase: str, reading: str = "refer", paint: str = ""
    ) -> Region:
        assert (phrase, reading) == ("an orange", "refer")
        score = float((image * MASK).sum() / MASK.sum() / 6 + 0.5)
        return Region(MASK, (Alternative(MASK, score, "middle"),), score)


def test_the_candidate_in_which_the_prompt_is_found_comes_first():
    critics = Critics(finder=Brightest(), options=RankingOptions(seam=0))
    result = edited(Painter(-0.6, 0.6, 0.0), critics=critics)
    assert [c.seed for c in result.candidates] == [1, 2, 0]
    found = [c.scores["found"] for c in result.candidates]
    assert found == sorted(found, reverse=True)
    off = Critics(finder=Brightest(), options=RankingOptions(found=0))
    assert "found" not in edited(Painter(0.1), critics=off, seeds=[0]).best.scores


def test_removal_asks_for_nothing():
    painter = Painter(0.1)
    result = edited(painter, paint="", seeds=[0], critics=Critics(finder=Brightest()))
    assert painter.prompts == [REMOVED] and result.prompt == REMOVED
    assert set(result.best.scores) == {"seam"}  # nothing is not looked for


def test_a_spill_outside_is_counted():
    spilled = SOURCE.clone()
    spilled[0, 1, 3, 4] += 0.1
    before, after = (x[0].permute(1, 2, 0).numpy() for x in (SOURCE, spilled))
    assert changed_outside(before, after, MASK) == 1
    assert changed_outside(before[..., 0], after[..., 0], MASK) == 0
    inside = np.where(MASK[0, 0, ..., None].numpy() > 0, 5.0, before)
    assert changed_outside(before, inside, MASK) == 0


def test_the_whole_picture_can_be_the_region():
    result = edited(Painter(0.2, 0.1), proposer=WholeProposer(), seeds=[0, 1])
    assert result.figures["region_share"] == 1
    assert [c.scores["seam"] for c in result.candidates] == [0.0, 0.0]
    assert [c.seed for c in result.candidates] == [0, 1]  # equal scores: in the order of seeds


def test_a_phrase_that_fits_nothing_is_an_error():
    painter = Painter(0.1)
    with pytest.raises(UserError, match="nothing in the picture fits 'the red apple'"):
        edited(painter, proposer=Blind())
    assert painter.prompts == []


@pytest.mark.parametrize(
    "trouble", [UserError("missing weights"), MemoryError(), torch.OutOfMemoryError("2 GiB")]
)
def test_nothing_fits_all_the_same_where_it_cannot_be_said_what_is_there(trouble):
    def namer(image: Tensor, phrase: str) -> tuple[str, ...]:
        raise trouble

    with pytest.raises(NothingFits, match=r"fits 'the red apple' \(confidence 0.00\): name"):
        edited(Painter(0.1), proposer=Blind(), namer=namer)
    with pytest.raises(NothingFits, match=r"; it shows a mug, a book: name"):
        edited(Painter(0.1), proposer=Blind(), namer=lambda *_: ("a mug", "a book"))
