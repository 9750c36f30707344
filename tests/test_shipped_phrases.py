"""The shipped tabletop networks and phrases that are no plain ones: too long, strange, at odds."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lr_edit.cli.main import main
from lr_edit.demo import SCENE
from lr_edit.edit import edit_image, find_region
from lr_edit.editors.guided import GuidedEditor
from lr_edit.editors.options import SamplingOptions
from lr_edit.errors import NothingFits, UserError
from lr_edit.images import from_uint8, to_pil, to_uint8
from lr_edit.instruction import Reading
from lr_edit.models import ModelSet, load_models
from lr_edit.proposers import FROM_MODELS
from lr_edit.ranked import Critics
from lr_edit.regions.closest import closest_things
from lr_edit.regions.fixed import MaskProposer
from lr_edit.regions.region import Region
from lr_edit.tabletop.language import referring
from lr_edit.tabletop.render import render
from lr_edit.tabletop.scene import NOUNS, sample_scene

LONG = "the red apple " * 20
UNKNOWN = ("zxqv flurb", "Ωμέγα", "苹果", "🍎", "1234567890", "qwertz")
AT_ODDS = (
    "the red blue apple",
    "the small large mug",
    "the apple that is a mug",
    "the apple left of the apple",
    "no apple",
)


@pytest.fixture(scope="module")
def models() -> ModelSet:
    return load_models("tabletop")


@pytest.fixture(scope="module")
def scene() -> Tensor:
    """An apple, a mug, a book and a lamp on a table."""
    return render([SCENE], 64).images


@pytest.fixture
def call(
    tmp_path: Path, scene: Tensor, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs infer.py on the scene with the shipped models; gives status, stdout, stderr."""
    to_pil(scene)[0].save(tmp_path / "photo.png")

    def run(*words: str) -> tuple[int, str, str]:
        place = ["--image", str(tmp_path / "photo.png"), "--output", str(tmp_path / "out")]
        capsys.readouterr()
        status = main([*place, "--device", "cpu", *words])
        return status, *capsys.readouterr()

    return run


# Too long


@pytest.mark.parametrize("proposer", ["learned", "segformer_clip"])
def test_a_phrase_that_clip_would_cut_is_refused(
    models: ModelSet, scene: Tensor, proposer: str
) -> None:
    with pytest.raises(UserError) as caught:
        FROM_MODELS[proposer].make(models).propose(scene, LONG)
    line = str(caught.value)
    assert "has 62 tokens, but CLIP reads 20 at most: shorten it" in line
    assert "\n" not in line and len(line) < 150 and caught.value.status == 2


def test_a_phrase_of_just_that_length_passes(models: ModelSet) -> None:
    fits = "the red apple " * 6
    models.clip.check_length(fits)
    models.diffusion.check_length(fits)
    for reader, name in ((models.clip, "CLIP"), (models.diffusion, "the diffusion model")):
        with pytest.raises(UserError, match=f"has 21 tokens, but {name} reads 20"):
            reader.check_length(f"{fits}mug")


def test_what_is_to_be_painted_may_not_be_too_long_either(models: ModelSet, scene: Tensor) -> None:
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 20:40, 20:40] = 1
    editor = GuidedEditor(models.diffusion, models.clip, models.perceptual)
    with pytest.raises(UserError, match="reads 20 at most: shorten it"):
        edit_image(
            scene,
            "it",
            LONG,
            proposer=MaskProposer(mask),
            editor=editor,
            critics=Critics(),
            seeds=[0],
        )


