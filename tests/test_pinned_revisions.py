"""Whatever comes from the hub comes at a revision that is named; every class can be told one."""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import weights
import yaml
from fetch_fakes import COMMIT

from lr_edit.backbones.diffusion import UNetDiffusion
from lr_edit.backbones.either import Either
from lr_edit.backbones.hub_files import HubFiles
from lr_edit.fetching import NEEDS, needs
from lr_edit.model_files import described_entries, model_sets
from lr_edit.regions.trained import TrainedProposer

ROOT = Path(__file__).parents[1]
RECIPES = sorted(path.name for path in (ROOT / "configs").glob("region_photo*.yaml"))
PAGE = (ROOT / "docs" / "photographs.md").read_text(encoding="utf-8")


def hub_files(kind: type, arguments: dict[str, Any]) -> Iterator[HubFiles]:
    """What of the hub a class needs that is loaded with these init_args."""
    parameters = inspect.signature(kind).parameters.values()
    given = {p.name: p.default for p in parameters} | arguments
    for source in needs(kind, given):
        yield from source.choices if isinstance(source, Either) else ()
        if isinstance(source, HubFiles):
            yield source


def loaded(node: Any) -> Iterator[tuple[type, dict[str, Any]]]:
    """Every class in a YAML file that fetches weights, with its init_args."""
    below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for part in below:
        yield from loaded(part)
    if isinstance(node, dict) and str(node.get("class_path", "")).startswith("lr_edit."):
        module, _, name = node["class_path"].rpartition(".")
        kind = getattr(import_module(module), name)
        if kind in NEEDS:
            yield kind, node.get("init_args", {})


def is_pinned(files: HubFiles) -> bool:
    return re.fullmatch(r"[0-9a-f]{40}", files.revision) is not None


def test_there_are_recipes_for_photographs() -> None:
    assert len(RECIPES) >= 2


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_pin_their_weights(name: str) -> None:
    found = list(loaded(yaml.safe_load((ROOT / "configs" / name).read_text())))
    files = [one for kind, arguments in found for one in hub_files(kind, arguments)]
    assert len(files) >= 2 and all(map(is_pinned, files)), files


@pytest.mark.parametrize("name", model_sets())
def test_model_sets_pin_their_weights(name: str) -> None:
    entries = described_entries(name).values()
    files = [one for kind, arguments in entries for one in hub_files(kind, arguments)]
    assert all(map(is_pinned, files)), files
    assert bool(files) == (name != "tabletop")


def test_the_entry_for_learned_regions_pins_what_the_recipe_does() -> None:
    block = next(b for b in re.findall(r"```yaml\n(.*?)```", PAGE, re.S) if b.startswith("region:"))
    ((kind, arguments),) = loaded(yaml.safe_load(block))
    assert kind is TrainedProposer
    shown = {(f.repo, f.revision) for f in hub_files(kind, arguments)}
    recipe = yaml.safe_load((ROOT / "configs" / "region_photo.yaml").read_text())
    used = {(f.repo, f.revision) for k, given in loaded(recipe) for f in hub_files(k, given)}
    assert shown == used and len(shown) == 2


def test_a_learned_region_can_be_told_every_revision() -> None:
    names = {"folder": "me/region", "clip": "hf-hub:me/clip", "dino": "me/dino"}
    newest = list(hub_files(TrainedProposer, names))
    assert {f.revision for f in newest} == {"main"}
    revisions = {"revision": "a", "clip_revision": "b", "dino_revision": "c"}
    told = {f.repo: f.revision for f in hub_files(TrainedProposer, {**names, **revisions})}
    assert told == {"me/region": "a", "me/clip": "b", "me/dino": "c"}
    (unet,) = hub_files(UNetDiffusion, {"folder": "me/unet", "revision": "d"})
    assert unet.revision == "d"


def test_those_revisions_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = {"me/clip": weights.clip(tmp_path / "clip"), "me/dino": weights.dino(tmp_path / "d")}
    folders["me/region"] = weights.region(tmp_path / "region", folders["me/clip"])
    folders["me/unet"] = weights.unconditional(tmp_path / "unet")
    asked: dict[str, str] = {}

    def fetch(files: HubFiles) -> Path:
        asked[files.repo] = files.revision
        return folders[files.repo]

    monkeypatch.setattr(HubFiles, "fetch", fetch)
    UNetDiffusion("me/unet", revision=COMMIT)
    TrainedProposer("me/region", "hf-hub:me/clip", revision="a", clip_revision="b")
    assert asked == {"me/unet": COMMIT, "me/region": "a", "me/clip": "b"}
    from lr_edit.errors import UserError

    with pytest.raises(UserError, match="trained on"):  # it comes to the DINO, which is not its own
        TrainedProposer("me/region", "hf-hub:me/clip", dino="me/dino", dino_revision="c")
    assert asked["me/dino"] == "c"
