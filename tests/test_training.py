"""The recipes: every YAML is built and runs, training learns, and goes on where it stopped."""

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import weights
from editor_fakes import EdgeDistance, box_mask, picture
from PIL import Image

from lr_edit.backbones.diffusion import to_prediction
from lr_edit.errors import UserError
from lr_edit.images import to_pil
from lr_edit.tabletop.cache import rendered
from lr_edit.training.cli import run
from lr_edit.training.clip import truth
from lr_edit.training.data import Consecutive
from lr_edit.training.diffusion import DiffusionRecipe
from lr_edit.training.losses import (
    add_noise,
    noisy_times,
    region_distance,
    region_mse,
    soft_cross_entropy,
    velocity,
)
from lr_edit.training.perceptual import LABELS, PerceptualRecipe

ROOT = Path(__file__).parents[1] / "configs"
CONFIGS = sorted(
    path
    for path in [*ROOT.glob("tabletop/*.yaml"), *ROOT.glob("region*.yaml")]
    # These have a picture, or photographs, in place of scenes.
    if path.stem != "region_per_image" and not path.stem.startswith("region_photo")
)
REGION = [
    "--model.init_args.network={width: 16, heads: 2, mixers: 1, side: 64}",
    "--data.init_args.pairs=0",
]
TINY = {
    "region": REGION, "region_captions": REGION, "region_edit": REGION,
    "clip": ["--model.init_args.width=48", "--model.init_args.layers=1"],
    "diffusion": [
        "--model.init_args.network={size: 64, channels: [32, 32], layers: [1, 1], "
        "attention: [false, true]}"
    ],
    "dino": [
        "--model.init_args.width=16", "--model.init_args.layers=1", "--model.init_args.heads=2",
        "--model.init_args.prototypes=8",
    ],
    "judge": ["--model.init_args.widths=[8, 8]"],
    "perceptual": ["--model.init_args.widths=[8, 8]"],
    "segformer": [
        "--model.init_args.widths=[8, 8, 16, 20]", "--model.init_args.depths=[1, 1, 1, 1]",
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """LightningCLI warns of pytest's own arguments."""
    monkeypatch.setattr("sys.argv", ["train.py"])


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Few and small scenes, rendered once for all tests here."""
    return tmp_path_factory.mktemp("scenes")


def arguments(config: Path, cache: Path, *more: str) -> list[str]:
    return [
        "fit", "--config", str(config), "--trainer.accelerator=cpu", "--trainer.precision=32-true",
        "--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false",
        "--data.init_args.train_scenes=6", "--data.init_args.validation_scenes=4",
        "--data.init_args.size=64", f"--data.init_args.folder={cache}",
        "--data.init_args.batch_size=2", "--data.init_args.validation_samples=2",
        "--data.init_args.steps_per_epoch=2", *TINY[config.stem], *more,
    ]  # fmt: skip


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_recipe_runs(
    config: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(arguments(config, cache, "--trainer.fast_dev_run=2"))
    assert not list(tmp_path.glob("runs/**/checkpoints"))


def recipe_run(name: str, cache: Path, folder: Path, steps: int, *more: str) -> dict[str, Any]:
    """Train a recipe for so many steps in `folder`; its last checkpoint."""
    config = next(c for c in CONFIGS if c.stem == name)
    run(
        arguments(
            config, cache, f"--trainer.max_steps={steps}", f"--trainer.default_root_dir={folder}",
            "--trainer.check_val_every_n_epoch=100", "--trainer.logger=false",
            f"--model.init_args.output={folder}/weights", *more,
        )
    )  # fmt: skip
    return torch.load(f"runs/tabletop/{name}/checkpoints/last.ckpt", weights_only=True)


@pytest.mark.parametrize("recipe", ["judge", "dino"])
def test_a_resumed_run_is_the_run_that_would_have_been(
    recipe: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The rate falls with the share of the steps that is over, so both runs are told of all six.
    checkpoints = {}
    for name in ("whole", "parts"):
        place = tmp_path / name
        place.mkdir()
        monkeypatch.chdir(place)
        if name == "parts":
            first = ("--trainer.limit_train_batches=2", "--trainer.max_epochs=1")
            recipe_run(recipe, cache, place, 6, *first)
            last = str(place / f"runs/tabletop/{recipe}/checkpoints/last.ckpt")
            assert torch.load(last, weights_only=True)["global_step"] == 2
            checkpoints[name] = recipe_run(recipe, cache, place, 6, f"--ckpt_path={last}")
        else:
            checkpoints[name] = recipe_run(recipe, cache, place, 6)
    whole, parts = checkpoints["whole"], checkpoints["parts"]
    assert whole["global_step"] == parts["global_step"] == 6
    for name, value in whole["state_dict"].items():
        torch.testing.assert_close(parts["state_dict"][name], value, msg=name)
    assert (tmp_path / "parts/weights/model.safetensors").is_file()


def test_training_ends_by_itself_when_its_time_is_over(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    most = 10**6
    checkpoint = recipe_run(
        "judge", cache, tmp_path, most, "--trainer.max_time=00:00:00:04",
        "--model.init_args.schedule.warmup=1",
    )  # fmt: skip
    assert 1 < checkpoint["global_step"] < most
    (rate,) = {group["lr"] for group in checkpoint["optimizer_states"][0]["param_groups"]}
    (peak,) = checkpoint["lr_schedulers"][0]["base_lrs"][:1]
    assert 0 < rate < peak / 4
    assert (tmp_path / "weights/model.safetensors").is_file()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_recipe_takes_a_step_on_a_gpu(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint = recipe_run(
        "judge", cache, tmp_path, 1, "--trainer.accelerator=gpu", "--trainer.devices=1"
    )
    assert checkpoint["global_step"] == 1
    assert all(torch.isfinite(v).all() for v in checkpoint["state_dict"].values())
    assert (tmp_path / "weights/model.safetensors").is_file()


def test_rendered_scenes_are_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lr_edit.tabletop.cache.render_range", fail)
    with pytest.raises(KeyboardInterrupt):
        rendered("train", 2, 32, tmp_path, processes=1)
    assert not any((path / "done.json").exists() for path in tmp_path.iterdir())
    monkeypatch.undo()
    scenes = rendered("train", 2, 32, tmp_path, processes=1)
    assert scenes.images.shape == (2, 32, 32, 3) and scenes.images.any()


def test_consecutive_numbers_share_out_among_ranks() -> None:
    ranks = [list(Consecutive(100 + rank, 3, 2)) for rank in range(2)]
    assert sorted(ranks[0] + ranks[1]) == list(range(100, 106))


def test_velocity_and_noise_give_the_picture_back() -> None:
    x0, noise = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    alpha_bar = torch.tensor([0.3, 0.9])[:, None, None, None]
    x_t, v = add_noise(x0, noise, alpha_bar), velocity(x0, noise, alpha_bar)
    torch.testing.assert_close(to_prediction(v, x_t, alpha_bar, "v_prediction").x0, x0)


def test_region_error_weighs_the_inside_and_every_sample_alike() -> None:
    mask = torch.zeros(2, 1, 4, 4)
    mask[0, :, :1], mask[1, :, :3] = 1, 1
    ones = torch.ones(2, 3, 4, 4)
    torch.testing.assert_close(region_mse(ones, 0 * ones, mask, 0.05), torch.ones(2))
    outside = ones * (1 - mask)
    assert (region_mse(outside, 0 * ones, mask, 0.0) == 0).all()


def test_perceptual_distance_sees_the_region_alone_whatever_its_share() -> None:
    small, large = box_mask(24, 24, 8, 8, 12, 12), box_mask(24, 24, 4, 4, 20, 20)
    image, x0 = picture(), picture(seed=1)
    elsewhere = image * small + x0 * (1 - small)
    assert (region_distance(EdgeDistance(), elsewhere, image, small) == 0).all()
    checks = image + 0.1 * (torch.arange(24) % 2)
    values = [region_distance(EdgeDistance(), checks, image, m) for m in (small, large)]
    assert values[0].item() == pytest.approx(values[1].item(), rel=0.35)


def test_perceptual_distance_teaches_the_diffusion_model(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with_it, without = (
        recipe_run("diffusion", cache, tmp_path, 1, f"--model.init_args.perceptual={weight}")
        for weight in (1.0, 0.0)
    )
    assert with_it["state_dict"].keys() == without["state_dict"].keys()  # nothing frozen inside
    changed = [
        name
        for name, value in with_it["state_dict"].items()
        if not torch.equal(value, without["state_dict"][name])
    ]
    assert any("unet" in name for name in changed)


def test_the_perceptual_distance_goes_where_the_diffusion_model_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is no part of the model, so nobody else moves it."""
    made: list[str] = []
    kind = "lr_edit.training.diffusion.LpipsDistance"
    monkeypatch.setattr(kind, lambda folder, device="cpu": made.append(device) or EdgeDistance())
    for device, expected in (("cpu", ["cpu"]), ("cuda:1", ["cpu", "cuda:1"])):
        made.clear()
        recipe = DiffusionRecipe(perceptual=0.05)
        strategy = SimpleNamespace(root_device=torch.device(device))
        monkeypatch.setattr(DiffusionRecipe, "trainer", SimpleNamespace(strategy=strategy))
        recipe.setup("fit")
        assert made == expected


def test_what_the_perceptual_heads_drop_depends_on_the_step_alone() -> None:
    recipe = PerceptualRecipe(widths=(8, 8))
    generator = torch.Generator().manual_seed(0)
    image, weak, strong = torch.rand(3, 4, 3, 32, 32, generator=generator) * 2 - 1
    labels = {k: torch.zeros(4, dtype=torch.long) for k in LABELS}
    batch = {"image": image, "weak": weak, "strong": strong, **labels}
    recipe.log_loss = lambda loss: loss  # type: ignore[method-assign]
    with torch.random.fork_rng(devices=[]):
        losses = [float(recipe.training_step(batch, 0).detach()) for _ in range(3)]
        state = torch.random.get_rng_state()
        recipe.training_step(batch, 0)
        assert torch.equal(torch.random.get_rng_state(), state)
    assert losses[0] == losses[1] == losses[2]


@pytest.mark.parametrize(("bias", "late"), [(0.0, 0.5), (1.0, 0.75), (2.0, 0.875)])
def test_training_times_grow_frequent_with_noise(bias: float, late: float) -> None:
    times = noisy_times(20000, 1000, torch.Generator().manual_seed(0), bias)
    assert int(times.min()) >= 0 and int(times.max()) <= 999
    assert (times >= 500).float().mean() == pytest.approx(late, abs=0.02)


@pytest.mark.parametrize(
    ("taper", "low", "middle"), [(0.0, 0.04, 0.45), (1.0, 0.078, 0.661), (2.0, 0.115, 0.752)]
)
def test_tapered_times_spend_themselves_in_the_middle(
    taper: float, low: float, middle: float
) -> None:
    times = noisy_times(20000, 1000, torch.Generator().manual_seed(0), 1.0, taper)
    assert int(times.min()) >= 0 and int(times.max()) <= 999
    assert (times < 200).float().mean() == pytest.approx(low, abs=0.02)
    assert ((times >= 200) & (times < 700)).float().mean() == pytest.approx(middle, abs=0.02)


def test_soft_targets_are_least_when_met() -> None:
    target = torch.tensor([[0.5, 0.5, 0.0]])
    met = soft_cross_entropy(torch.tensor([[9.0, 9.0, -9.0]]), target)
    assert met < soft_cross_entropy(torch.tensor([[9.0, -9.0, -9.0]]), target)


def test_captions_are_true_of_what_they_leave_open() -> None:
    said = torch.tensor([[3, -1, -1], [3, 2, -1], [3, 2, 1]])
    facts = torch.tensor([[3, 2, 0], [4, 2, 1]])
    assert truth(said, facts).tolist() == [[True, False], [True, False], [False, False]]


def test_a_loss_that_is_no_number_stops_the_training(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    nothing = torch.tensor(float("nan"), requires_grad=True)
    monkeypatch.setattr("lr_edit.training.judge.cross_entropy", lambda *_, **__: nothing)
    with pytest.raises(UserError, match="the loss is nan at step 0"):
        recipe_run("judge", cache, tmp_path, 4)


def test_a_full_disk_leaves_the_last_checkpoint(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe_run("judge", cache, tmp_path, 2)
    (checkpoint,) = tmp_path.glob("runs/tabletop/judge/checkpoints/*.ckpt")
    before = checkpoint.read_bytes()
    save = torch.save

    def full(value: Any, file: Any, *rest: Any, **more: Any) -> None:
        Path(file).write_bytes(b"the beginning of a checkpoint")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(UserError, match=r"last\.ckpt.*No space left.*--ckpt_path"):
        recipe_run("judge", cache, tmp_path, 4, "--ckpt_path", str(checkpoint))
    monkeypatch.setattr(torch, "save", save)
    assert checkpoint.read_bytes() == before
    assert [path.name for path in checkpoint.parent.iterdir()] == [checkpoint.name]


def test_regions_are_learned_on_one_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    to_pil(torch.rand(1, 3, 40, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1)[0].save(
        "photo.png"
    )
    run(
        [
            "fit", "--config", str(ROOT / "region_per_image.yaml"),
            "--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false",
            f"--model.init_args.dino.init_args.name={weights.dino(tmp_path / 'dino')}",
            "--model.init_args.dino.init_args.side=32", "--model.init_args.options.iterations=2",
            "--model.init_args.options.anchors=2", "--model.init_args.output=learned",
        ]
    )  # fmt: skip
    region = Image.open("learned/region.png")
    assert region.size == (48, 40) and region.getextrema() == (0, 255)
    assert Path("learned/sheet.png").is_file()
    assert not Path("config.yaml").exists() and Path("runs/region_per_image/config.yaml").is_file()
