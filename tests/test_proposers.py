"""What every region proposer keeps, and what the SegFormer and CLIP one chooses."""

from collections.abc import Callable, Sequence

import per_image_fakes
import pytest
import region_fakes
import tiny_rivals
import torch
from editor_fakes import LinearClip, box_mask, picture
from scipy import ndimage
from torch import Tensor

from lr_edit.backbones.base import ImageTextEncoder, Segmentation, Segmenter
from lr_edit.crop import mask_box
from lr_edit.errors import UserError
from lr_edit.evaluation.region_phrases import REFERENCES, AskedPhrase, true_mask
from lr_edit.proposers import FROM_MODELS
from lr_edit.regions.boxes import LEAST, MOST, CentreBoxProposer, NothingProposer, RandomBoxProposer
from lr_edit.regions.fixed import MaskProposer, WholeProposer
from lr_edit.regions.learned import LearnedProposer
from lr_edit.regions.region import RegionProposer
from lr_edit.regions.segformer_clip import SegformerClipProposer
from lr_edit.regions.segments import segments_of
from lr_edit.regions.shadowed import ShadowedMaskProposer

HEIGHT, WIDTH = 32, 48
RED, GREEN, BLUE = (1.0, -1.0, -1.0), (-1.0, 1.0, -1.0), (-1.0, -1.0, 1.0)


class ColourSegmenter(Segmenter):
    """Red and green pixels are things, all others the table."""

    def segment(self, images: Tensor) -> Segmentation:
        things = (images[:, 0] > 0.5) | (images[:, 1] > 0.5)
        return Segmentation(things.long(), ("table", "thing"))


class ColourClip(ImageTextEncoder):
    """The embedding of a picture is its mean colour over black, of a word that colour."""

    def __init__(self) -> None:
        self.calls: list[Tensor] = []

    @property
    def logit_scale(self) -> float:
        return 10.0

    def encode_image(self, images: Tensor) -> Tensor:
        self.calls.append(images)
        return torch.nn.functional.normalize((images + 1).mean((2, 3)) + 1e-6, dim=1)

    def encode_text(self, phrases: Sequence[str]) -> Tensor:
        axes = {"red": 0, "green": 1, "blue": 2}
        return torch.eye(3)[[axes[phrase.split()[-1]] for phrase in phrases]]


def things() -> Tensor:
    """A blue picture with a red and a green square and a red speck."""
    image = torch.tensor(BLUE).view(1, 3, 1, 1).repeat(1, 1, HEIGHT, WIDTH)
    image[..., 4:14, 4:14] = torch.tensor(RED).view(3, 1, 1)
    image[..., 16:28, 30:42] = torch.tensor(GREEN).view(3, 1, 1)
    image[..., 1, 46] = torch.tensor(RED).view(3)
    return image


def segformer_clip(**options: object) -> SegformerClipProposer:
    return SegformerClipProposer(ColourSegmenter(), ColourClip(), **options)  # type: ignore[arg-type]


PROPOSERS: dict[str, Callable[[], RegionProposer]] = {
    "mask": lambda: MaskProposer(box_mask(HEIGHT, WIDTH, 3, 4, 20, 21)),
    "true_mask": lambda: true_mask(
        AskedPhrase("attribute", "the red", things(), box_mask(HEIGHT, WIDTH, 4, 4, 14, 14))
    ),
    "mask with its shadow": lambda: ShadowedMaskProposer(
        box_mask(HEIGHT, WIDTH, 3, 4, 20, 21),
        MaskProposer(box_mask(HEIGHT, WIDTH, 3, 4, 20, 21), box_mask(HEIGHT, WIDTH, 3, 4, 30, 21)),
    ),
    "whole": WholeProposer,
    "centre_box": CentreBoxProposer,
    "random_box": RandomBoxProposer,
    "learned": lambda: LearnedProposer(region_fakes.network(), region_fakes.features(), 0.0),
    "learned, told what is to come": lambda: LearnedProposer(
        region_fakes.network(wishes=True), region_fakes.features(), 0.0
    ),
    "segformer_clip": segformer_clip,
    "segformer_clip, as published": lambda: segformer_clip(connected=False),
    "segformer_clip, crops": lambda: segformer_clip(crop=True),
    "clipseg": lambda: tiny_rivals.proposers()["clipseg"],
    "grounded_sam": lambda: tiny_rivals.proposers()["grounded_sam"],
    "per_image": lambda: per_image_fakes.proposer("boxes", iterations=2),
    "per_image_masks": lambda: per_image_fakes.proposer("masks", iterations=2),
    "learnable_regions_as_released": lambda: per_image_fakes.proposer("random"),
}
BLIND = ("mask", "mask with its shadow", "true_mask", "whole", "centre_box", "random_box")
READERS = [name for name in PROPOSERS if name not in BLIND]


def test_every_proposer_with_a_name_keeps_the_contract() -> None:
    assert {*FROM_MODELS, *REFERENCES} - {"nothing"} <= set(PROPOSERS)


