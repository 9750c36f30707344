"""Region proposers compared on small pictures: what is counted, timed and written."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from rich.console import Console
from torch import Tensor

from lr_edit.errors import UserError
from lr_edit.evaluation.cases import Case, sample_cases
from lr_edit.evaluation.region_asking import answer, ask, clock, spread
from lr_edit.evaluation.region_benchmark import failures, run_regions
from lr_edit.evaluation.region_phrases import (
    REFERENCES,
    AskedPhrase,
    PhraseProposer,
    always,
    phrase_of,
    true_mask,
)
from lr_edit.evaluation.region_pictures import asks, says
from lr_edit.evaluation.region_rows import change_rows, rows
from lr_edit.evaluation.region_tables import (
    COLUMNS,
    markdown,
    split_miou,
    split_table,
    terminal_table,
)
from lr_edit.instruction import Reading
from lr_edit.regions.fixed import WholeProposer
from lr_edit.regions.region import Alternative, Region, RegionProposer
from lr_edit.tabletop.splits import PARTS

SIDE = 40
KEYS = {
    "proposer", "split", "n", "miou", "oiou", "p50", "boundary_f", "no_target_acc", "target_acc",
    "ece", "ms_per_phrase", "ms_first_phrase",
}  # fmt: skip
CHANNELS = {"red": 0, "green": 1, "blue": 2}


class ColourProposer(RegionProposer):
    """Finds the pixels of a colour, and says so when there are none; `calls` keeps all it saw."""

    def __init__(self, confidence: float = 0.9) -> None:
        self.confidence = confidence
        self.calls: list[tuple[Tensor, str, Reading]] = []

    def propose(
        self, image: Tensor, phrase: str, reading: Reading = "refer", paint: str = ""
    ) -> Region:
        self.calls.append((image, phrase, reading))
        mask = (image[:, CHANNELS[phrase.split()[-1]], None] > 0).float()
        if not mask.any():
            return Region(mask, (), confidence=0.2, present=False)
        return Region(mask, (Alternative(mask, self.confidence, phrase),), self.confidence)


def picture(*colours: str) -> Tensor:
    """A black picture with a square for each colour, side by side."""
    image = -torch.ones(1, 3, SIDE, SIDE)
    for place, colour in enumerate(colours):
        image[:, CHANNELS[colour], 6:18, 2 + 13 * place : 12 + 13 * place] = 1
    return image


def asked(part: str, colour: str, *colours: str, wrong: bool = False) -> AskedPhrase:
    """A phrase about such a picture; wrong: its truth is the other half of the picture."""
    image = picture(*colours)
    mask = (image[:, CHANNELS[colour], None] > 0).float()
    truth = mask.roll(20, 2) if wrong else mask
    return AskedPhrase(part, f"the {colour}", image, truth, present=bool(mask.any()))


@pytest.fixture
def cases() -> dict[str, list[AskedPhrase]]:
    return {
        "attribute": [asked("attribute", "red", "red", "blue"), asked("attribute", "blue", "blue")],
        "hard": [
            asked("hard", "green", "red", "green", wrong=True),
            asked("hard", "red", "red", "green"),
            asked("hard", "red", "green", "red", wrong=True),
        ],
        "absent": [asked("absent", "green", "red"), asked("absent", "blue", "green")],
    }


def table(proposer: RegionProposer | None = None) -> dict[str, PhraseProposer]:
    """The colours, then floor and ceiling."""
    return {"colours": always(proposer or ColourProposer()), **REFERENCES}


def test_a_run_writes_rows_a_table_and_sheets(
    cases: dict[str, list[AskedPhrase]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = run_regions(table(), cases, tmp_path, timed=3, header={"seed": 5})
    assert json.loads((tmp_path / "regions.json").read_text()) == metrics
    assert {"commit", "machine", "torch", "threads"} <= set(metrics) and metrics["seed"] == 5
    assert all(set(row) == KEYS for row in metrics["rows"])
    found = {(row["proposer"], row["split"]): row for row in metrics["rows"]}
    assert len(found) == len(metrics["rows"]) == 6 * 4
    whole = found["colours", "all"]
    assert (whole["n"], whole["miou"], whole["p50"]) == (7, round(5 / 7, 5), round(5 / 7, 5))
    assert (whole["no_target_acc"], whole["target_acc"]) == (1, 1)
    assert found["colours", "attribute"]["no_target_acc"] is None
    assert found["colours", "absent"]["oiou"] is None
    assert whole["oiou"] == pytest.approx(3 / 7, abs=1e-4)
    assert whole["ece"] == pytest.approx((2 * 0.2 + 5 * 0.3) / 7, abs=1e-4)
    assert whole["ms_first_phrase"] > 0 and whole["ms_per_phrase"] > 0
    assert "change_miou" not in whole
    figures = ("miou", "oiou", "p50", "boundary_f", "no_target_acc", "target_acc")
    assert all(found["true_mask", "all"][name] == 1 for name in figures)
    assert found["nothing", "all"]["miou"] == pytest.approx(2 / 7, abs=1e-4)
    assert found["whole", "all"]["no_target_acc"] == 0 == found["nothing", "all"]["target_acc"]
    assert list(metrics["reliability"]) == ["colours"]
    assert found["true_mask", "all"]["ece"] is None
    assert sum(part["count"] for part in metrics["reliability"]["colours"]) == 7

    text = (tmp_path / "regions.md").read_text()
    assert "| true_mask" in text and "hard (3)" in text and "seed 5" in text
    printed = capsys.readouterr().out
    assert printed.count("random_box") == 2 and "mIoU by split" in printed and "hard" in printed
    names = {"regions.json", "regions.md", "reliability.png", "examples.png", "worst.png"}
    assert {path.name for path in tmp_path.iterdir()} == names
    for name in names - {"regions.json", "regions.md"}:
        assert Image.open(tmp_path / name).width > 300


def test_pictures_of_an_earlier_run_do_not_stay(
    cases: dict[str, list[AskedPhrase]], tmp_path: Path
) -> None:
    run_regions(table(), cases, tmp_path, timed=0)
    metrics = run_regions({"true_mask": true_mask}, cases, tmp_path, timed=0, examples=2)
    assert {path.name for path in tmp_path.iterdir()} == {
        "regions.json", "regions.md", "examples.png",
    }  # fmt: skip
    assert metrics["rows"][0]["ms_first_phrase"] is None
    assert "ms first |" not in (tmp_path / "regions.md").read_text()


def test_only_those_shown_are_on_the_sheet(
    cases: dict[str, list[AskedPhrase]], tmp_path: Path
) -> None:
    widths = []
    for shown in (None, ["colours", "whole"]):
        run_regions(table(), cases, tmp_path, timed=0, examples=2, shown=shown)
        widths.append(Image.open(tmp_path / "examples.png").width)
    assert widths[1] < widths[0]
    with pytest.raises(UserError, match="magic"):
        run_regions(table(), cases, tmp_path, shown=["magic"])


def test_a_region_may_tell_what_changes_along(
    cases: dict[str, list[AskedPhrase]], tmp_path: Path
) -> None:
    edits = sample_cases(2, size=SIDE)
    by_picture = {id(case.source): case for case in edits}

    class Knowing(RegionProposer):
        def propose(
            self, image: Tensor, phrase: str, reading: Reading = "refer", paint: str = ""
        ) -> Region:
            case = by_picture.get(id(image))
            if case is None:
                return ColourProposer().propose(image, phrase)
            return Region(case.thing, (), 0.5, change=case.place)

    proposers = {"knowing": always(Knowing()), "true_mask": true_mask, **_nothing()}
    proposers["centre"] = REFERENCES["centre_box"]
    found = {row["proposer"]: row for row in change_rows(proposers, edits)}
    assert found["knowing"]["change_miou"] == 1 and found["knowing"]["n"] == 2
    assert found["true_mask"]["mask_miou"] < found["true_mask"]["change_miou"] < 1
    assert found["centre"]["change_miou"] is None
    assert 0 < found["true_mask"]["mask_miou"] == found["knowing"]["mask_miou"] < 1
    assert found["nothing"]["mask_miou"] == 0
    metrics = run_regions(proposers, cases, tmp_path, timed=0, edits=edits)
    shares = {(r["proposer"], r["split"]): r["change_miou"] for r in metrics["rows"]}
    assert shares["knowing", "all"] == 1 and shares["knowing", "hard"] is None
    assert all(set(row) == {*KEYS, "change_miou", "change_n"} for row in metrics["rows"])
    assert "change mIoU" in (tmp_path / "regions.md").read_text()
    with pytest.raises(UserError, match="no edits"):
        change_rows(proposers, [])


def _nothing() -> dict[str, PhraseProposer]:
    return {"nothing": REFERENCES["nothing"]}


def test_what_an_edit_has_to_find() -> None:
    (case,) = sample_cases(1, size=SIDE)
    phrase = phrase_of(case)
    assert isinstance(case, Case) and phrase.phrase == case.edit.find
    assert torch.equal(phrase.mask, case.thing) and phrase.present


def test_all_proposers_are_asked_the_same_in_turn(cases: dict[str, list[AskedPhrase]]) -> None:
    order: list[str] = []

    class Listening(ColourProposer):
        def propose(
            self, image: Tensor, phrase: str, reading: Reading = "refer", paint: str = ""
        ) -> Region:
            order.append(f"{id(self)} {phrase}")
            return super().propose(image, phrase, reading)

    first, second = Listening(), Listening()
    chosen = cases["hard"]
    answers = ask({"first": always(first), "second": always(second)}, chosen)
    assert answers["first"] == answers["second"] and len(answers["first"]) == 3
    assert order == [f"{id(one)} {case.phrase}" for case in chosen for one in (first, second)]


def test_the_reading_goes_along(cases: dict[str, list[AskedPhrase]]) -> None:
    case = AskedPhrase("edit", "a red", picture("red"), torch.zeros(1, 1, SIDE, SIDE), "edit")
    proposer = ColourProposer()
    region, said = answer(case, proposer)
    assert proposer.calls[0][1:] == ("a red", "edit")
    assert said.iou == 0 and region.mask.any()
    assert asks(case) == "“a red” to be made" and says(said) == "IoU 0.00 · confidence 0.90"


def test_time_is_taken_on_pictures_never_seen_and_then_again(
    cases: dict[str, list[AskedPhrase]],
) -> None:
    proposer = ColourProposer()
    every = [case for part in cases.values() for case in part]
    speeds = clock({"colours": always(proposer)}, every, count=2)
    assert speeds["colours"].first > 0 and speeds["colours"].further > 0
    assert len(proposer.calls) == 2 * (1 + 2)
    pairs = list(zip(proposer.calls[::2], proposer.calls[1::2], strict=True))
    assert all(first[0] is further[0] for first, further in pairs)
    assert len({id(first[0]) for first, _ in pairs}) == 3
    assert not {id(first[0]) for first, _ in pairs} & {id(case.image) for case in every}
    assert [first[1] for first, _ in pairs[1:]] == [every[0].phrase, every[3].phrase]
    assert [further[1] for _, further in pairs[1:]] == [every[1].phrase, every[4].phrase]


def test_indices_are_spread() -> None:
    assert spread(10, 5) == [0, 2, 4, 6, 8]
    assert spread(3, 24) == [0, 1, 2]


def test_the_worst_failures_come_from_every_part_in_turn(
    cases: dict[str, list[AskedPhrase]],
) -> None:
    placed = [(split, case) for split, part in cases.items() for case in part]
    answers = ask({"whole": always(WholeProposer())}, [case for _, case in placed])["whole"]
    chosen = failures(placed, answers, 5)
    splits = [split for split, _ in chosen]
    assert splits == ["attribute", "hard", "absent", "attribute", "hard"]
    colours = ask({"colours": always(ColourProposer())}, [case for _, case in placed])["colours"]
    assert [case for _, case in failures(placed, colours, 9)] == cases["hard"][::2]


def test_rows_need_no_time_and_tables_no_column_for_it() -> None:
    case = asked("plain", "red", "red")
    answers = {"colours": [answer(case, ColourProposer())[1]]}
    made = rows(answers, {"plain": 1})
    assert [row["split"] for row in made] == ["all", "plain"]
    assert made[0]["miou"] == 1 and made[0]["ece"] is None
    text = markdown(made, {})
    assert "| colours" in text and "N-acc |" not in text


def test_mistakes_are_told(cases: dict[str, list[AskedPhrase]], tmp_path: Path) -> None:
    for proposers, asked_of, said in (
        ({}, cases, "no proposers"),
        (table(), {}, "no phrases"),
        (table(), {"empty": []}, "'empty' has no phrases"),
        (table(), {"all": cases["hard"]}, "rename it"),
    ):
        with pytest.raises(UserError, match=said):
            run_regions(proposers, asked_of, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be made"):
        run_regions(table(), cases, tmp_path / "file" / "out")


def test_a_row_on_the_terminal_is_not_cut() -> None:
    figures = dict.fromkeys(COLUMNS, 0.125) | {"ms_per_phrase": 218.5, "ms_first_phrase": 987.5}
    row = {"proposer": "segformer_clip", "split": "all", "n": 3} | figures
    console = Console(width=80, record=True, file=StringIO())
    console.print(terminal_table([row]))
    text = console.export_text()
    assert "segformer_clip" in text and "218.5" in text and "987.5" in text
    assert text.count("0.125") == len(COLUMNS) - 2 and "…" not in text


def by_split(**shares: tuple[float, ...]) -> list[dict[str, Any]]:
    """Rows of these proposers: mIoU of all phrases, then of every part."""
    return [
        dict.fromkeys(COLUMNS, 0.125) | {"proposer": name, "split": split, "n": 3, "miou": share}
        for name, several in shares.items()
        for split, share in zip(("all", *PARTS), several, strict=True)
    ]


def test_how_far_the_first_is_above_the_fixed_selection_is_told_in_every_part() -> None:
    own, fixed = [0.75] * (1 + len(PARTS)), [0.5] * (1 + len(PARTS))
    fixed[-1] = 0.875
    made = by_split(learned=tuple(own), segformer_clip=tuple(fixed), random_box=tuple(fixed))
    text = markdown(made, {})
    (line,) = (line for line in text.splitlines() if line.startswith("| learned − segformer_clip"))
    assert line.count("+0.250") == len(PARTS) and line.count("-0.125") == 1
    assert "all (3)" in text
    lines = split_miou(made, PARTS)
    assert list(lines) == ["learned", "segformer_clip", "random_box", "learned − segformer_clip"]
    assert lines["segformer_clip"][-1] == "0.875"
    for few in (("random_box",), ("segformer_clip", "random_box")):  # nobody to compare
        assert list(split_miou(by_split(**dict.fromkeys(few, tuple(fixed))), PARTS)) == list(few)


def test_every_part_stands_on_a_terminal_of_80_characters() -> None:
    shares = tuple(0.125 for _ in ("all", *PARTS))
    names = ("learned", "segformer_clip", "learnable_regions_as_released")
    made = by_split(**dict.fromkeys(names, shares))
    console = Console(width=80, record=True, file=StringIO())
    console.print(terminal_table(made), split_table(made))
    text = console.export_text()
    assert text.count("0.125") == 3 * 8 + 3 * len(PARTS) and "…" not in text
    assert text.count("+0.000") == len(PARTS)
    assert all(name[:6] in text for name in PARTS if name not in ("grayscale", "edit_prompt"))
    assert "gray" in text and "prompt" in text
