"""The benchmark on tiny fakes: what it counts, what it writes, what it refuses."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from evaluation_fakes import KnowingJudge, NoSegment, fake_models
from PIL import Image
from tiny_models import tiny_models
from tiny_rivals import tiny_rivals

from lr_edit.backbones.folders import ROOT
from lr_edit.backbones.judge import NOTHING, JudgeNetwork, save_judge
from lr_edit.builders import build_critics, build_editor
from lr_edit.cli.main import main as infer
from lr_edit.editors.options import SamplingOptions
from lr_edit.errors import UserError
from lr_edit.evaluation import benchmark, sheet
from lr_edit.evaluation.benchmark import REFERENCES, evaluate, measured, run
from lr_edit.evaluation.case_edits import SEVERAL
from lr_edit.evaluation.cases import Case, sample_cases
from lr_edit.evaluation.config import BenchmarkConfig, EditorVariant, read_config
from lr_edit.evaluation.editing import edit_case
from lr_edit.evaluation.judging import judge_edit, judge_edits
from lr_edit.evaluation.machine import provenance
from lr_edit.evaluation.metrics import PSNR_CAP
from lr_edit.evaluation.outcomes import summary
from lr_edit.evaluation.proposers import PROPOSERS
from lr_edit.guidance.options import NO_GUIDANCE, AugmentOptions, GuidanceWeights, ViewOptions
from lr_edit.regions.fixed import WholeProposer
from lr_edit.tabletop.scene import COLOURS, NOUNS

SIZE = 48
FAST = EditorVariant(
    count=2,
    sampling=SamplingOptions(steps=2),
    weights=GuidanceWeights(clip=1, lpips=1, l2=1),
    views=ViewOptions(side=16),
    augment=AugmentOptions(copies=2),
)
CONFIG = BenchmarkConfig(
    edits=4,
    splits=("plain", "crowded"),
    proposers=("true_mask", "segformer_clip"),
    editors={
        "default": FAST,
        "unguided": replace(FAST, weights=NO_GUIDANCE, count=1, proposers=("true_mask",)),
    },
    size=SIZE,
    examples=3,
)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return sample_cases(CONFIG.edits, CONFIG.splits, SIZE)


def test_a_run_writes_rows_a_table_and_sheets(cases: list[Case], tmp_path: Path) -> None:
    metrics = evaluate(CONFIG, fake_models(), KnowingJudge(cases), tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text()) == json.loads(json.dumps(metrics))
    assert {"commit", "machine", "torch", "seed", "config"} <= set(metrics)
    rows = {(row["proposer"], row["editor"], row["split"]): row for row in metrics["rows"]}
    assert len(rows) == len(metrics["rows"]) == 5 * 3
    assert {key[:2] for key in rows} == {
        ("source", None), ("target", None), ("true_mask", "default"),
        ("segformer_clip", "default"), ("true_mask", "unguided"),
    }  # fmt: skip
    perfect, untouched = rows["target", None, "all"], rows["source", None, "all"]
    assert perfect["judge_success"] == perfect["judge_success_colour"] == 1
    assert perfect["lpips_target"] == 0 and perfect["psnr_inside"] == PSNR_CAP
    assert perfect["ssim_target"] == pytest.approx(1, abs=1e-4)
    assert untouched["judge_success"] == 0 and untouched["psnr_outside"] == PSNR_CAP
    assert untouched["seam"] is None and untouched["outside_identical"] is None
    assert untouched["lpips_target"] == untouched["lpips_source_baseline"] > 0
    edited = rows["true_mask", "default", "all"]
    assert edited["n"] == 4 and rows["true_mask", "default", "crowded"]["n"] == 2
    assert edited["outside_identical"] == 1 and edited["region_iou"] == 1
    assert edited["seconds_per_edit"] > 0 and edited["peak_rss_mb"] > 0
    low, high = edited["judge_success_interval"]
    assert 0 <= low <= edited["judge_success"] <= high <= 1

    table = (tmp_path / "table.md").read_text()
    assert "| segformer_clip" in table and "crowded (2)" in table
    lines = (tmp_path / "edits.jsonl").read_text().splitlines()
    assert len(lines) == 3 * 4 and not json.loads(lines[0])["success"]
    for name in ("examples.png", "failures.png"):
        assert Image.open(tmp_path / name).width > 400
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_variant_that_equals_an_earlier_one_is_not_run_again(
    cases: list[Case], tmp_path: Path
) -> None:
    same = replace(FAST, proposers=("true_mask",))
    config = replace(CONFIG, edits=1, proposers=("true_mask",), editors={"one": FAST, "two": same})
    models = fake_models()
    metrics = evaluate(config, models, KnowingJudge(cases), tmp_path)
    rows = [row for row in metrics["rows"] if row["editor"]]
    assert [row["editor"] for row in rows] == ["one", "one", "two", "two"]
    assert rows[2:] == [row | {"editor": "two"} for row in rows[:2]]
    assert len(models.diffusion.calls) == 2  # steps, of the one edit that was made


def test_every_row_makes_the_same_edits_with_the_same_seeds() -> None:
    assert CONFIG.seeds(3, 2) == CONFIG.seeds(3, 8)[:2]
    chosen = {CONFIG.seeds(number, 8) for number in range(50)}
    assert len({seed for seeds in chosen for seed in seeds}) == 400
    assert replace(CONFIG, seed=1).seeds(3, 2) != CONFIG.seeds(3, 2)


def test_the_right_thing_at_the_wrong_place_is_no_success(cases: list[Case]) -> None:
    judge, case = KnowingJudge(cases), cases[0]
    moved = case.target.roll(shifts=(7, 11), dims=(2, 3))
    edits = {case.number: replace(REFERENCES["target"](case), best=moved)}
    ((_, _, outcome),) = measured(
        [case], lambda c: edits[c.number], judge, fake_models().perceptual
    )
    assert not outcome.success and outcome.first_success
    assert outcome.psnr_outside < PSNR_CAP


def test_of_several_things_all_must_be_right() -> None:
    (case,) = several = sample_cases(1, (SEVERAL,), SIZE)
    half = torch.where(case.places[0] > 0, case.target, case.source)
    edits = [replace(REFERENCES["target"](case), best=best) for best in (case.target, half)]
    judge, distance = KnowingJudge(several), fake_models().perceptual
    whole, part = (
        next(measured([case], lambda c, e=edited: e, judge, distance))[2] for edited in edits
    )
    assert whole.success and whole.success_colour
    assert not part.success and part.first_success


def test_a_region_that_is_not_found_leaves_the_picture(cases: list[Case]) -> None:
    models, case = fake_models(NoSegment()), cases[0]
    proposer = PROPOSERS["segformer_clip"](models)(case)
    editor = build_editor(models, FAST)
    critics = build_critics(models, FAST)
    edited = edit_case(case, proposer, editor, critics, (1, 2), torch.device("cpu"))
    assert torch.equal(edited.best, case.source) and edited.region.sum() == 0
    judge, distance = KnowingJudge(cases), models.perceptual
    ((_, _, outcome),) = measured([case], lambda _: edited, judge, distance)
    assert not outcome.success and outcome.region_iou == 0
    figures = summary([outcome])
    assert figures["edited"] == 0
    for only_of_edits in ("outside_identical", "psnr_outside", "seam", "seconds_per_edit"):
        assert figures[only_of_edits] is None, only_of_edits


def test_best_and_first_candidate_are_told_apart(cases: list[Case]) -> None:
    models, case, seeds = fake_models(), cases[0], (5, 6, 7)
    editor, critics, cpu = (
        build_editor(models, FAST),
        build_critics(models, FAST),
        torch.device("cpu"),
    )
    edited = edit_case(case, WholeProposer(), editor, critics, seeds, cpu)
    alone = edit_case(case, WholeProposer(), editor, critics, seeds[:1], cpu)
    torch.testing.assert_close(edited.first, alone.best, atol=1e-5, rtol=0)
    assert edited.others.shape == (3, 3, SIZE, SIZE)
    assert any(torch.equal(edited.best, one[None]) for one in edited.others)


def test_networks_without_weight_are_not_loaded() -> None:
    models = fake_models()
    editor = build_editor(models, replace(FAST, weights=NO_GUIDANCE))
    assert editor.clip is None and editor.perceptual is None
    assert build_editor(models, FAST).clip is models.clip


def test_the_judge_is_asked_in_batches_and_answers_in_words(cases: list[Case]) -> None:
    judge = KnowingJudge(cases)
    verdicts = judge_edits(judge, [case.source for case in cases] * 20, [cases[0].place] * 80)
    assert len(verdicts) == 80 and max(judge.batches) <= 64 and len(judge.batches) == 2
    verdict = judge_edit(judge, cases[0].source, cases[0].place)
    assert verdict.noun == judge.nouns[-1]
    assert sum(verdict.nouns) == pytest.approx(1, abs=1e-5)
    assert verdict.noun_probability == max(verdict.nouns)
    assert judge_edits(judge, [], []) == []


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("evaluate*.yaml")), ids=str)
def test_every_shipped_benchmark_is_understood(path: Path) -> None:
    config = read_config(path)
    assert config.edits > 1 and config.pairs()


def test_what_a_file_leaves_out_is_the_librarys_default(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text("editors: {mine: {sampling: {cfg: 0}, weights: {lpips: 0}, count: 8}}")
    config = read_config(path)
    assert config == BenchmarkConfig(
        editors={
            "mine": EditorVariant(
                count=8, sampling=SamplingOptions(cfg=0), weights=GuidanceWeights(lpips=0)
            )
        }
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("edits: many", "edits"),
        ("edits: 0", "edits"),
        ("edit: 3", "takes no 'edit': the closest is 'edits'"),
        ("editors: {default: {wieghts: {clip: 3}}}", "the closest is 'weights'"),
        ("editors: {default: {weights: {clap: 3}}}", "the closest is 'weights.clip'"),
        ("- 3", "no benchmark"),
        ("proposers: [magic]", "magic"),
        ("proposers: []", "no proposers"),
        ("splits: [grayscale]", "grayscale"),
        ("editors: {}", "no editors"),
        ("editors: {default: {weights: {clip: -3}}}", "weights.clip"),
        ("editors: {default: {weights: {clip: .nan}}}", "weights.clip"),
        ("editors: {default: {proposers: [magic]}}", "magic"),
        ("edits: [", "no benchmark"),
        ("edits: null", "edits of .*wrong.yaml.* has no value"),
        ("editors: {default: {sampling: }}", "sampling of default of editors"),
        ("editors: {default: {count: null}}", "count of default of editors .* has no value"),
        ("1: 2", "takes no '1'"),
    ],
)
def test_a_mistake_in_the_file_is_one_line(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=said) as caught:
        run(str(path), str(tmp_path / "out"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_missing_files_and_unwritable_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.yaml"):
        read_config(tmp_path / "nothing.yaml")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be made"):
        evaluate(CONFIG, fake_models(), KnowingJudge([]), tmp_path / "file" / "out")


def test_sheets_of_an_earlier_run_go_where_this_one_has_none(tmp_path: Path) -> None:
    for name in ("examples.png", "failures.png", "notes.png"):
        (tmp_path / name).write_text("of an earlier run")
    benchmark.write(benchmark.Report(CONFIG, provenance(torch.device("cpu"))), tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {*benchmark.FILES, "notes.png"} - {"examples.png", "failures.png"}


def test_a_folder_in_the_way_of_a_sheet_is_told_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "failures.png").mkdir()
    with pytest.raises(UserError, match=r"holds a folder named 'failures.png'"):
        evaluate(CONFIG, fake_models(), KnowingJudge([]), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["failures.png"]


def test_the_command_replaces_figures_only_when_it_is_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(benchmark, "run", lambda config, output: ran.append(output))
    words = ["evaluate", "--config", "some.yaml", "--output"]
    for name in ("new", "empty", "full"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        (tmp_path / "full").mkdir(exist_ok=True)
        (tmp_path / "full" / "notes.txt").write_text("mine")
        folder = str(tmp_path / name)
        assert infer([*words, folder]) == (2 if name == "full" else 0)
        assert infer([*words, folder, "--overwrite"]) == 0
    assert [Path(one).name for one in ran] == ["new", "new", "empty", "empty", "full"]
    assert "give --overwrite" in capsys.readouterr().err
    assert infer([*words, str(tmp_path / "full" / "notes.txt")]) == 2


def test_sheets_show_every_first_result() -> None:
    page = sheet.random_sheet(fake_models(), 3, seed=1, variant=FAST, size=SIZE)
    more = sheet.random_sheet(fake_models(), 5, seed=1, variant=FAST, size=SIZE)
    assert more.height > page.height > 100
    with pytest.raises(UserError, match="count 0"):
        sheet.random_sheet(fake_models(), 0, seed=1)
    with pytest.raises(UserError, match="magic"):
        sheet.random_sheet(fake_models(), 1, seed=1, proposer="magic", size=SIZE)


def test_the_command_says_what_is_wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert sheet.main(["--output", str(tmp_path / "a.png"), "--models", "unknown"]) == 2
    assert "unknown" in capsys.readouterr().err


def test_a_configuration_runs_with_models_from_folders(tmp_path: Path) -> None:
    network = JudgeNetwork((*NOUNS, NOTHING), COLOURS, widths=(8, 8), size=16)
    save_judge(tmp_path / "judge", network)
    models = tiny_models(tmp_path)
    models.write_text(models.read_text() + tiny_rivals(tmp_path))
    config = {
        "edits": 1, "splits": ["plain"], "size": SIZE, "models": str(models),
        "judge": str(tmp_path / "judge"),
        "proposers": list(PROPOSERS),
        "editors": {"quick": {"count": 2, "sampling": {"steps": 1}, "views": {"side": 16}}},
    }  # fmt: skip
    (tmp_path / "evaluate.yaml").write_text(json.dumps(config))
    metrics = run(str(tmp_path / "evaluate.yaml"), str(tmp_path / "out"))
    whole = [row for row in metrics["rows"] if row["split"] == "all"]
    assert [row["proposer"] for row in whole[2:]] == list(PROPOSERS)
    assert all(row["outside_identical"] == 1 for row in whole[2:])
    assert json.loads((tmp_path / "out/metrics.json").read_text())["rows"] == metrics["rows"]