@pytest.mark.parametrize("name", PROPOSERS)
def test_regions_are_well_formed(name: str) -> None:
    image = things()
    before = image.clone()
    region = PROPOSERS[name]().propose(image, "the red")
    assert torch.equal(image, before)
    assert region.present and 0 <= region.confidence <= 1
    assert region.alternatives and torch.equal(region.alternatives[0].mask, region.mask)
    assert region.confidence == pytest.approx(region.alternatives[0].score)
    scores = [alternative.score for alternative in region.alternatives]
    assert scores == sorted(scores, reverse=True)
    for alternative in region.alternatives:
        mask = alternative.mask
        assert mask.shape == (1, 1, HEIGHT, WIDTH) and mask.dtype == torch.float32
        assert mask.min() >= 0 and 0 < mask.max() <= 1 and not mask.requires_grad
        assert alternative.label


@pytest.mark.parametrize("name", PROPOSERS)
def test_proposing_twice_gives_the_same(name: str) -> None:
    proposer, image = PROPOSERS[name](), things()
    first, second = proposer.propose(image, "the red"), proposer.propose(image, "the red")
    assert torch.equal(first.mask, second.mask) and first.confidence == second.confidence


@pytest.mark.parametrize("name", PROPOSERS)
def test_every_proposer_can_be_told_what_the_thing_becomes(name: str) -> None:
    proposer, image = PROPOSERS[name](), things()
    plain, told = (proposer.propose(image, "the red", paint=paint) for paint in ("", "a green"))
    assert told.mask.shape == plain.mask.shape and told.present == plain.present
    reads = name.endswith("to come") or "per_image" in name or "as_released" in name
    assert torch.equal(told.to_edit, plain.to_edit) != reads


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("phrase", ["", "   ", "\n"])
def test_empty_phrases_are_told(name: str, phrase: str) -> None:
    with pytest.raises(UserError, match="phrase is empty"):
        PROPOSERS[name]().propose(things(), phrase)


@pytest.mark.parametrize("crop", [False, True])
@pytest.mark.parametrize(
    ("phrase", "expected"), [("the red", (4, 4, 14, 14)), ("the green", (30, 16, 42, 28))]
)
def test_clip_picks_the_segment_that_fits(
    crop: bool, phrase: str, expected: tuple[int, int, int, int]
) -> None:
    region = segformer_clip(crop=crop).propose(things(), phrase)
    assert torch.equal(region.mask, box_mask(HEIGHT, WIDTH, *expected))
    assert [a.label for a in region.alternatives].count("thing") == 2
    assert region.confidence > 0.5


def test_scores_are_the_softmax_of_scaled_cosines() -> None:
    region = segformer_clip(fill=-1.0).propose(things(), "green")
    expected = torch.softmax(torch.tensor([10.0, 0.0, 0.0]), 0)
    found = torch.tensor([alternative.score for alternative in region.alternatives])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)
    softer = segformer_clip(fill=-1.0, temperature=1.0).propose(things(), "green")
    assert softer.confidence == pytest.approx(2.71828 / (2.71828 + 2), abs=1e-3)


def test_all_segments_go_through_clip_in_one_call_black_outside() -> None:
    clip = ColourClip()
    SegformerClipProposer(ColourSegmenter(), clip, fill=-1.0).propose(things(), "red")
    (shown,) = clip.calls
    assert shown.shape == (3, 3, HEIGHT, WIDTH)
    outside = shown.amax(1) == -1
    assert outside.sum(dim=(1, 2)).tolist().count(HEIGHT * WIDTH - 100) == 1


def test_fill_is_what_clip_sees_outside() -> None:
    clip = ColourClip()
    SegformerClipProposer(ColourSegmenter(), clip, fill=0.0).propose(things(), "red")
    assert (clip.calls[0][:, :, 1, 46] == 0).all()


def test_whole_classes_as_published() -> None:
    region = segformer_clip(connected=False).propose(things(), "red")
    assert {a.label for a in region.alternatives} == {"table", "thing"}
    assert len(region.alternatives) == 2


def test_nothing_large_enough_means_not_present() -> None:
    region = segformer_clip(minimum=1.1).propose(things(), "red")
    assert not region.present and region.alternatives == () and region.confidence == 0
    assert region.mask.shape == (1, 1, HEIGHT, WIDTH) and region.mask.sum() == 0


def test_large_pictures_are_reduced_for_clip_and_masks_are_not() -> None:
    image = torch.nn.functional.interpolate(things(), scale_factor=32, mode="nearest")
    clip = ColourClip()
    region = SegformerClipProposer(ColourSegmenter(), clip).propose(image, "green")
    assert max(clip.calls[0].shape[-2:]) == 512
    assert region.mask.shape == (1, 1, 32 * HEIGHT, 32 * WIDTH)
    assert region.mask.sum() == 12 * 12 * 32 * 32


