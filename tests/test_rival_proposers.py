"""CLIPSeg, and Grounding DINO with SAM 2, from tiny folders in the format of the published ones."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from editor_fakes import box_mask, picture
from safetensors.torch import load_file, save_file
from tiny_rivals import CONTEXT, tiny_rivals
from torch import Tensor

from lr_edit.cli.main import main
from lr_edit.cli.options import PROPOSERS
from lr_edit.edit import find_region
from lr_edit.errors import NothingFits, UserError
from lr_edit.images import to_pil
from lr_edit.proposers import FROM_MODELS
from lr_edit.regions.clipseg import ClipsegProposer, heat_region
from lr_edit.regions.grounded_sam import (
    Boxes,
    GroundedSamProposer,
    as_sentence,
    boxes_region,
    names_several,
)
from lr_edit.regions.region import RegionProposer
from lr_edit.training.comparison import rivals

SIZES = [(32, 32), (40, 57), (90, 33)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """clipseg/, grounding_dino/, sam2/, and set.yaml, a model set of both proposers."""
    folder = tmp_path_factory.mktemp("rivals")
    (folder / "set.yaml").write_text(tiny_rivals(folder))
    return folder


@pytest.fixture(scope="module")
def clipseg(folder: Path) -> ClipsegProposer:
    return ClipsegProposer(str(folder / "clipseg"))


@pytest.fixture(scope="module")
def grounded(folder: Path) -> GroundedSamProposer:
    return GroundedSamProposer(
        str(folder / "grounding_dino"), str(folder / "sam2"), box_threshold=0.5
    )


def photo(height: int = 40, width: int = 57) -> Tensor:
    """A picture of 8 bits."""
    return (picture(height, width) * 127.5 + 127.5).round() / 127.5 - 1


# CLIPSeg


@pytest.mark.parametrize("size", SIZES)
def test_heat_is_that_of_transformers(
    clipseg: ClipsegProposer, folder: Path, size: tuple[int, int]
) -> None:
    from transformers import AutoProcessor, CLIPSegForImageSegmentation

    image = photo(*size)
    processor = AutoProcessor.from_pretrained(folder / "clipseg")
    model = CLIPSegForImageSegmentation.from_pretrained(folder / "clipseg").eval()
    given = processor(text=["the red apple"], images=to_pil(image), return_tensors="pt")
    with torch.no_grad():
        square = model(**given).logits.view(1, 1, 32, 32).sigmoid()
    theirs = torch.nn.functional.interpolate(square, size, mode="bilinear", align_corners=False)
    ours = clipseg.heat(image, "the red apple")
    assert ours.shape == (1, 1, *size) and ours.dtype == torch.float32 and ours.std() > 0.1
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_heat_depends_on_picture_and_words(clipseg: ClipsegProposer) -> None:
    first = clipseg.heat(photo(), "the red apple")
    assert not torch.equal(first, clipseg.heat(photo(), "a camper van"))
    assert not torch.equal(first, clipseg.heat(photo().flip(3), "the red apple"))


def test_hot_pixels_are_the_mask_and_its_pieces_the_alternatives() -> None:
    heat = 0.3 * torch.ones(1, 1, 20, 30)
    heat[..., 2:8, 2:8], heat[..., 10:18, 20:28], heat[..., 19, 0] = 0.6, 0.9, 0.5
    region = heat_region(heat, threshold=0.4, minimum=0.1)
    assert region.present and region.confidence == pytest.approx(0.9)
    assert torch.equal(region.mask, (heat > 0.4).float())
    whole, right, left = region.alternatives
    assert torch.equal(whole.mask, region.mask)
    assert torch.equal(right.mask, box_mask(20, 30, 20, 10, 28, 18))
    assert torch.equal(left.mask, box_mask(20, 30, 2, 2, 8, 8))
    assert (right.score, left.score) == pytest.approx((0.9, 0.6))


def test_where_nothing_is_hot_the_nearest_can_be_forced() -> None:
    heat = 0.01 * torch.ones(1, 1, 20, 30)
    heat[..., 2:8, 2:8] = 0.2

    class Cool(RegionProposer):
        def propose(
            self, image: Tensor, phrase: str, reading: str = "refer", paint: str = ""
        ) -> Any:
            return heat_region(heat, threshold=0.4, minimum=0.1)

    assert heat_region(heat, 0.4, 0.1).confidence == pytest.approx(0.2)
    with pytest.raises(NothingFits, match=r"confidence 0\.20"):
        find_region(photo(20, 30), "a mug", Cool())
    forced = find_region(photo(20, 30), "a mug", Cool(), force=True)
    assert torch.equal(forced.mask, box_mask(20, 30, 2, 2, 8, 8))


# Grounding DINO and SAM 2


@pytest.mark.parametrize("size", SIZES)
def test_boxes_and_masks_are_those_of_transformers(
    grounded: GroundedSamProposer, folder: Path, size: tuple[int, int]
) -> None:
    from transformers import (
        AutoProcessor,
        GroundingDinoForObjectDetection,
        Sam2Model,
        Sam2Processor,
    )

    image = photo(*size)
    reads = AutoProcessor.from_pretrained(folder / "grounding_dino")
    detector = GroundingDinoForObjectDetection.from_pretrained(folder / "grounding_dino").eval()
    sees = Sam2Processor.from_pretrained(folder / "sam2")
    segmenter = Sam2Model.from_pretrained(folder / "sam2").eval()
    with torch.no_grad():
        given = reads(images=to_pil(image), text="the red apple.", return_tensors="pt")
        theirs = reads.post_process_grounded_object_detection(
            detector(**given), threshold=0.5, text_threshold=0.25, target_sizes=[size]
        )[0]
        order = theirs["scores"].argsort(descending=True)
        ours = grounded.boxes(image, "The red apple")
        torch.testing.assert_close(ours.corners, theirs["boxes"][order], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(ours.scores, theirs["scores"][order])
        prompt = sees(
            images=to_pil(image), input_boxes=[ours.corners.tolist()], return_tensors="pt"
        )
        out = segmenter(
            pixel_values=prompt["pixel_values"], input_boxes=prompt["input_boxes"],
            multimask_output=False,
        )  # fmt: skip
    masks = sees.post_process_masks(out.pred_masks, prompt["original_sizes"])[0]
    assert masks.any() and not masks.all()
    assert torch.equal(grounded.masks(image, ours.corners), masks.float())


def test_boxes_come_best_first_and_no_more_than_wanted(grounded: GroundedSamProposer) -> None:
    scores = grounded.boxes(photo(), "the red apple").scores
    assert len(scores) > 2 and (scores > 0.5).all() and (scores.diff() <= 0).all()
    region = grounded.propose(photo(), "the red apple")
    assert [a.score for a in region.alternatives] == pytest.approx(scores.tolist())


def test_thresholds_and_counts_are_options(folder: Path) -> None:
    places = (str(folder / "grounding_dino"), str(folder / "sam2"))
    few = GroundedSamProposer(*places, box_threshold=0.0, most=2)
    assert len(few.boxes(photo(), "the apple").scores) == 2
    strict = GroundedSamProposer(*places, box_threshold=1.0)
    nearest = strict.propose(photo(), "the apples")
    assert not nearest.present and len(nearest.alternatives) == 1 and nearest.mask.any()


def found(*boxes: tuple[int, int, int, int]) -> tuple[Boxes, Tensor]:
    """Boxes of falling scores in a picture of 20 by 30 pixels, each full of what it holds."""
    scores = torch.tensor([0.9, 0.6, 0.4][: len(boxes)])
    masks = torch.cat([box_mask(20, 30, *box) for box in boxes])
    return Boxes(torch.tensor(boxes).float(), scores, ("a", "b", "c")[: len(boxes)], True), masks


def test_one_thing_is_the_best_box_and_several_are_all_together() -> None:
    boxes, masks = found((2, 2, 8, 8), (20, 10, 28, 18))
    one = boxes_region(boxes, masks, "the mug")
    assert torch.equal(one.mask, masks[:1]) and one.confidence == pytest.approx(0.9)
    assert [a.label for a in one.alternatives] == ["a", "b"]
    several = boxes_region(boxes, masks, "the mugs")
    assert torch.equal(several.mask, masks.amax(0, keepdim=True))
    assert several.present and several.confidence == pytest.approx(0.9)
    assert [a.label for a in several.alternatives] == ["the mugs", "a", "b"]


def test_boxes_without_a_mask_are_passed_over() -> None:
    boxes, masks = found((2, 2, 8, 8), (20, 10, 28, 18))
    masks[0] = 0
    region = boxes_region(boxes, masks, "the mug")
    assert region.present and torch.equal(region.mask, masks[1:])
    assert region.confidence == pytest.approx(0.6) and len(region.alternatives) == 1
    nothing = boxes_region(boxes, masks * 0, "the mug")
    assert not nothing.present and nothing.alternatives == ()
    assert nothing.mask.shape == (1, 1, 20, 30) and not nothing.mask.any()


@pytest.mark.parametrize(
    ("phrase", "several"),
    [
        ("the mug", False), ("a red apple", False), ("red apple", False), ("the grass", False),
        ("the black and white cat", False), ("the man on the stairs", False),
        ("the mugs", True), ("All the red apples", True), ("two dogs left of the man", True),
        ("every mug", True), ("the people", True), ("the cat and the dog", True),
        ("a mug, an apple", True),
    ],
)  # fmt: skip
def test_plural_phrases_are_told_from_others(phrase: str, several: bool) -> None:
    assert names_several(phrase) == several


def test_phrases_become_sentences_as_grounding_dino_reads_them() -> None:
    for phrase in ("The Red Mug", "the red mug.", "the red mug. "):
        assert as_sentence(phrase) == "the red mug."


# Both


@pytest.mark.parametrize("name", ["clipseg", "grounded"])
def test_phrases_beyond_the_context_are_refused(name: str, request: pytest.FixtureRequest) -> None:
    proposer: RegionProposer = request.getfixturevalue(name)
    with pytest.raises(UserError, match=rf"reads {CONTEXT} at most: shorten it") as got:
        proposer.propose(photo(), "the red apple " * CONTEXT)
    assert "\n" not in str(got.value)


def test_thresholds_are_shares(folder: Path) -> None:
    with pytest.raises(UserError, match=r"threshold is 1\.5: expected a number from 0 to 1"):
        ClipsegProposer(str(folder / "clipseg"), threshold=1.5)
    with pytest.raises(UserError, match="box_threshold is -1"):
        GroundedSamProposer(str(folder / "grounding_dino"), str(folder / "sam2"), box_threshold=-1)


def load(kind: str, place: str, folder: Path, revision: str | None = None) -> RegionProposer:
    """A proposer that has one of its folders elsewhere."""
    if kind == "clipseg":
        return ClipsegProposer(place, revision)
    if kind == "grounding_dino":
        return GroundedSamProposer(place, str(folder / "sam2"), revision)
    return GroundedSamProposer(str(folder / "grounding_dino"), place, None, revision)


KINDS = ["clipseg", "grounding_dino", "sam2"]


@pytest.fixture
def copy(request: pytest.FixtureRequest, folder: Path, tmp_path: Path) -> Path:
    """A folder of one of KINDS that a test may spoil."""
    place = tmp_path / request.param
    place.mkdir()
    for path in (folder / request.param).iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    return place


@pytest.mark.parametrize("copy", KINDS, indirect=True)
def test_damaged_weights_are_told(copy: Path, folder: Path) -> None:
    path = copy / "model.safetensors"
    state = load_file(path)
    gone = next(n for n in state if "decoder" in n and n.endswith("weight"))
    save_file({n: v for n, v in state.items() if n != gone}, path, metadata={"format": "pt"})
    with pytest.raises(UserError, match="damaged weights"):
        load(copy.name, str(copy), folder)
    path.rename(copy / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"damaged weights.*safetensors"):
        load(copy.name, str(copy), folder)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("revision", [None, "abc"])
def test_missing_weights_are_told_in_one_line(
    kind: str, revision: str | None, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match="missing weights: 'owner/name'") as got:
        load(kind, "owner/name", folder, revision)
    assert "\n" not in str(got.value)


def test_a_revision_is_asked_of_the_hub_and_only_safetensors(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def download(name: str, revision: str, allow_patterns: list[str]) -> str:
        asked.append((name, revision, allow_patterns))
        return str(folder / "clipseg")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    ClipsegProposer("CIDAS/clipseg-rd64-refined", "abc")
    assert asked == [("CIDAS/clipseg-rd64-refined", "abc", ["*.json", "*.txt", "*.safetensors"])]
    ClipsegProposer(str(folder / "clipseg"), "abc")
    assert len(asked) == 1


# By name


@pytest.mark.parametrize("proposer", ["clipseg", "grounded_sam"])
def test_the_command_line_finds_a_region(
    proposer: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    to_pil(photo())[0].save("photo.png")
    words = f"--image photo.png --proposer {proposer} --region-only --output out --device cpu"
    words = [*words.split(), "--models", str(folder / "set.yaml"), "--replace", "the red apple"]
    assert main(words) == 0, capsys.readouterr().err
    assert {path.name for path in Path("out").iterdir()} >= {"region.png", "report.json"}
    report = json.loads(Path("out/report.json").read_text())
    assert report["settings"]["proposer"] == proposer and report["present"]


def test_they_need_a_phrase_for_what_is_there(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--image", "photo.png", "--proposer", "clipseg", "--with", "apple", "--output", "out"]
    assert main([*words, "--models", str(folder / "set.yaml")]) == 2
    assert "give --replace and --with" in capsys.readouterr().err


def test_every_proposer_of_the_command_line_can_be_made() -> None:
    assert set(PROPOSERS) - {"mask"} <= set(FROM_MODELS)


def test_a_comparison_takes_them_as_rivals(folder: Path) -> None:
    names = ("true_mask", "grounded_sam", "clipseg")
    made = rivals(names, str(folder / "set.yaml"), "cpu")
    assert tuple(made) == names
    for name in ("learned", "sam"):
        with pytest.raises(UserError, match=f"unknown rival '{name}': give some of .*clipseg"):
            rivals((name,), str(folder / "set.yaml"), "cpu")
