"""docs/photographs.md: every command on it parses, and every file that it shows can be read."""

import argparse
import re
import shlex
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightning.pytorch.cli import LightningCLI
from PIL import Image

from lr_edit.cli import batch, fetch
from lr_edit.cli.bulk.manifest import read_manifest
from lr_edit.cli.main import COMMANDS
from lr_edit.cli.options import option_values
from lr_edit.cli.settings import edit_settings
from lr_edit.data.coco import CocoJson
from lr_edit.data.folder import ImageFolder, JsonLines
from lr_edit.data.records import PhraseSource
from lr_edit.model_files import config_path, described_entries
from lr_edit.regions.trained import TrainedProposer
from lr_edit.training.cli import run as train

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "photographs.md").read_text(encoding="utf-8")
COMMANDS_SHOWN = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S)
    for line in block.splitlines()
]
FILES = {
    name: text
    for name, text in re.findall(
        r"`([\w/.]+\.(?:yaml|jsonl?))`[^`\n]*:\n\n```(?:yaml|json)\n(.*?)^```", PAGE, re.M | re.S
    )
}


def of(start: str) -> list[list[str]]:
    """The arguments of all commands that start so."""
    return [shlex.split(c.removeprefix(start)) for c in COMMANDS_SHOWN if c.startswith(start)]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the recipes, and every file that the page shows."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    models = config_path("photo_latent").read_text() + "\n" + shown("region:")
    (tmp_path / "my_models.yaml").write_text(models)
    return tmp_path


def shown(start: str) -> str:
    """The block of YAML that starts so."""
    return next(b for b in re.findall(r"```yaml\n(.*?)```", PAGE, re.S) if b.startswith(start))


def test_nothing_but_known_programs_is_shown() -> None:
    known = ("python infer.py ", "python train.py ", "python -m ", "pip install ", "git clone ")
    assert len(COMMANDS_SHOWN) > 15
    assert [c for c in COMMANDS_SHOWN if not c.startswith(known)] == []
    used = re.findall(r"(?:--config |`)(configs/[\w/.]+)", PAGE)
    assert used and all((ROOT / path).is_file() for path in used)


def test_every_infer_command_parses(place: Path) -> None:
    found = of("python infer.py ")
    assert found
    for words in found:
        if words[0] == "fetch":
            values = fetch.fetch_parser().parse_args(words[1:])
            entries = described_entries(values.models)
            assert values.only is None or set(values.only.split(",")) <= set(entries)
        elif words[0] == "batch":
            values = option_values(batch.batch_parser(), words[1:])
            described_entries(values.models)
        else:
            assert words[0] not in COMMANDS
            settings = edit_settings(words)
            entries = described_entries(settings.models)
            assert settings.proposer not in ("clipseg", "grounded_sam") or (
                settings.proposer in entries
            )


def test_every_module_command_parses(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Parsed(Exception):
        pass

    parse = argparse.ArgumentParser.parse_args

    def parsed(self: argparse.ArgumentParser, args: Any = None, namespace: Any = None) -> None:
        parse(self, args, namespace)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parsed)
    found = of("python -m ")
    assert found
    for module, *words in found:
        with pytest.raises(Parsed):
            import_module(module).main(words)


def test_every_training_command_parses(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolved: list[Any] = []

    def parsed(cli: LightningCLI, subcommand: str) -> None:
        resolved.append(cli.config[subcommand])

    monkeypatch.setattr("sys.argv", ["train.py"])
    monkeypatch.setattr(LightningCLI, "instantiate_classes", lambda cli: None)
    monkeypatch.setattr(LightningCLI, "_run_subcommand", parsed)
    found = of("python train.py ")
    for words in found:
        train(words)
        data = resolved[-1].data.init_args
        assert data.batch_size == 16 and len(data.validation) >= 1
        own = [Path(w) for w in words if w.startswith("own_")]
        for part in ("train", "validation") if own else ():
            expected = yaml.safe_load(own[0].read_text())["data"]["init_args"][part][0]["source"]
            (only,) = data[part]
            assert only.source.class_path == expected["class_path"]
    assert len(found) == len(resolved) >= 6


def draw(folder: Path, *names: str) -> None:
    """Pictures of 64 x 64 pixels; as masks they select something."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (64, 64), 255).save(path)


@pytest.mark.parametrize(
    ("make", "phrases"),
    [
        (
            lambda mine: ImageFolder(str(mine / "train")),
            ["the blue mug", "all the cups", "every cup", "the dog"],
        ),
        (lambda mine: JsonLines(str(mine / "train.jsonl")), ["the blue mug", "the table"]),
        (
            lambda mine: CocoJson(f"{mine}/instances_train.json", images=f"{mine}/pictures"),
            ["the mug"],
        ),
    ],
)
def test_the_files_shown_are_read(
    place: Path, make: Callable[[Path], PhraseSource], phrases: list[str]
) -> None:
    mine = place / "data" / "mine"
    draw(mine, "pictures/kitchen.jpg", "masks/mug.png", "train/kitchen.jpg")
    draw(mine / "train", "kitchen_mug.png", "kitchen_cups.png")
    source = make(mine)
    assert len(source) == 1
    record = source.record(0)
    assert record.picture.image().size == (64, 64)
    assert [phrase.text for phrase in record.phrases] == phrases
    for phrase in record.phrases:
        assert phrase.mask is not None
        assert phrase.mask.draw((64, 64)).any() == (phrase.text != "the dog")


def test_the_manifest_shown_is_read(place: Path) -> None:
    words = next(words for words in of("python infer.py ") if words[0] == "batch")
    values = option_values(batch.batch_parser(), words[1:])
    values.device = "cpu"  # as `run` tells for the reports
    lines, failures = read_manifest("edits.jsonl", values)
    assert not failures and [line.id for line in lines] == ["taxi", "sofa", "sky"]


def test_the_entry_shown_fits_its_recipe(place: Path) -> None:
    kind, given = described_entries("my_models.yaml")["region"]
    assert kind is TrainedProposer
    recipe = yaml.safe_load((ROOT / "configs/region_photo.yaml").read_text())
    model = recipe["model"]["init_args"]
    features = model["features"]["init_args"]
    clip, dino = features["clip"]["init_args"], features["dino"]["init_args"]
    encoder = clip["encoder"]["init_args"]
    assert given["folder"] == model["output"]
    assert (given["clip"], given["pretrained"]) == (encoder["name"], encoder["pretrained"])
    assert [list(given["clip_layers"]), given["clip_side"]] == [clip["layers"], clip["side"]]
    assert [given["dino"], list(given["dino_layers"])] == [dino["name"], dino["layers"]]
    assert given["dino_side"] == dino["side"]


def test_the_sizes_told_are_those_that_fetch_tells() -> None:
    from lr_edit.backbones.sources import readable
    from lr_edit.fetching import needs

    for name in ("photo", "photo_latent", "photo_small"):
        entries = described_entries(name).values()
        sources = {source for entry in entries for source in needs(*entry)}
        total = readable(sum(source.size or 0 for source in sources))
        assert re.search(rf"^\| `{name}` \|.*\| {re.escape(total)} \|$", PAGE, re.M), (name, total)
