"""Shipping trained weights: better ones with a whole card, worse ones not, mistakes in one line."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from lr_edit.backbones.checks import file_hashes, read_card, verify, write_card
from lr_edit.errors import UserError
from lr_edit.training import install as module
from lr_edit.training.card_facts import architecture, read_recipe, training_data, tutor
from lr_edit.training.install import install, main, recipe_of
from lr_edit.training.measures import DECISIVE, MEASURES
from lr_edit.training.perceptual import PerceptualRecipe
from lr_edit.training.run_facts import facts_together, run_facts, start_weights
from lr_edit.training.soup import averaged_folders

ROOT = Path(__file__).parents[1]
RECIPE = "configs/tabletop/judge.yaml"
Measured = Callable[[float], None]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the judge's recipe, where nothing is shipped yet."""
    (tmp_path / RECIPE).parent.mkdir(parents=True)
    (tmp_path / RECIPE).write_text((ROOT / RECIPE).read_text(encoding="utf-8"))
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "WEIGHTS", tmp_path / "shipped")
    return tmp_path


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Measured:
    """What the next weights measure."""

    def reach(value: float) -> None:
        def measure(folder: str, split: str = "test") -> dict[str, float]:
            lower = 0.1 if split == "test" else 0.0  # what is shipped is chosen elsewhere
            return {"right_true": value - lower, "regions": 3}

        monkeypatch.setitem(MEASURES, "judge", measure)

    return reach


def run_of(place: Path, weights: bytes, steps: int = 70, start: str = "") -> Path:
    """What a training of so many steps leaves."""
    run = place / "runs/tabletop/judge"
    (run / "weights").mkdir(parents=True, exist_ok=True)
    (run / "checkpoints").mkdir(exist_ok=True)
    (run / "weights/model.safetensors").write_bytes(weights)
    (run / "weights/config.json").write_text('{"widths": [8, 16], "size": 64}')
    checkpoint = {
        "state_dict": {"network.a": torch.zeros(3, 2), "other": torch.zeros(9)},
        "hyper_parameters": {"start": start}, "global_step": steps, "seconds": 5.0,
        "history": [(0, 2.0), (50, 1.0)],
    }  # fmt: skip
    torch.save(checkpoint, run / "checkpoints/last.ckpt")
    return run


def shipped_bytes(place: Path) -> bytes:
    return (place / "shipped/judge/model.safetensors").read_bytes()


def test_the_first_weights_are_shipped_with_a_whole_card(place: Path, measured: Measured) -> None:
    measured(0.5)
    assert install("judge", [run_of(place, b"first")], machine_kind="a laptop")
    folder = place / "shipped/judge"
    verify(folder)
    card = read_card(folder)
    assert card is not None and shipped_bytes(place) == b"first"
    assert card["figures"] == {"right_true": 0.4, "regions": 3}
    assert card["figures_on_validation"] == {"right_true": 0.5}
    assert (card["parameters"], card["steps"], card["seconds"]) == (6, 70, 5.0)
    assert card["architecture"] == "JudgeNetwork: widths 8/16, 64 pixels"
    assert card["data"].startswith("JudgedRegions: 5000 rendered scenes of the split 'judge'")
    assert card["command"] == f"python train.py fit --config {RECIPE}"
    assert card["machine"] == "a laptop" and card["installed_at_commit"]
    assert set(card["files"]) == {"config.json", "loss.png", "model.safetensors"}
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert card["architecture"] in text and card["data"] in text and "last leg" not in text