def test_segments_cover_the_picture_once() -> None:
    labels = torch.randint(0, 3, (1, 20, 24), generator=torch.Generator().manual_seed(0))
    for connected in (True, False):
        segments = segments_of(Segmentation(labels, ("a", "b", "c")), connected, minimum=0.0)
        assert torch.equal(sum(s.mask.long() for s in segments), torch.ones(20, 24).long())
        for segment in segments:
            assert len(labels[0][segment.mask].unique()) == 1


@pytest.mark.parametrize("minimum", [0.0, 0.01, 0.2])
def test_segments_are_in_the_order_of_labels_and_of_reading(minimum: float) -> None:
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 4, (1, 8, 9), generator=generator).repeat_interleave(3, 2)
    expected = []
    for label in range(4):
        whole = (labels[0] == label).numpy()
        numbered, count = ndimage.label(whole, structure=torch.ones(3, 3).numpy())
        masks = [torch.from_numpy(numbered == k) for k in range(1, count + 1)]
        expected += [("abcd"[label], m) for m in masks if m.sum() >= round(minimum * m.numel())]
    segments = segments_of(Segmentation(labels, tuple("abcd")), minimum=minimum)
    assert [s.name for s in segments] == [name for name, _ in expected]
    assert all(torch.equal(s.mask, m) for s, (_, m) in zip(segments, expected, strict=True))


def test_many_segments_go_through_clip_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = segformer_clip().propose(things(), "red")
    monkeypatch.setattr("lr_edit.regions.segformer_clip._AT_ONCE", 2)
    clip = ColourClip()
    parts = SegformerClipProposer(ColourSegmenter(), clip).propose(things(), "red")
    assert [len(shown) for shown in clip.calls] == [2, 1]
    scores = [[one.score for one in region.alternatives] for region in (whole, parts)]
    assert scores[0] == pytest.approx(scores[1]) and torch.equal(whole.mask, parts.mask)


def test_masks_that_do_not_fit_are_told() -> None:
    with pytest.raises(UserError, match=r"12x10.*24x24"):
        MaskProposer(torch.ones(1, 1, 10, 12)).propose(picture(), "")
    with pytest.raises(UserError, match="selects nothing"):
        MaskProposer(torch.zeros(1, 1, 24, 24)).propose(picture(), "")


def test_given_masks_stay_as_they_are() -> None:
    soft = box_mask(24, 24, 2, 2, 9, 9) * 0.4
    assert torch.equal(MaskProposer(soft).propose(picture(), "").mask, soft)
    assert WholeProposer().propose(picture(), "").mask.sum() == 24 * 24


@pytest.mark.parametrize("share", [0.001, 0.25, 1.0])
@pytest.mark.parametrize("size", [(32, 48), (9, 8), (64, 20)])
def test_the_centre_box_has_its_share_in_the_middle(share: float, size: tuple[int, int]) -> None:
    height, width = size
    mask = CentreBoxProposer(share).propose(picture(height, width), "").mask[0, 0]
    x0, y0, x1, y1 = mask_box(mask[None, None])
    assert mask[y0:y1, x0:x1].all()
    assert abs(x0 + x1 - width) <= 1 and abs(y0 + y1 - height) <= 1
    assert float(mask.mean()) == pytest.approx(share, abs=(height + width) / (height * width))


@pytest.mark.parametrize("share", [0.0, -1.0, 1.1, float("nan")])
def test_a_box_of_no_share_is_told(share: float) -> None:
    with pytest.raises(UserError, match="share"):
        CentreBoxProposer(share)


def test_random_boxes_depend_on_seed_picture_and_phrase_alone() -> None:
    def box(seed: int = 0, image: int = 0, phrase: str = "the red") -> Tensor:
        return RandomBoxProposer(seed).propose(picture(seed=image), phrase).mask

    assert torch.equal(box(), box())
    others = [box(seed=1), box(image=1), box(phrase="the green")]
    assert not any(torch.equal(box(), other) for other in others)


def test_random_boxes_reach_everywhere_in_many_sizes() -> None:
    image, proposer = picture(40, 60), RandomBoxProposer()
    masks = [proposer.propose(image, f"phrase {k}").mask for k in range(200)]
    reached = torch.stack(masks).amax((0, 1, 2))
    assert reached.any(0).all() and reached.any(1).all()
    sides = [mask_box(mask) for mask in masks]
    widths, heights = [x1 - x0 for x0, _, x1, _ in sides], [y1 - y0 for _, y0, _, y1 in sides]
    for lengths, whole in ((widths, 60), (heights, 40)):
        assert round(whole * LEAST) <= min(lengths) <= whole * LEAST + 2
        assert whole * MOST - 2 <= max(lengths) <= round(whole * MOST)


def test_nothing_is_never_there() -> None:
    region = NothingProposer().propose(things(), "the red")
    assert not region.present and region.alternatives == () and region.confidence == 0
    assert region.mask.shape == (1, 1, HEIGHT, WIDTH) and region.mask.sum() == 0


def test_a_real_clip_may_stand_in_for_the_fake() -> None:
    region = SegformerClipProposer(ColourSegmenter(), LinearClip()).propose(things(), "a thing")
    assert len(region.alternatives) == 3
