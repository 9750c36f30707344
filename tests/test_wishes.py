"""Proposers that read what a picture is to become are asked that, wherever an edit is known."""

from pathlib import Path

import pytest
import torch
from editor_fakes import Witness, box_mask, picture
from evaluation_fakes import fake_models
from infer_calls import quick_edit
from torch import Tensor

from lr_edit.cli import edit as command
from lr_edit.cli.settings import edit_settings
from lr_edit.edit import edit_image, find_region
from lr_edit.evaluation.cases import sample_cases
from lr_edit.evaluation.editing import edit_case
from lr_edit.evaluation.region_phrases import always
from lr_edit.evaluation.region_rows import change_rows
from lr_edit.images import to_pil
from lr_edit.instruction import Reading
from lr_edit.ranked import Critics
from lr_edit.regions.learned import LearnedProposer
from lr_edit.regions.per_image import PerImageProposer
from lr_edit.regions.region import Alternative, Region, RegionProposer
from lr_edit.regions.segformer_clip import SegformerClipProposer

SIDE = 32


class Names(RegionProposer):
    """Finds a box, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Reading]] = []

    def propose(self, image: Tensor, phrase: str, reading: Reading = "refer") -> Region:
        self.asked.append((phrase, reading))
        mask = box_mask(*image.shape[-2:], 8, 8, 20, 20)
        return Region(mask, (Alternative(mask, 0.5, "box"),), confidence=0.5)


class Wishes(Names):
    reads_wish = True


def test_learning_on_one_picture_reads_the_wish() -> None:
    assert PerImageProposer.reads_wish
    assert not LearnedProposer.reads_wish and not SegformerClipProposer.reads_wish


@pytest.mark.parametrize(
    ("proposer", "paint", "expected"),
    [
        (Names(), "a cat", ("the mug", "refer")),
        (Wishes(), "a cat", ("a cat", "edit")),
        (Wishes(), "", ("the mug", "refer")),
    ],
)
def test_an_edit_asks_what_its_proposer_reads(
    proposer: Names, paint: str, expected: tuple[str, Reading]
) -> None:
    image = picture(SIDE, SIDE)
    edit_image(
        image, "the mug", paint, proposer=proposer, editor=Witness(), critics=Critics(), seeds=[0]
    )
    assert proposer.asked == [expected]


def test_without_a_wish_it_is_asked_the_phrase() -> None:
    proposer = Wishes()
    find_region(picture(SIDE, SIDE), "the mug", proposer)
    assert proposer.asked == [("the mug", "refer")]


@pytest.mark.parametrize("proposer", [Names(), Wishes()])
def test_measured_edits_ask_as_an_edit_does(proposer: Names) -> None:
    (case,) = sample_cases(1, size=SIDE)
    edit_case(case, proposer, Witness(), Critics(fake_models().clip), (0,), torch.device("cpu"))
    change_rows({"asked": always(proposer)}, [case])
    wish, thing = (case.edit.paint, "edit"), (case.edit.find, "refer")
    assert proposer.asked == [wish if proposer.reads_wish else thing] * 2


def test_the_region_alone_is_found_as_for_the_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_pil(picture(SIDE, SIDE))[0].save(tmp_path / "photo.png")
    settings = edit_settings(quick_edit(tmp_path, **{"region-only": True}))
    proposer, bars = Wishes(), type("Bars", (), {"stage": lambda *_: None})()
    monkeypatch.setattr(command, "load_parts", lambda *_: None)
    monkeypatch.setattr(command, "build_proposer", lambda *_: proposer)
    command.locate(command.read_request(settings), bars)
    assert proposer.asked == [("an orange", "edit")]
