"""The recipes of the region network as written: its size, what they test, when they stop."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import train
from lr_edit.regions.network import RegionNetwork

CONFIGS = Path(__file__).parents[1] / "configs"
LIMIT = 2_000_000
# The channels of the backbones that recipes name; a text tower's are those of the phrase's tokens.
PICTURES = {
    "local-dir:lr_edit/tabletop/weights/clip": 192,
    "ViT-B-16-quickgelu": 768,
    "facebook/dinov2-base": 768,
}
WORDS = {"local-dir:lr_edit/tabletop/weights/clip": 192, "ViT-B-16-quickgelu": 512}


def model_of(path: Path) -> dict[str, Any]:
    arguments: dict[str, Any] = yaml.safe_load(path.read_text())["model"]["init_args"]
    return arguments


# The recipe on one picture has boxes in place of this network.
RECIPES = [path for path in sorted(CONFIGS.glob("region*.yaml")) if "features" in model_of(path)]


def test_all_recipes_but_that_on_one_picture_are_here() -> None:
    left = {path.stem for path in CONFIGS.glob("region*.yaml")} - {p.stem for p in RECIPES}
    assert left == {"region_per_image"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_network_has_at_most_two_million_parameters(path: Path) -> None:
    model = model_of(path)
    features = model["features"]["init_args"]
    clip, dino = features["clip"]["init_args"], features.get("dino", {}).get("init_args")
    name = clip["encoder"]["init_args"]["name"]
    channels = [PICTURES[name]] * len(clip["layers"])
    if dino is not None:
        channels += [PICTURES[dino["name"]]] * len(dino["layers"])
    network = RegionNetwork(channels, WORDS[name], **model.get("network", {}))
    count = sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert 1_000_000 < count <= LIMIT


def test_every_way_on_the_tabletop_tests_its_own_network_into_its_own_folder() -> None:
    # The first way is what the defaults of RegionRecipe and Comparison are about.
    for name in ("region_captions", "region_edit"):
        model = model_of(CONFIGS / f"{name}.yaml")
        assert model["shipped"] == f"lr_edit/tabletop/weights/{name}"
        assert model["comparison"]["output"] == f"runs/{name}/test"


def test_captions_alone_say_when_to_stop() -> None:
    trainer = yaml.safe_load((CONFIGS / "region_captions.yaml").read_text())["trainer"]
    watched = [callback.get("init_args", {}).get("monitor") for callback in trainer["callbacks"]]
    assert not any(watched)


def test_a_network_that_is_not_there_is_one_line_that_says_what_to_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [
        "train.py", "test", "--config", str(CONFIGS / "region_edit.yaml"),
        "--trainer.accelerator=cpu", "--trainer.precision=32-true", "--trainer.logger=false",
        "--trainer.callbacks=[]", "--trainer.enable_progress_bar=false",
        "--model.init_args.objective=lr_edit.training.objectives.masks.MaskObjective",
        "--model.init_args.network={width: 16, heads: 2, mixers: 1, side: 32}",
        "--model.init_args.shipped=nowhere/weights/mine", "--data.init_args.size=32",
        "--data.init_args.test_scenes=2", "--data.init_args.test_samples=2",
    ]  # fmt: skip
    monkeypatch.setattr("sys.argv", arguments)
    assert train.main() == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "'nowhere/weights/mine'" in said and "--ckpt_path" in said
    assert not list(tmp_path.glob("runs/**/test"))
