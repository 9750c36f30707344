"""infer.py from the command line to the files: what it leaves, and the program itself."""

import io
import json
import logging
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from editor_fakes import picture
from infer_calls import quick_edit, white
from PIL import Image, ImageCms
from rich.console import Console
from tiny_models import tiny_models

from lr_edit.cli.bars import Bars, quiet_libraries
from lr_edit.cli.main import main
from lr_edit.editors.editor import Progress
from lr_edit.images import to_pil

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    to_pil(picture(48, 64))[0].save(path)
    return path


@pytest.fixture
def call(tmp_path, photo, models, capsys):
    """Runs infer.py with quick options, of which None drops one; gives status, stdout, stderr."""

    def run(**changes) -> tuple[int, str, str]:
        words = quick_edit(tmp_path, **{"models": models} | changes)
        capsys.readouterr()
        status = main(words)
        return status, *capsys.readouterr()

    return run


# What comes out


@pytest.mark.parametrize("proposer", ["learned", "per_image"])
def test_every_proposer_that_learned_finds_a_region(call, tmp_path, proposer):
    status, _, err = call(proposer=proposer, overwrite=True)
    assert status == 0, err
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["settings"]["proposer"] == proposer


def test_what_becomes_of_it_may_be_all_that_is_said(call, tmp_path):
    options = {"replace": None, "with": "a blue mug", "region-only": True, "proposer": "learned"}
    status, out, _ = call(**options)
    assert status == 0 and "“a blue mug”" in out
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"region.png", "change.png", "sheet.png", "report.json"}
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["reading"] == "edit" and report["present"]


def test_a_phrase_that_fits_nothing_ends_with_status_3_unless_forced(call, tmp_path):
    models = tiny_models(tmp_path / "mine", threshold=1.0)
    status, out, err = call(models=models, proposer="learned")
    assert (status, out) == (3, "") and not (tmp_path / "out").exists()
    assert err.count("\n") == 1 and "fits 'the red apple' (confidence 0." in err
    assert "; it shows " in err and "--force" in err
    status, _, err = call(models=models, proposer="learned", force=True)
    assert status == 0, err


def test_growing_is_said_in_short(call, tmp_path):
    for grow in (0, 9):
        assert call(grow=grow, output=tmp_path / str(grow))[0] == 0
    shares = [
        json.loads((tmp_path / str(grow) / "report.json").read_text())["figures"]["painted_share"]
        for grow in (0, 9)
    ]
    assert shares[0] < shares[1]


def test_an_edit_leaves_everything_that_is_known_about_it(call, tmp_path, photo):
    status, out, _ = call()
    assert status == 0 and "0 pixels changed outside" in out
    output = tmp_path / "out"
    names = sorted(p.relative_to(output).as_posix() for p in output.rglob("*") if p.is_file())
    assert len([n for n in names if n.startswith("candidates/")]) == 2
    assert set(names) >= {"edit.png", "region.png", "sheet.png", "report.json"}
    assert len(names) == 6
    report = json.loads((output / "report.json").read_text())
    best, second = report["candidates"]
    assert best["score"] >= second["score"] and {best["seed"], second["seed"]} == {0, 1}
    assert (output / best["file"]).read_bytes() == (output / "edit.png").read_bytes()
    assert report["prompt"] == "an orange" and report["figures"]["changed_outside"] == 0
    assert report["settings"]["sampling"]["steps"] == 2
    assert report["settings"]["weights"].keys() == {"clip", "lpips", "l2", "range"}
    assert {"loading", "region", "sampling", "ranking"} <= report["seconds"].keys()
    assert report["versions"]["torch"] and report["machine"]
    region = Image.open(output / "region.png")
    assert region.size == Image.open(photo).size and region.mode == "L"
    assert Image.open(output / "sheet.png").width > 3 * 256


@pytest.mark.parametrize("mode", ["L", "RGBA", "I;16"])
def test_the_picture_keeps_mode_size_profile_and_outside(call, tmp_path, mode):
    colours = to_pil(picture(40, 56))[0]
    if mode == "I;16":
        source = Image.fromarray(np.asarray(colours.convert("L")).astype(np.uint16) * 251)
    else:
        source = colours.convert(mode)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source.save(tmp_path / "in.png", icc_profile=profile)
    box = (20, 10, 36, 26)
    white(source.size, box).save(tmp_path / "mask.png")
    status, _, _ = call(
        image=tmp_path / "in.png", mask=tmp_path / "mask.png", **{"window.grow": 0, "weights.l2": 0}
    )
    assert status == 0
    result = Image.open(tmp_path / "out" / "edit.png")
    assert result.mode == source.mode and result.size == source.size
    assert result.info["icc_profile"] == profile
    before, after = (np.asarray(image).astype(int) for image in (source, result))
    far = np.ones(before.shape[:2], bool)
    far[box[1] - 6 : box[3] + 6, box[0] - 6 : box[2] + 6] = False
    assert (before[far] == after[far]).all()
    assert (before != after).any()


