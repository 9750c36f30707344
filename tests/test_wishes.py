"""What a picture is to become reaches the proposers that read it, wherever an edit is known."""

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
from lr_edit.regions.region import Alternative, Region, RegionProposer

SIDE = 32


class Listener(RegionProposer):
    """Finds a box, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Reading, str]] = []

    def propose(
        self, image: Tensor, phrase: str, reading: Reading = "refer", paint: str = ""
    ) -> Region:
        self.asked.append((phrase, reading, paint))
        mask = box_mask(*image.shape[-2:], 8, 8, 20, 20)
        return Region(mask, (Alternative(mask, 0.5, "box"),), confidence=0.5)


@pytest.mark.parametrize("paint", ["a cat", ""])
def test_an_edit_says_what_the_thing_becomes(paint: str) -> None:
    image, proposer = picture(SIDE, SIDE), Listener()
    edit_image(
        image, "the mug", paint, proposer=proposer, editor=Witness(), critics=Critics(), seeds=[0]
    )
    assert proposer.asked == [("the mug", "refer", paint)]


def test_a_region_can_be_found_for_no_edit_at_all() -> None:
    proposer = Listener()
    find_region(picture(SIDE, SIDE), "the mug", proposer)
    assert proposer.asked == [("the mug", "refer", "")]


def test_measured_edits_ask_as_an_edit_does() -> None:
    (case,) = sample_cases(1, size=SIDE)
    proposer = Listener()
    edit_case(case, proposer, Witness(), Critics(fake_models().clip), (0,), torch.device("cpu"))
    change_rows({"asked": always(proposer)}, [case])
    assert proposer.asked == [(case.edit.find, "refer", case.edit.paint)] * 2


def test_the_region_alone_is_found_as_for_the_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_pil(picture(SIDE, SIDE))[0].save(tmp_path / "photo.png")
    settings = edit_settings(quick_edit(tmp_path, **{"region-only": True}))
    proposer, bars = Listener(), type("Bars", (), {"stage": lambda *_: None})()
    monkeypatch.setattr(command, "load_parts", lambda *_: None)
    monkeypatch.setattr(command, "build_proposer", lambda *_: proposer)
    command.locate(command.read_request(settings), bars)
    assert [paint for _, _, paint in proposer.asked] == ["an orange"]