def test_infer_refuses_long_phrases_in_one_line(
    call: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    status, out, err = call("--replace", LONG, "--region-only")
    assert (status, out) == (2, "") and not (tmp_path / "out").exists()
    assert err.startswith("infer.py: the phrase 'the red apple") and err.count("\n") == 1
    assert "20 at most: shorten it" in err


# Unknown words, and words at odds


def answer(models: ModelSet, scene: Tensor, phrase: str, reading: Reading) -> Region | None:
    """The region of a phrase, None where nothing fits; what that says is checked."""
    namer = closest_things(models.segmenter, models.clip)
    try:
        return find_region(scene, phrase, models.region, reading, namer=namer)
    except NothingFits as error:
        line = str(error)
        assert error.status == 3 and "\n" not in line and f"fits {phrase!r} (confidence" in line
        shown = line.partition("; it shows ")[2].partition(":")[0].split(", ")
        assert 1 <= len(shown) <= 3 and set(shown) <= set(NOUNS), line
        return None


@pytest.mark.parametrize("reading", ["refer", "edit"])
@pytest.mark.parametrize("phrase", [*UNKNOWN, *AT_ODDS])
def test_any_words_give_a_region_or_nothing_fits(
    models: ModelSet, scene: Tensor, phrase: str, reading: Reading
) -> None:
    """The tokenizer reads bytes, so that no word is unknown to it: the network decides."""
    region = answer(models, scene, phrase, reading)
    if region is not None:
        assert region.present and 0 <= region.confidence <= 1
        assert region.mask.shape == (1, 1, 64, 64) and bool((region.mask > 0.5).any())
        assert all(bool(m.isfinite().all()) for m in (region.mask, region.to_edit))


def test_contradictions_are_refused_far_more_often_than_what_is_there(models: ModelSet) -> None:
    scenes = [sample_scene(f"validation {k}") for k in range(20)]
    pictures = from_uint8(to_uint8(render(scenes, 128).images))
    refused = dict[str, list[bool]](attribute=[], contradiction=[])
    for number, (scene, picture) in enumerate(zip(scenes, pictures, strict=True)):
        for kind, answers in refused.items():
            said = referring(scene, random.Random(number), kind)
            if said is not None:
                answers.append(not models.region.propose(picture[None], said.text).present)
    true, at_odds = (sum(answers) / len(answers) for answers in refused.values())
    assert true < 0.15 and at_odds > 0.5 and len(refused["contradiction"]) > 14


def test_an_edit_of_words_at_odds_ends_well_or_with_status_3(
    call: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    words = ["--replace", AT_ODDS[0], "--with", "an orange", "--count", "1", "--steps", "2"]
    status, _, err = call(*words)
    assert status in (0, 3) and "Traceback" not in err
    assert (tmp_path / "out" / "edit.png").is_file() == (status == 0)


# Pictures smaller than a patch


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 8), (8, 8), (3, 200)])
def test_pictures_smaller_than_a_patch_have_regions(
    models: ModelSet, size: tuple[int, int]
) -> None:
    image = torch.linspace(-1, 1, 3 * size[0] * size[1]).view(1, 3, *size)
    region = models.region.propose(image, "the red apple")
    for mask in (region.mask, region.to_edit, *(one.mask for one in region.alternatives)):
        assert mask.shape == (1, 1, *size) and bool(mask.isfinite().all())
        assert float(mask.min()) >= 0 and float(mask.max()) <= 1


def test_the_smallest_picture_that_is_read_can_be_edited(models: ModelSet) -> None:
    image = torch.linspace(-1, 1, 192).view(1, 3, 8, 8)
    editor = GuidedEditor(
        models.diffusion, models.clip, models.perceptual, sampling=SamplingOptions(steps=2)
    )
    result = edit_image(
        image, "the red apple", "an orange", force=True, proposer=models.region, editor=editor,
        critics=Critics(models.scorer), seeds=[0],
    )  # fmt: skip
    assert result.best.image.shape == image.shape and result.figures["changed_outside"] == 0


@pytest.mark.parametrize("prompt", [word for word in UNKNOWN if word != "1234567890"])
def test_what_the_models_know_no_word_of_is_not_painted(
    call: Callable[..., tuple[int, str, str]], tmp_path: Path, prompt: str
) -> None:
    status, out, err = call("--replace", "the red apple", "--with", prompt)
    assert (status, out) == (2, "") and not (tmp_path / "out").exists()
    assert err.startswith("infer.py: the diffusion model knows no word of") and err.count("\n") == 1
