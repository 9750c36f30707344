"""infer.py from the command line to the files: good input, and every kind of bad input."""

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
from PIL import Image, ImageCms
from rich.console import Console
from tiny_models import tiny_models

from lr_edit.backbones.checks import write_card
from lr_edit.cli.bars import Bars, quiet_libraries
from lr_edit.cli.main import main
from lr_edit.editors.editor import Progress
from lr_edit.images import to_pil

ROOT = Path(__file__).parents[1]
UNLOADABLE = """
segmenter: {class_path: lr_edit.backbones.segformer.SegformerSegmenter, init_args: {name: /none}}
diffusion: {class_path: lr_edit.backbones.diffusion.UNetDiffusion, init_args: {folder: /none}}
"""


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
        options = {
            "image": photo, "replace": "the red apple", "with": "an orange",
            "output": tmp_path / "out", "models": models, "count": 2, "steps": 2, "device": "cpu",
        } | changes  # fmt: skip
        words = [
            word
            for name, value in options.items()
            if value is not None
            for word in ([f"--{name}"] if value is True else [f"--{name}", str(value)])
        ]
        capsys.readouterr()
        status = main(words)
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def refused(call, tmp_path):
    """Asserts one clear line, status 2 and nothing written, before any weights are looked for."""
    (tmp_path / "unloadable.yaml").write_text(UNLOADABLE)

    def check(message: str, **changes) -> None:
        before = set(tmp_path.rglob("*"))
        status, out, err = call(**{"models": tmp_path / "unloadable.yaml"} | changes)
        assert (status, out) == (2, "")
        assert err.startswith("infer.py: ") and err.count("\n") == 1 and err.endswith("\n")
        assert message in err
        assert set(tmp_path.rglob("*")) == before

    return check


def white(size: tuple[int, int], box: tuple[int, int, int, int], value: int = 255) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(value, box)
    return mask


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


# Bad pictures


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b"these are no pixels", "no picture that can be read"),
    ],
)
def test_files_that_are_no_pictures(refused, tmp_path, content, message):
    path = tmp_path / "bad.png"
    if content is not None:
        path.write_bytes(content)
    refused(message, image=path)


def test_a_truncated_picture(refused, photo):
    photo.write_bytes(photo.read_bytes()[: photo.stat().st_size // 2])
    refused("damaged or cut short")


def test_a_huge_picture(refused, tmp_path):
    Image.new("1", (9000, 9000)).save(tmp_path / "huge.png")
    refused("too large", image=tmp_path / "huge.png")


def test_an_animation(refused, tmp_path):
    frames = [Image.new("RGB", (20, 20), c) for c in ("red", "blue")]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    refused("several pictures", image=tmp_path / "two.gif")


@pytest.mark.parametrize("size", [(1, 1), (10000, 3)])
def test_pictures_too_thin(refused, tmp_path, size):
    Image.new("RGB", size).save(tmp_path / "thin.png")
    refused("each side needs at least", image=tmp_path / "thin.png")


# Bad words


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"with": ""}, "is empty"),
        ({"replace": " \t "}, "is empty"),
        ({"with": "x" * 301}, "301 characters"),
        ({"with": "two\nlines"}, "control characters"),
        ({"with": None}, "nothing says what to change"),
        ({"replace": None}, "nothing says what to change"),
        ({"instruction": "turn it red"}, "in one way"),
        ({"replace": None, "with": None, "instruction": "hello"}, "is not understood"),
        ({"replace": None, "with": None, "instruction": ""}, "is empty"),
        ({"replace": None, "with": None, "remove": ""}, "is empty"),
    ],
)
def test_bad_words(refused, words, message):
    refused(message, **words)


# Bad masks


@pytest.mark.parametrize(
    ("size", "box", "message"),
    [((64, 47), (0, 0, 9, 9), "same size"), ((64, 48), (0, 0, 0, 0), "all black")],
)
def test_bad_masks(refused, tmp_path, size, box, message):
    white(size, box).save(tmp_path / "mask.png")
    refused(message, mask=tmp_path / "mask.png")


def test_masks_and_proposers_that_contradict_each_other(refused, tmp_path, photo):
    refused("needs --mask FILE", proposer="mask")
    refused("finds its own", proposer="whole", mask=photo)
    refused("does not exist", mask=tmp_path / "none.png")


# Bad options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"proposer": "magic"}, "'magic'"),
        ({"models": "nonesuch"}, "'nonesuch' is unknown"),
        ({"device": "abacus"}, "'abacus' cannot be used"),
        ({"weights.clip": "nan"}, "weights.clip"),
        ({"weights.lpips": "-1"}, "weights.lpips is -1.0"),
        ({"weights.l2": "inf"}, "weights.l2"),
        ({"sampling.solver": "magic"}, "sampling.solver"),
        ({"sampling.strength": "0"}, "sampling.strength"),
        ({"steps": 0}, "sampling.steps is 0"),
        ({"steps": "many"}, "steps: expected int, got many"),
        ({"count": 0}, "--count is 0"),
        ({"seed": -1}, "--seed is -1"),
        ({"threads": 0}, "--threads is 0"),
        ({"ranking.seam": "-1"}, "ranking.seam"),
        ({"bogus": "1"}, "--bogus"),
        ({"config": "/none.yaml"}, "/none.yaml"),
        ({"image": None}, "--image"),
    ],
)
def test_bad_options(refused, options, message):
    refused(message, **options)


# Bad output folders


def test_a_folder_that_is_not_empty_stays_as_it_is(refused, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    refused("is not empty")
    assert (tmp_path / "out" / "thesis.txt").read_text() == "years of work"


def test_a_folder_that_cannot_be_written_to(refused, tmp_path, photo):
    refused("is a file", output=photo)
    refused("cannot be written", output=photo / "below" / "a file")
    refused("cannot be written", output=tmp_path / ("x" * 300))


# Bad weights


@pytest.mark.parametrize("card", [True, False])
def test_damaged_and_truncated_weights(call, tmp_path, card):
    models = tiny_models(tmp_path / "mine")
    folder = tmp_path / "mine" / "diffusion"
    if card:
        write_card(folder, name="diffusion")
    (victim,) = (folder / "unet").glob("*.safetensors")
    victim.write_bytes(victim.read_bytes()[:-100])
    status, out, err = call(models=models)
    assert (status, out) == (2, "")
    assert err.startswith("infer.py: damaged weights") and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_missing_weights(call, tmp_path):
    (tmp_path / "unloadable.yaml").write_text(UNLOADABLE)
    status, _, err = call(models=tmp_path / "unloadable.yaml")
    assert status == 2 and "missing weights" in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


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
