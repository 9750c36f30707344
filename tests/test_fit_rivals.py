"""`train.py test` of the photographs' recipe: published networks as rivals, in files and shown."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import weights
from data_fakes import image_folder
from test_data_module import part, tiny
from tiny_rivals import tiny_rivals

import train
from lr_edit.backbones.dino import DinoEncoder
from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.backbones.open_clip_dense import OpenClipDense
from lr_edit.regions.features import FrozenFeatures
from lr_edit.regions.network import RegionNetwork

RIVALS = ("clipseg", "grounded_sam", "true_mask")


def shipped(folder: Path, models: Path) -> Path:
    """A region network on the tiny features of `tiny`."""
    dense = OpenClipDense(OpenClipEncoder(f"local-dir:{models / 'clip'}"), (1,), side=32)
    features = FrozenFeatures(dense, DinoEncoder(str(models / "dino"), (3,), 32))
    torch.manual_seed(0)
    shape: dict[str, Any] = {"width": 16, "heads": 2, "mixers": 1, "side": 32}
    RegionNetwork(
        features.channels, dense.token_channels, features.identities, **shape
    ).save_pretrained(folder)
    return folder


def test_published_networks_stand_in_the_table_beside_the_learned_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tiny_rivals.CONTEXT", 77)  # the tabletop's phrases, in few letters each
    weights.clip(tmp_path / "clip", context=77)
    weights.dino(tmp_path / "dino")
    (tmp_path / "rivals.yaml").write_text(tiny_rivals(tmp_path / "rivals"))
    pictures = part("folder.ImageFolder", folder=str(image_folder(tmp_path / "pictures", 2)))
    path = tiny("region_photo", tmp_path, tmp_path, pictures, pictures)
    monkeypatch.chdir(tmp_path)
    comparison = {
        "rivals": f"[{', '.join(RIVALS)}]", "models": tmp_path / "rivals.yaml", "phrases": 2,
        "parts": "[attribute, absent]", "edits": 1, "size": 64, "output": "compared",
    }  # fmt: skip
    options = [f"--model.init_args.comparison.{name}={v}" for name, v in comparison.items()]
    network = f"--model.init_args.shipped={shipped(tmp_path / 'shipped', tmp_path)}"
    few = "--data.init_args.test_samples=2"
    words = ["train.py", "test", "--config", str(path), few, network, *options]
    monkeypatch.setattr("sys.argv", words)
    assert train.main() == 0
    rows = json.loads(Path("compared/regions.json").read_text())["rows"]
    splits = ("attribute", "absent", "all")
    expected = {(name, split) for name in ("learned", *RIVALS) for split in splits}
    assert {(row["proposer"], row["split"]) for row in rows} == expected
    whole = {row["proposer"]: row for row in rows if row["split"] == "all"}
    page, shown = Path("compared/regions.md").read_text(), capsys.readouterr().out
    for name in RIVALS[:2]:
        assert whole[name]["n"] == 4 and 0 <= whole[name]["miou"] < 1
        assert whole[name]["ms_first_phrase"] > 0
        assert any(line.split("|")[1].strip() == name for line in table_lines(page)), page
        assert any(line.split()[:1] == [name] for line in shown.splitlines()), shown
    assert whole["true_mask"]["miou"] == 1


def table_lines(page: str) -> list[str]:
    """The rows of the tables of a page in Markdown."""
    return [line for line in page.splitlines() if line.startswith("|")]
