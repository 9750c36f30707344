"""Training by configs/region.yaml: what it keeps and gives, killed, in two processes, in bf16."""

import re
import signal
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
import torch
import weights
from fit_fakes import CONFIG, DATA, DECAY, curves, exported, left, seen, tiny
from forked import in_one, in_two

import train
from lr_edit.training.averaging import warm_average

LAST = "runs/region/checkpoints/last.ckpt"
STEPS, EPOCH = 8, DATA["steps_per_epoch"]
KEPT = 4  # steps that the killed training left a checkpoint of


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny CLIP; few and small scenes are rendered beside it, once for all tests here."""
    return weights.clip(tmp_path_factory.mktemp("models") / "clip")


def trained(config: Path, *more: str, command: str = "fit") -> int:
    """train.py beside the recipe, in this process; its exit status."""
    arguments = ["train.py", command, "--config", str(config), *more]
    with chdir(config.parent), pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", arguments)
        return train.main()


@pytest.fixture(scope="module")
def whole(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that nothing interrupted."""
    config = tiny(tmp_path_factory.mktemp("whole") / "fit", clip)
    assert trained(config, f"--trainer.max_steps={STEPS}") == 0
    return config.parent


@pytest.fixture(scope="module")
def resumed(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the same training, killed in its third epoch and gone on with."""
    config = tiny(tmp_path_factory.mktemp("resumed") / "fit", clip)
    steps = f"--trainer.max_steps={STEPS}"
    dies = ("--trainer.callbacks+=fit_fakes.Dies", f"--trainer.callbacks.step={KEPT + 1}")
    assert in_one(lambda: trained(config, steps, *dies)) == -signal.SIGKILL
    place = config.parent
    assert [line["step"] for line in seen(place)] == list(range(1, KEPT + 2))
    assert torch.load(place / LAST, weights_only=True)["global_step"] == KEPT
    assert not (place / "runs/region/weights").exists()
    assert trained(config, steps, f"--ckpt_path={LAST}") == 0
    return place


def average(place: Path, steps: int = STEPS) -> dict[str, torch.Tensor]:
    """The moving average of all weights from the first step's on."""
    result = left(place, 1)
    for step in range(2, steps + 1):
        for name, value in left(place, step).items():
            warm_average([result[name]], [value], step - 1, DECAY)
    return result


def farthest(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """The largest difference of any weight."""
    assert one.keys() == other.keys()
    return max(float((one[k].float() - other[k].float()).abs().max()) for k in one)


@pytest.mark.parametrize("name", ["whole", "resumed"])
def test_what_is_exported_is_the_moving_average(name: str, request: pytest.FixtureRequest) -> None:
    place = request.getfixturevalue(name)
    given = exported(place)
    shipped = {name: value.half() for name, value in average(place).items()}
    last = {name: value.half() for name, value in left(place, STEPS).items()}
    assert farthest(given, shipped) < 1e-3 < 2e-3 < farthest(given, last)


def test_a_killed_training_goes_on_as_it_would_have(whole: Path, resumed: Path) -> None:
    after = {key: value for key, value in curves(whole).items() if key[0] >= KEPT}
    assert {step for step, name in after if name == "loss"} == set(range(KEPT, STEPS))
    assert any(name == "val_miou" for _, name in after)
    assert curves(resumed) == pytest.approx(after, rel=1e-4, abs=1e-5)
    again, once = (
        [line["pictures"] for line in seen(place)[KEPT - STEPS :]] for place in (resumed, whole)
    )
    assert again == once
    assert farthest(exported(resumed), exported(whole)) < 2e-3
    assert farthest(left(resumed, STEPS), left(whole, STEPS)) < 1e-4


@pytest.mark.parametrize("name", ["whole", "resumed"])
def test_a_checkpoint_holds_what_learns_and_its_average_alone(
    name: str, request: pytest.FixtureRequest
) -> None:
    place = request.getfixturevalue(name)
    checkpoint = torch.load(place / LAST, weights_only=True)
    for part in ("state_dict", "current_model_state"):
        assert {key.split(".")[0] for key in checkpoint[part]} == {"network", "head"}
    network = left(place, STEPS)

    def bare(part: str) -> dict[str, torch.Tensor]:
        own = {k: value for k, value in checkpoint[part].items() if k.startswith("network.")}
        return {key.removeprefix("network."): value for key, value in own.items()}

    assert farthest(bare("current_model_state"), network) == 0
    assert farthest(bare("state_dict"), average(place)) < 1e-5
    # Network and head, their averages and the optimiser's two moments.
    size = sum(value.numel() * 4 for value in checkpoint["state_dict"].values())
    assert (place / LAST).stat().st_size < 5 * size + 200_000


@pytest.mark.parametrize("part", ["state_dict", "current_model_state", "backbones"])
def test_a_checkpoint_that_lacks_something_is_one_line(
    whole: Path, clip: Path, tmp_path: Path, part: str, capfd: pytest.CaptureFixture[str]
) -> None:
    checkpoint = torch.load(whole / LAST, weights_only=True)
    if part == "backbones":
        del checkpoint[part]
    else:
        del checkpoint[part]["network.presence.bias"]
    torch.save(checkpoint, tmp_path / "less.ckpt")
    config = tiny(tmp_path / "fit", clip)
    assert trained(config, f"--ckpt_path={tmp_path / 'less.ckpt'}") == 2
    lines = capfd.readouterr().err.strip().splitlines()
    (said,) = (line for line in lines if line.startswith("train.py: "))
    assert said == lines[-1]
    assert (part if part == "backbones" else "network.presence.bias") in said
    assert not list(config.parent.glob("runs/region/weights"))


def test_it_ends_early_when_nothing_gets_better(clip: Path, tmp_path: Path) -> None:
    config = tiny(tmp_path / "fit", clip)
    text = config.read_text()
    assert text.count("patience: 12") == 1
    config.write_text(text.replace("patience: 12", "patience: 1"))
    still = ("--model.init_args.schedule.learning_rate=0", "--data.init_args.steps_per_epoch=1")
    assert trained(config, *still, "--trainer.max_steps=8") == 0
    # It is measured after every second epoch, but not while no phrase is read: .3 of the steps.
    assert [line["step"] for line in seen(config.parent)] == [1, 2, 3, 4, 5, 6]
    assert exported(config.parent)


@pytest.mark.parametrize("command", ["validate", "test"])
def test_a_network_is_measured_however_little_it_was_trained(
    command: str, whole: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No phrase is read at the beginning of a training alone."""
    config = tiny(tmp_path / "fit", clip)
    last = f"--ckpt_path={whole / LAST}"
    few = [
        f"--model.init_args.comparison.{name}"
        for name in ("phrases=1", "edits=0", "timed=0", "examples=0", "rivals=[]", "parts=[absent]")
    ]
    assert trained(config, last, *few, command=command) == 0
    assert "val_miou" in capsys.readouterr().out


def test_without_a_checkpoint_the_shipped_network_is_validated(
    whole: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny(tmp_path / "fit", clip)
    shipped = f"--model.init_args.shipped={whole / 'runs/region/weights'}"
    figures = []
    for given in (f"--ckpt_path={whole / LAST}", shipped):
        assert trained(config, given, command="validate") == 0
        figures.append(validated(capsys.readouterr().out))
    # Exported weights are halved in precision.
    assert figures[0] and figures[1] == pytest.approx(figures[0], abs=0.02)
    assert trained(config, "--model.init_args.shipped=none/at/all/there", command="validate") == 2
    assert "there is no trained network in 'none/at/all/there'" in capsys.readouterr().err


def validated(table: str) -> dict[str, float]:
    """The figures of a table that Lightning printed, by name."""
    return {name: float(value) for name, value in re.findall(r"(val_\w+)\W+([\d.]+)", table)}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--model.init_args.network.heads=4"], "has heads: 2, but model.init_args.network says 4"),
        (["--model.init_args.network.widht=16"], "takes no 'widht': the closest is 'width'"),
        (["--model.init_args.features.init_args.clip.init_args.side=64"], "was trained on"),
    ],
    ids=["another size", "a misspelt name", "other features"],
)
def test_what_is_gone_on_with_must_be_the_same_network(
    whole: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    more: list[str], said: str,
) -> None:  # fmt: skip
    config = tiny(tmp_path / "fit", clip)
    start = f"--model.init_args.start={whole / 'runs/region/weights'}"
    assert trained(config, start, *more, "--trainer.max_steps=1") == 2
    assert said in capsys.readouterr().err


def test_two_processes_learn_what_one_learns_from_twice_the_batch(
    clip: Path, tmp_path: Path
) -> None:
    # Presence alone: the other terms are means over the phrases that are present, of which one
    # process may have more, and over pixels that each process chooses for itself.
    terms = ("mask", "dice", "pick", "hint", "score", "empty", "traits", "middle", "mentions")
    alike = (
        "--trainer.max_steps=2", "--trainer.gradient_clip_val=null",
        *(f"--model.init_args.objective.init_args.{name}=0" for name in (*terms, "alone")),
    )  # fmt: skip
    one, two = tiny(tmp_path / "one", clip), tiny(tmp_path / "two", clip)
    assert trained(one, *alike, "--data.init_args.batch_size=4") == 0
    shared = ("--trainer.devices=2", "--trainer.strategy=ddp")
    assert in_two(lambda: trained(two, *alike, *shared)) == [0, 0]
    ranks = zip(seen(two.parent, 0), seen(two.parent, 1), strict=True)
    for alone, both in zip(seen(one.parent), ranks, strict=True):
        first, second = (line["pictures"] for line in both)
        assert len(first) == len(second) == 2 and not set(first) & set(second)
        assert sorted(first + second) == sorted(alone["pictures"])
        loss = np.mean([line["loss"] for line in both])
        assert loss == pytest.approx(alone["loss"], rel=1e-4)
    moments = [
        torch.load(config.parent / LAST, weights_only=True)["optimizer_states"][0]["state"]
        for config in (one, two)
    ]
    for number, moment in moments[0].items():
        torch.testing.assert_close(
            moments[1][number]["exp_avg"], moment["exp_avg"], atol=1e-6, rtol=1e-3
        )
    assert farthest(left(one.parent, 2), left(two.parent, 2)) < 1e-3
    assert farthest(left(one.parent, 2), left(one.parent, 1)) > 5e-3


def test_it_trains_in_bfloat16_as_it_is_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    few = {"train_scenes": 2, "validation_scenes": 2, "pairs": 1, "batch_size": 1}
    few |= {"validation_samples": 1, "steps_per_epoch": 1}
    data = (f"--data.init_args.{name}={value}" for name, value in few.items())
    with chdir(tmp_path), pytest.MonkeyPatch.context() as patch:
        arguments = ["train.py", "fit", "--config", str(CONFIG), *data, "--trainer.max_steps=2"]
        patch.setattr("sys.argv", [*arguments, "--trainer.log_every_n_steps=1"])
        assert train.main() == 0
    assert "Using bfloat16 Automatic Mixed Precision" in caplog.text
    losses = [value for (_, name), value in curves(tmp_path).items() if name == "loss"]
    assert len(losses) == 2 and np.isfinite(losses).all()
    state = torch.load(tmp_path / LAST, weights_only=True)["state_dict"]
    assert all(value.dtype == torch.float32 for value in state.values())
    assert all(value.isfinite().all() for value in exported(tmp_path).values())


def test_tensorboard_gets_the_sheet_of_every_validation(whole: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (events,) = whole.glob("runs/region/version_*/events.out.tfevents*")
    read = EventAccumulator(str(events), {"images": 0}).Reload()
    assert read.Tags()["images"] == ["masks"]
    pictures = read.Images("masks")
    assert [picture.step for picture in pictures] == [2 * EPOCH, 4 * EPOCH]
    for picture in pictures:
        assert picture.encoded_image_string.startswith(b"\x89PNG") and picture.width > 64


@pytest.mark.parametrize("kind", ["vit", "dinov2"])
def test_a_dino_stands_beside_clip_in_an_override(clip: Path, tmp_path: Path, kind: str) -> None:
    folder = weights.dino(tmp_path / "dino", kind)
    dino = "--model.init_args.features.init_args.dino"
    given = (
        f"{dino}=lr_edit.backbones.dino.DinoEncoder", f"{dino}.init_args.name={folder}",
        f"{dino}.init_args.layers=[1,3]",
    )  # fmt: skip
    config = tiny(tmp_path / "fit", clip)
    assert trained(config, *given, "--trainer.fast_dev_run=true") == 0
    state = left(config.parent, 1)
    assert [state[f"project.{k}.weight"].shape[1] for k in range(3)] == [32, 32, 32]
    assert "project.3.weight" not in state


def test_options_count_beside_a_checkpoint(whole: Path, clip: Path, tmp_path: Path) -> None:
    config = tiny(tmp_path / "other", clip)
    steps, rate = f"--trainer.max_steps={STEPS + 1}", "--model.init_args.schedule.learning_rate=0"
    elsewhere = "--model.init_args.output=elsewhere"
    assert trained(config, steps, rate, elsewhere, f"--ckpt_path={whole / LAST}") == 0
    assert (config.parent / "elsewhere/model.safetensors").is_file()


def test_a_checkpoint_that_is_cut_short_is_one_line(
    whole: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cut.ckpt").write_bytes((whole / LAST).read_bytes()[:-200])
    assert trained(tiny(tmp_path / "other", clip), f"--ckpt_path={tmp_path / 'cut.ckpt'}") == 2
    said = capsys.readouterr().err
    assert "cut.ckpt" in said and "cut short" in said and said.count("\n") == 1


@pytest.mark.parametrize("count", [1, 5, 10_000])
def test_the_average_follows_closely_at_first_and_slowly_later(count: int) -> None:
    before, now = torch.zeros(3), torch.ones(3)
    expected = max(1 - DECAY, 9 / (10 + count))
    warm_average([before], [now], count, DECAY)
    torch.testing.assert_close(before, expected * now)
