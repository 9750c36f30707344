"""train.py test: the region network beside its rivals, on the same phrases, in files."""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_models

from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.backbones.open_clip_dense import OpenClipDense
from lr_edit.regions.network import RegionNetwork
from lr_edit.training.cli import run
from lr_edit.training.comparison import Comparison, rivals

CONFIG = Path(__file__).parents[1] / "configs/region.yaml"


def test_test_compares_the_shipped_network_with_its_rivals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["train.py"])
    monkeypatch.chdir(tmp_path)
    shape: dict[str, Any] = {"width": 16, "heads": 2, "mixers": 1, "side": 64}
    encoder = OpenClipEncoder("local-dir:lr_edit/tabletop/weights/clip")
    dense = OpenClipDense(encoder, (2, 4, 6), 128, 32)
    RegionNetwork(dense.channels, dense.token_channels, (dense.identity,), **shape).save_pretrained(
        tmp_path / "shipped"
    )
    run(
        [
            "test", "--config", str(CONFIG), "--trainer.accelerator=cpu",
            "--trainer.precision=32-true", "--trainer.enable_progress_bar=false",
            "--data.init_args.size=64", "--data.init_args.test_scenes=2",
            "--data.init_args.test_samples=2", "--data.init_args.pairs=0",
            f"--model.init_args.network={shape}",
            f"--model.init_args.shipped={tmp_path / 'shipped'}",
            "--model.init_args.comparison.phrases=2", "--model.init_args.comparison.edits=1",
            "--model.init_args.comparison.parts=[attribute, absent]",
            "--model.init_args.comparison.size=64",
            f"--model.init_args.comparison.models={tiny_models(tmp_path / 'tiny')}",
            "--model.init_args.comparison.output=compared",
        ]
    )  # fmt: skip
    rows = json.loads((tmp_path / "compared/regions.json").read_text())["rows"]
    names = {row["proposer"] for row in rows}
    assert names == {"learned", *Comparison().rivals}
    assert {row["split"] for row in rows} == {"attribute", "absent", "all"}
    truth = next(r for r in rows if (r["proposer"], r["split"]) == ("true_mask", "all"))
    assert truth["miou"] == 1 and truth["n"] == 4
    first = next(r for r in rows if (r["proposer"], r["split"]) == ("learned", "all"))
    assert first["change_miou"] is not None and first["ms_first_phrase"] > 0
    assert (tmp_path / "compared/examples.png").is_file()


def test_rivals_that_need_no_models_load_none() -> None:
    assert set(rivals(("random_box", "true_mask"), "no such set", "cpu")) == {
        "random_box", "true_mask",
    }  # fmt: skip
