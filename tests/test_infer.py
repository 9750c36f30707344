"""infer.py from the command line to the files: what it leaves, and the program itself."""

import json
import os
import signal
import subprocess
import sys
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from editor_fakes import GaussianDiffusion, picture
from infer_calls import quick_edit, white
from PIL import Image, ImageCms
from tiny_models import tiny_models

from lr_edit.builders import build_editor
from lr_edit.cli.bars import Bars
from lr_edit.cli.edit import pixels_of
from lr_edit.cli.main import main
from lr_edit.cli.options import DISTANCES
from lr_edit.cli.settings import edit_settings
from lr_edit.editors.guided import GuidedEditor
from lr_edit.editors.inpainting import InpaintingEditor
from lr_edit.errors import UserError
from lr_edit.images import to_pil
from lr_edit.models import ModelSet

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


def reported(output: Path) -> dict:
    return json.loads((output / "report.json").read_text())


def files(folder: Path) -> dict[str, bytes]:
    """The content of every file, by its path."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


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


def test_status_3_needs_no_weights_but_those_that_looked(call, tmp_path):
    models = tiny_models(tmp_path / "mine", threshold=1.0)
    models.write_text(models.read_text().replace("mine/segformer", "none"))
    status, out, err = call(models=models, proposer="learned")
    assert (status, out) == (3, "") and err.count("\n") == 1
    assert "fits 'the red apple' (confidence 0." in err and "it shows" not in err


def test_growing_is_said_in_short(call, tmp_path):
    for grow in (0, 9):
        assert call(grow=grow, output=tmp_path / str(grow))[0] == 0
    shares = [
        json.loads((tmp_path / str(grow) / "report.json").read_text())["figures"]["painted_share"]
        for grow in (0, 9)
    ]
    assert shares[0] < shares[1]


def test_the_report_tells_the_options_that_were_used(call, tmp_path):
    own = signature(GuidedEditor).parameters
    assert call(grow=9, feather=7, **{"window.minimum": 30})[0] == 0
    settings = reported(tmp_path / "out")["settings"]
    window = settings["window"]
    assert (window["grow"], window["margin"], window["feather"]) == (9, 9, 7)
    assert window["minimum"] == 30 and (settings["grow"], settings["feather"]) == (9, 7)
    assert settings["distance"] == own["distance"].default
    assert settings["max_batch"] == own["max_batch"].default
    found = {"window.margin": 9, "region-only": True, "proposer": "learned"}
    assert call(overwrite=True, **found)[0] == 0
    assert reported(tmp_path / "out")["settings"]["window"]["margin"] == 9


def test_clips_distance_can_be_chosen(call, tmp_path):
    (tmp_path / "mine.yaml").write_text("distance: cosine\n")
    ways = {"own": {}, "said": {"distance": "cosine"}, "file": {"config": tmp_path / "mine.yaml"}}
    first = {}
    for name, way in ways.items():
        status, _, err = call(output=tmp_path / name, count=1, **way)
        assert status == 0, err
        assert reported(tmp_path / name)["settings"]["distance"] == way.get(
            "distance", "cosine" if way else "spherical"
        )
        first[name] = (tmp_path / name / "edit.png").read_bytes()
    assert first["said"] == first["file"] != first["own"]


def test_a_pipeline_takes_options_of_guidance_without_using_them(tmp_path):
    words = quick_edit(tmp_path, distance="cosine", **{"weights.clip": 5})
    settings = edit_settings(words)
    own = {"diffusion": GaussianDiffusion, "clip": object, "perceptual": object}
    pipeline = build_editor(ModelSet(own | {"inpainter": object}, "own"), settings)
    assert isinstance(pipeline, InpaintingEditor)
    assert settings.given["distance"] == "cosine" and settings.given["weights"]["clip"] == 5
    guided = build_editor(ModelSet(own, "own"), settings)
    assert isinstance(guided, GuidedEditor) and guided.distance == "cosine"


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
        {"replace": "赤いりんご", "with": "a red груша 🍊"},
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


def test_a_region_over_an_earlier_edit_leaves_nothing_of_it(call, tmp_path):
    output = tmp_path / "out"
    assert call(trace=True)[0] == 0
    (output / "notes.txt").write_text("mine")
    assert call(**{"region-only": True, "overwrite": True})[0] == 0
    named = {"region.png", "sheet.png", "report.json"}
    assert files(output).keys() - {"change.png"} == named | {"notes.txt"}
    assert not (output / "candidates").exists()
    assert call(overwrite=True)[0] == 0
    assert "change.png" not in files(output) and "edit.png" in files(output)


def test_a_folder_that_holds_no_report_holds_no_earlier_run(call, tmp_path):
    output = tmp_path / "out"
    (output / "candidates").mkdir(parents=True)
    for name in ("edit.png", "change.png", "candidates/01_score+1.00.png"):
        (output / name).write_text("mine")
    assert call(**{"region-only": True, "overwrite": True, "proposer": "segformer_clip"})[0] == 0
    assert list(files(output).values()).count(b"mine") == 3


# Memory


def greedy(*_: Any, **__: Any) -> Any:
    raise MemoryError


@pytest.mark.parametrize(
    ("work", "changes", "remedy"),
    [
        ("lr_edit.files.picture_from_pil", {}, "scale the picture down, or give --device cpu"),
        ("lr_edit.cli.results.composite", {}, "scale the picture down, or give a smaller --count"),
        ("lr_edit.cli.region_results.sheet", {"region-only": True}, "scale the picture down"),
    ],
)
def test_files_too_large_for_the_memory_are_one_line(
    call, tmp_path, monkeypatch, work, changes, remedy
):
    monkeypatch.setattr(work, greedy)
    status, out, err = call(**changes)
    assert (status, out) == (2, "") and err.count("\n") == 1
    assert "ran out of memory: " in err and remedy in err
    assert not (tmp_path / "out").exists()


def test_a_picture_too_large_for_the_device_is_one_line(monkeypatch):
    picture = SimpleNamespace(pixels=SimpleNamespace(to=greedy))
    with pytest.raises(UserError, match="ran out of memory: scale the picture down"):
        pixels_of(cast(Any, SimpleNamespace(picture=picture, device="cuda")))


# The trace


def test_a_trace_shows_the_steps_and_changes_nothing_else(call, tmp_path):
    for name in ("plain", "traced"):
        assert call(output=tmp_path / name, steps=10, trace=name == "traced" or None)[0] == 0
    plain, traced = files(tmp_path / "plain"), files(tmp_path / "traced")
    assert traced.keys() - plain.keys() == {"trace.png"} and plain.keys() <= traced.keys()
    assert all(plain[name] == traced[name] for name in plain if name != "report.json")
    report = reported(tmp_path / "traced")
    assert "trace" not in reported(tmp_path / "plain")
    steps = report["trace"]
    assert [(one["thing"], one["step"]) for one in steps] == [(1, k) for k in range(1, 11)]
    assert [one["t"] for one in steps] == sorted((one["t"] for one in steps), reverse=True)
    for one in steps:
        assert one["losses"].keys() == {"clip", "lpips", "l2"}
        assert all(len(values) == 2 for values in one["losses"].values())
    sheet = Image.open(tmp_path / "traced" / "trace.png")
    assert sheet.width > 4 * 200 and sheet.height > 2 * 200
    assert call(output=tmp_path / "traced", overwrite=True)[0] == 0
    assert "trace.png" not in files(tmp_path / "traced")


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


def test_ctrl_c_over_earlier_results_leaves_them_as_they_were(call, tmp_path, monkeypatch):
    assert call()[0] == 0
    before = files(tmp_path / "out")

    def interrupt(self, progress) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Bars, "on_step", interrupt)
    status, out, err = call(steps=5, seed=9, overwrite=True, trace=True)
    assert (status, out, err) == (130, "", "infer.py: interrupted\n")
    assert files(tmp_path / "out") == before
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


# The program itself


def test_help_is_quick_because_it_loads_no_torch():
    code = (
        "import sys\nfrom lr_edit.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit as end: print(end.code, 'torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.endswith("0 False\n") and run.stderr == ""
    assert "--sampling.guidance_scale" in run.stdout and "--weights.lpips" in run.stdout
    distance = signature(GuidedEditor).parameters["distance"].default
    assert f"{distance} (if not given)" in " ".join(run.stdout.split())
    assert set(DISTANCES) <= set(run.stdout.split())


def test_infer_py_is_a_program():
    run = subprocess.run(
        [sys.executable, "infer.py", "--image"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 2
    assert run.stderr.startswith("infer.py: ") and run.stderr.count("\n") == 1


def test_evaluate_hands_its_file_and_folder_on(monkeypatch, capsys, tmp_path):
    from lr_edit.evaluation import benchmark

    calls = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(benchmark, "run", lambda *arguments: calls.append(arguments))
    assert main(["evaluate", "--config", "some.yaml", "--output", "there"]) == 0
    assert calls == [("some.yaml", "there")]
    assert main(["evaluate", "--output", "there"]) == 2
    assert "--config" in capsys.readouterr().err