@pytest.mark.parametrize("kind", ["soft", "white"])
def test_soft_and_all_white_masks_are_regions(call, tmp_path, kind):
    box = (0, 0, 64, 48) if kind == "white" else (20, 10, 40, 30)
    white((64, 48), box, 255 if kind == "white" else 150).save(tmp_path / "mask.png")
    status, _, err = call(mask=tmp_path / "mask.png", replace=None, count=1)
    assert status == 0, err
    region = np.asarray(Image.open(tmp_path / "out" / "region.png"))
    assert region.max() == (255 if kind == "white" else 150)


@pytest.mark.parametrize(
    "ways",
    [
        {"instruction": "turn the sofa red"},
        {"remove": "the mug"},
        {"replace": "赤いりんご", "with": "апельсин 🍊"},
    ],
)
def test_what_to_do_can_be_said_in_other_ways_and_scripts(call, tmp_path, ways):
    status, _, err = call(**{"replace": None, "with": None, "count": 1} | ways)
    assert status == 0, err
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    expected = {"turn the sofa red": "a red sofa", None: ways.get("with", "nothing")}
    assert report["prompt"] == expected[ways.get("instruction")]


def test_options_come_from_a_file_and_the_command_line_wins(call, tmp_path):
    config = tmp_path / "mine.yaml"
    config.write_text("seed: 7\nsampling: {solver: ddpm, cfg: 2.0}\n")
    status, _, err = call(config=config, count=1, **{"sampling.cfg": 1.5})
    assert status == 0, err
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["seeds"] == [7]
    assert report["settings"]["sampling"]["solver"] == "ddpm"
    assert report["settings"]["sampling"]["cfg"] == 1.5


def test_overwriting_replaces_results_and_nothing_else(call, tmp_path):
    assert call(count=2)[0] == 0
    output = tmp_path / "out"
    (output / "notes.txt").write_text("mine")
    (output / "candidates" / "mine.png").write_text("mine")
    before = (output / "edit.png").read_bytes()
    assert call(count=1, seed=9, overwrite=True)[0] == 0
    assert (output / "edit.png").read_bytes() != before
    assert (output / "notes.txt").read_text() == "mine"
    kept = {p.name for p in (output / "candidates").iterdir()}
    assert len(kept) == 2 and "mine.png" in kept
    assert not [p for p in output.iterdir() if p.name.startswith(".")]


# Interruption


@pytest.mark.parametrize("existing", [True, False])
def test_ctrl_c_while_sampling_leaves_nothing(call, tmp_path, monkeypatch, existing):
    output = tmp_path / "out"
    if existing:
        output.mkdir()
    steps = []

    def interrupt(self, progress) -> None:
        steps.append(progress.step)
        if progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Bars, "on_step", interrupt)
    status, out, err = call(steps=5)
    assert (status, out, err) == (130, "", "infer.py: interrupted\n")
    assert steps == [1, 2]
    assert list(output.rglob("*")) == [] and output.exists() == existing


# The program itself


def test_help_is_quick_because_it_loads_no_torch():
    code = (
        "import sys\nfrom lr_edit.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit as end: print(end.code, 'torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.endswith("0 False\n") and run.stderr == ""
    assert "--sampling.guidance_scale" in run.stdout and "--weights.lpips" in run.stdout


def test_infer_py_is_a_program():
    run = subprocess.run(
        [sys.executable, "infer.py", "--image"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 2
    assert run.stderr.startswith("infer.py: ") and run.stderr.count("\n") == 1


def test_evaluate_hands_its_file_and_folder_on(monkeypatch, capsys):
    from lr_edit.evaluation import benchmark

    calls = []
    monkeypatch.setattr(benchmark, "run", lambda *arguments: calls.append(arguments))
    assert main(["evaluate", "--config", "some.yaml", "--output", "there"]) == 0
    assert calls == [("some.yaml", "there")]
    assert main(["evaluate", "--output", "there"]) == 2
    assert "--config" in capsys.readouterr().err


def test_bars_show_stages_and_steps_on_a_terminal_only():
    for terminal in (True, False):
        shown = io.StringIO()
        with Bars(Console(file=shown, force_terminal=terminal, width=100)) as bars:
            bars.stage("loading", 2)
            bars.advance("clip")
            bars.stage("painting")
            bars.on_step(Progress(2, 4, 0, torch.zeros(1, 3, 8, 8), {}, 0.0))
        assert all((word in shown.getvalue()) == terminal for word in ("loading", "2/4"))


def test_what_libraries_say_is_not_shown_and_only_then(caplog):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with quiet_libraries():
            warnings.warn("chatter", stacklevel=1)
            logging.getLogger("noisy").warning("chatter")
        logging.getLogger("noisy").warning("news")
    assert seen == [] and caplog.messages == ["news"]
