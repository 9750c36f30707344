"""infer.py and every kind of bad input: one clear line, status 2, and nothing written."""

from pathlib import Path

import pytest
from editor_fakes import picture
from infer_calls import quick_edit, white
from PIL import Image
from tiny_models import tiny_models

from lr_edit.backbones.checks import write_card
from lr_edit.cli.main import main
from lr_edit.images import to_pil
from lr_edit.tabletop.__main__ import main as tabletop

UNLOADABLE = """
segmenter: {class_path: lr_edit.backbones.segformer.SegformerSegmenter, init_args: {name: /none}}
diffusion: {class_path: lr_edit.backbones.diffusion.UNetDiffusion, init_args: {folder: /none}}
"""


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    to_pil(picture(48, 64))[0].save(path)
    return path


@pytest.fixture
def call(tmp_path, photo, capsys):
    """Runs infer.py with models that cannot be loaded; gives status, stdout, stderr."""
    (tmp_path / "unloadable.yaml").write_text(UNLOADABLE)

    def run(**changes) -> tuple[int, str, str]:
        words = quick_edit(tmp_path, **{"models": tmp_path / "unloadable.yaml"} | changes)
        capsys.readouterr()
        status = main(words)
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def refused(call, tmp_path):
    """Asserts one clear line, status 2 and nothing written, before any weights are looked for."""

    def check(message: str, **changes) -> None:
        before = set(tmp_path.rglob("*"))
        status, out, err = call(**changes)
        assert (status, out) == (2, "")
        assert err.startswith("infer.py: ") and err.count("\n") == 1 and err.endswith("\n")
        assert message in err
        assert set(tmp_path.rglob("*")) == before

    return check


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
        ({"replace": "?! …"}, "the phrase of --replace '?! …' has no word in it"),
        ({"with": "—"}, "has no word in it"),
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
        ({"distance": "euclid"}, "--distance is 'euclid': give spherical or cosine"),
        ({"trace": True, "region-only": True}, "--region-only paints nothing"),
        ({"grow": 3, "region-only": True}, "--grow shapes what is painted"),
        ({"feather": 0, "region-only": True}, "--feather shapes what is painted"),
        ({"grow": -1}, "window.grow is -1"),
        ({"feather": -2}, "window.feather is -2"),
        ({"feather": "soft"}, "feather"),
        ({"sampling.solver": "magic"}, "sampling.solver"),
        ({"sampling.strength": "0"}, "sampling.strength"),
        ({"steps": 0}, "sampling.steps is 0"),
        ({"steps": "many"}, "steps: expected int, got many"),
        ({"count": 0}, "--count is 0"),
        ({"seed": -1}, "--seed is -1"),
        ({"threads": 0}, "--threads is 0"),
        ({"threads": 10**11}, "--threads is 100000000000: give 1 to 1024"),
        ({"proposer": ""}, "--proposer is ''"),
        ({"ranking.seam": "-1"}, "ranking.seam"),
        ({"bogus": "1"}, "--bogus"),
        ({"config": "/none.yaml"}, "/none.yaml"),
        ({"image": None}, "--image"),
    ],
)
def test_bad_options(refused, options, message):
    refused(message, **options)


def test_options_in_a_file_that_is_no_text_are_told(refused, tmp_path):
    (tmp_path / "own.yaml").write_bytes(b"steps: \xff\xfe")
    refused("no text in UTF-8", config=tmp_path / "own.yaml")


# Bad output folders


def test_a_folder_that_is_not_empty_stays_as_it_is(refused, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    refused("is not empty")
    assert (tmp_path / "out" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("text", "message"), [("distance: euclid", "'euclid': give"), ("distance: [1]", "--distance")]
)
def test_a_wrong_distance_in_a_file(refused, tmp_path, text, message):
    (tmp_path / "mine.yaml").write_text(text)
    refused(message, config=tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("with: 7", "--with: expected str, got 7"),
        ("replace: [a]", "--replace: expected str"),
        ("proposer: [whole]", "--proposer: expected str"),
        ("seed: null", "--seed"),
        ("device: null", "--device is null: give a value, or leave it out"),
        ("models: null", "--models is null"),
        ("sampling: null", "sampling"),
        ("sampling: {steps: null}", "sampling.steps"),
        ("window: 5", "window"),
    ],
)
def test_a_value_of_a_wrong_kind_in_a_file(refused, tmp_path, text, message):
    (tmp_path / "mine.yaml").write_text(text)
    name = text.partition(":")[0]
    without = {name: None} if name in ("with", "replace", "device", "models") else {}
    refused(message, config=tmp_path / "mine.yaml", **without)


def test_a_pipeline_has_no_trace(refused, tmp_path):
    kind = "lr_edit.backbones.pipeline.PipelineInpainter"
    text = f"inpainter: {{class_path: {kind}, init_args: {{name: /none}}}}\n"
    (tmp_path / "pipeline.yaml").write_text(UNLOADABLE + text)
    refused("leave --trace out", models=tmp_path / "pipeline.yaml", trace=True)


@pytest.mark.parametrize("command", ["edit", "evaluate", "tabletop"])
def test_every_program_refuses_a_folder_that_is_not_empty_in_the_same_words(
    call, tmp_path, capsys, command
):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "metrics.json").write_text("years of work")
    if command == "edit":
        status, out, err = call()
    else:
        words = ["--output", str(folder)]
        evaluated = ["evaluate", "--config", "none.yaml", *words]
        status = main(evaluated) if command == "evaluate" else tabletop(["--count", "1", *words])
        out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    said = f"the output folder {str(folder)!r} is not empty: choose another, or give --overwrite\n"
    assert err.partition(": ")[2] == said
    assert [path.name for path in folder.rglob("*")] == ["metrics.json"]
    assert (folder / "metrics.json").read_text() == "years of work"


def test_a_folder_that_cannot_be_written_to(refused, tmp_path, photo):
    refused("is a file", output=photo)
    refused("cannot be written", output=photo / "below" / "a file")
    refused("cannot be written", output=tmp_path / ("x" * 300))


@pytest.mark.parametrize(
    ("name", "folder", "options", "message"),
    [
        ("edit.png", True, {}, "holds a folder named 'edit.png', where a file is to be written"),
        ("candidates", False, {}, "holds a file named 'candidates', where a folder is to be"),
        ("change.png", True, {"region-only": True}, "holds a folder named 'change.png'"),
        ("trace.png", True, {"trace": True}, "holds a folder named 'trace.png'"),
    ],
)
def test_what_is_in_the_way_is_told_before_any_work(
    refused, tmp_path, name, folder, options, message
):
    place = tmp_path / "out" / name
    place.mkdir(parents=True) if folder else place.parent.mkdir()
    (place / "thesis.txt" if folder else place).write_text("years of work")
    refused(message, overwrite=True, **options)


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
    status, _, err = call()
    assert status == 2 and "missing weights" in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()