def test_only_better_weights_take_the_place(
    place: Path, measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    measured(0.5)
    install("judge", [run_of(place, b"first")])
    before = file_hashes(place / "shipped/judge")
    for figure in (0.4, 0.5):
        measured(figure)
        capsys.readouterr()
        assert not install("judge", [run_of(place, b"second")])
        said = capsys.readouterr().out
        assert (
            f"trained {figure}, shipped 0.5" in said and "judge: the shipped weights stay" in said
        )
        assert file_hashes(place / "shipped/judge") == before
    measured(0.6)
    assert install("judge", [run_of(place, b"third")]) and shipped_bytes(place) == b"third"
    assert [path.name for path in (place / "shipped").iterdir()] == ["judge"]


def test_what_reads_other_frozen_networks_gives_way(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = ROOT / "lr_edit/tabletop/weights/region"
    shipped = shutil.copytree(trained, place / "shipped/region")
    config = json.loads((shipped / "config.json").read_text())
    card = read_card(trained)
    assert card is not None and not capsys.readouterr().out
    assert module.shipped_figure("region") == card["figures_on_validation"]["miou"]
    config["backbones"] = ["another CLIP"]
    (shipped / "config.json").write_text(json.dumps(config))
    write_card(shipped, **{key: value for key, value in card.items() if key != "files"})
    assert module.shipped_figure("region") is None
    assert "other frozen networks" in capsys.readouterr().out


def test_worse_weights_are_shipped_when_told_to(
    place: Path, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured(0.5)
    install("judge", [run_of(place, b"first")])
    measured(0.1)
    run_of(place, b"worse")
    monkeypatch.setattr("sys.argv", ["install", "judge"])
    assert main() == 0 and shipped_bytes(place) == b"first"
    monkeypatch.setattr("sys.argv", ["install", "judge", "--force"])
    assert main() == 0 and shipped_bytes(place) == b"worse"


def test_a_card_tells_of_the_legs_before(place: Path, measured: Measured) -> None:
    measured(0.5)
    install("judge", [run_of(place, b"first")])
    measured(0.6)
    start = str(place / "shipped/judge")
    install("judge", [run_of(place, b"second", 30, start)])
    card = read_card(place / "shipped/judge")
    assert card is not None
    assert (card["steps"], card["seconds"], card["steps_before_this_curve"]) == (100, 10.0, 70)
    assert card["command"].endswith(f"--model.init_args.start {start}")
    text = (place / "shipped/judge/README.md").read_text(encoding="utf-8")
    assert "the last leg alone, 30 steps" in text and "had taken 70 steps" in text
    data = card["data"]
    assert card["legs"] == f"70 steps on {data}; then 30 steps on {data}"
    measured(0.7)
    install("judge", [run_of(place, b"third", 20, start)])
    third = read_card(place / "shipped/judge")
    assert third is not None and third["legs"] == f"{card['legs']}; then 20 steps on {data}"


@pytest.mark.parametrize("missing", ["weights/config.json", "checkpoints/last.ckpt"])
def test_a_run_that_left_too_little_is_told_in_one_line(
    missing: str, place: Path, measured: Measured, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    measured(0.5)
    gone = run_of(place, b"first") / missing
    gone.unlink()
    if gone.parent.name == "weights":
        (gone.parent / "model.safetensors").unlink()
        gone.parent.rmdir()
    monkeypatch.setattr("sys.argv", ["install", "judge"])
    assert main() == 2
    error = capsys.readouterr().err
    assert re.fullmatch(r"install: \S+: no such (file|folder), expected .*train.*\n", error)
    assert not (place / "shipped/judge").exists()


def test_a_card_that_fails_leaves_what_was_shipped(
    place: Path, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise UserError("no room for a picture")

    measured(0.5)
    install("judge", [run_of(place, b"first")])
    measured(0.6)
    monkeypatch.setattr(module, "draw_curve", fail)
    with pytest.raises(UserError, match="no room"):
        install("judge", [run_of(place, b"second")])
    verify(place / "shipped/judge")
    assert shipped_bytes(place) == b"first"
    assert [path.name for path in (place / "shipped").iterdir()] == ["judge"]


def test_every_recipe_of_make_weights_is_known() -> None:
    line = re.search(r"^RECIPES := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert line
    names = re.sub(r"\$\(addprefix tabletop/,([^)]*)\)", r"\1", line[1]).split()
    for name in names:
        assert recipe_of(name).is_file() and name in MEASURES and name in DECISIVE


@pytest.mark.parametrize("name", sorted(MEASURES))
def test_the_data_of_every_recipe_can_be_told(name: str) -> None:
    recipe = read_recipe(recipe_of(name))
    values = recipe["data"]["init_args"]
    told = training_data(recipe)
    assert told.startswith(values["dataset"]["class_path"].rpartition(".")[2])
    assert str(values["train_scenes"]) in told
    assert ("edit pairs" in told) == bool(values.get("pairs"))


@pytest.mark.parametrize("name", sorted(MEASURES))
def test_a_shipped_card_names_the_tutor_of_its_recipe(name: str) -> None:
    told = tutor(read_recipe(recipe_of(name)))
    assert bool(told) == (name == "dino")
    assert (read_card(module.WEIGHTS / name) or {}).get("tutor", "") == told


def test_networks_in_several_folders_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet/config.json").write_text(
        '{"_class_name": "UNet", "block_out_channels": [8, 16]}'
    )
    (tmp_path / "open_clip_config.json").write_text(
        '{"model_cfg": {"embed_dim": 4, "vision_cfg": {"layers": 2, "patch_size": 8}}}'
    )
    (tmp_path / "tokenizer_config.json").write_text('{"model_max_length": 20}')
    write_card(tmp_path, name="thing", steps=3, size=5)
    told = architecture(tmp_path, yaml.safe_load("model: {class_path: a.b.ClipRecipe}"))
    assert told == ("OpenCLIP: embeddings of 4; vision: 2 layers, patches of 8; UNet: widths 8/16")


def run_with(
    folder: Path,
    values: torch.Tensor,
    steps: int = 10,
    start: str = "",
    began: dict[str, str] | None = None,
) -> Path:
    """A run whose network is one tensor."""
    (folder / "weights").mkdir(parents=True)
    (folder / "checkpoints").mkdir()
    save_file({"layer.weight": values}, folder / "weights" / "model.safetensors")
    (folder / "weights" / "config.json").write_text("{}")
    torch.save(
        {
            "state_dict": {"network.layer.weight": values}, "global_step": steps, "seconds": 2.0,
            "history": [(0, 1.0)], "hyper_parameters": {"start": start},
            "start_weights": began or {},
        },
        folder / "checkpoints" / "last.ckpt",
    )  # fmt: skip
    return folder


def test_the_mean_of_several_runs(tmp_path: Path) -> None:
    runs = [
        run_with(tmp_path / name, torch.tensor([value, 2.0]).half(), steps)
        for name, value, steps in (("a", 1.0, 10), ("b", 3.0, 12), ("c", 2.0, 5))
    ]
    averaged_folders([run / "weights" for run in runs], tmp_path / "mean")
    mean = load_file(tmp_path / "mean" / "model.safetensors")["layer.weight"]
    assert mean.tolist() == [2.0, 2.0] and mean.dtype == torch.float16
    assert (tmp_path / "mean" / "config.json").is_file()
    facts = facts_together([run_facts(run) for run in runs])
    assert (facts["steps"], facts["seconds"], facts["runs_averaged"]) == (27, 6.0, 3)


def test_a_share_of_the_weights_before_can_be_kept(place: Path, measured: Measured) -> None:
    before = place / "shipped" / "judge"
    measured(0.5)
    install("judge", [run_with(place / "first", torch.tensor([8.0, 2.0]))])
    measured(0.6)
    new = run_with(place / "second", torch.tensor([0.0, 2.0]), start=str(before))
    assert install("judge", [new], kept=0.25)
    mean, card = load_file(before / "model.safetensors")["layer.weight"], read_card(before)
    assert mean.tolist() == [2.0, 2.0]
    assert card is not None and card["share_of_the_weights_before"] == 0.25
    assert card["steps"] == 20 and "count for 75% and those before for 25%" in card["legs"]


def test_of_two_runs_from_the_shipped_weights_the_second_is_told_that_they_are_gone(
    place: Path, measured: Measured
) -> None:
    shipped = str(place / "shipped" / "judge")
    measured(0.5)
    install("judge", [run_with(place / "first", torch.tensor([8.0, 2.0]))])
    began = start_weights(shipped)
    assert list(began) == ["model.safetensors"] and start_weights("") == {}
    runs = [
        run_with(place / name, torch.tensor([value, 2.0]), start=shipped, began=began)
        for name, value in (("second", 0.0), ("third", 4.0))
    ]
    measured(0.6)
    assert install("judge", runs[:1])
    measured(0.7)
    with pytest.raises(UserError, match=r"holds other weights than when the run .*third"):
        install("judge", runs[1:], kept=0.5)


def test_a_run_remembers_what_it_began_with(tmp_path: Path) -> None:
    run_with(tmp_path, torch.zeros(2))
    recipe, checkpoint = PerceptualRecipe(widths=(8, 8)), {}
    recipe.hparams["start"] = str(tmp_path / "weights")
    recipe._trainer = SimpleNamespace(is_global_zero=True)  # type: ignore[assignment]
    recipe.on_fit_start()
    recipe.on_save_checkpoint(checkpoint)
    assert checkpoint["start_weights"] == start_weights(str(tmp_path / "weights")) != {}


def test_nothing_can_be_kept_of_random_weights(
    place: Path, measured: Measured, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    measured(0.5)
    run = run_with(place / "run", torch.zeros(2))
    monkeypatch.setattr("sys.argv", ["install", "judge", "--run", str(run), "--keep", "0.25"])
    assert main() == 2
    assert "began with 'random ones': leave --keep out" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["install", "judge", "--run", str(run), "--keep", "1.5"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2 and "--keep: invalid share value: '1.5'" in capsys.readouterr().err


def test_runs_that_have_no_mean_are_told(tmp_path: Path) -> None:
    runs = [
        run_with(tmp_path / name, torch.zeros(size), start=start)
        for name, size, start in (("a", 2, ""), ("b", 3, "elsewhere"))
    ]
    with pytest.raises(UserError, match="networks differ"):
        averaged_folders([run / "weights" for run in runs], tmp_path / "mean")
    with pytest.raises(UserError, match="different weights"):
        facts_together([run_facts(run) for run in runs])
    (runs[1] / "weights" / "model.safetensors").unlink()
    with pytest.raises(UserError, match="no such file"):
        averaged_folders([run / "weights" for run in runs], tmp_path / "other")
