"""train.py test: the region network beside its rivals, on the same phrases, in files."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import region_fakes
import torch
import yaml
from tiny_models import tiny_models

from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.backbones.open_clip_dense import OpenClipDense
from lr_edit.errors import UserError
from lr_edit.regions.learned import LearnedProposer
from lr_edit.regions.network import RegionNetwork
from lr_edit.regions.per_image import PerImageOptions
from lr_edit.training.cli import run
from lr_edit.training.comparison import Comparison, compare, rivals

CONFIG = Path(__file__).parents[1] / "configs/region.yaml"
ON_THE_PICTURE = ("per_image", "per_image_masks", "learnable_regions_as_released")


def test_test_compares_the_shipped_network_with_its_rivals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["train.py"])
    monkeypatch.chdir(tmp_path)
    shape: dict[str, Any] = {"width": 16, "heads": 2, "mixers": 1, "side": 64}
    encoder = OpenClipEncoder("local-dir:lr_edit/tabletop/weights/clip")
    dense = OpenClipDense(encoder, (2, 4, 6), 128, 64)
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
            f"--model.init_args.comparison.models={tiny_models(tmp_path / 'tiny', context=77)}",
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


def test_rivals_may_learn_on_the_pictures_of_a_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning tests without gradients; those that learn on each picture need theirs."""
    monkeypatch.chdir(tmp_path)
    few = partial(PerImageOptions, anchors=2, iterations=1)
    monkeypatch.setattr("lr_edit.proposers.PerImageOptions", few)
    comparison = Comparison(
        phrases=1, parts=("attribute",), edits=1, rivals=(*ON_THE_PICTURE, "whole"),
        models=str(tiny_models(tmp_path / "tiny", context=77)), output="compared", size=32,
        timed=0, examples=0,
    )  # fmt: skip
    learned = LearnedProposer(region_fakes.network(), region_fakes.features(), 0.0)
    with torch.inference_mode():
        rows = compare(comparison, learned, "tiny", "cpu")["rows"]
    assert {row["proposer"] for row in rows} == {"learned", *ON_THE_PICTURE, "whole"}
    assert all(row["n"] == 1 and 0 <= row["miou"] <= 1 for row in rows)
    assert all(row["ms_first_phrase"] is None for row in rows)
    assert not (tmp_path / "compared/examples.png").exists()


@pytest.mark.parametrize("name", ON_THE_PICTURE)
def test_rivals_that_need_dino_say_so_before_anything_is_loaded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = yaml.safe_load((CONFIG.parent / "models/tabletop.yaml").read_text(encoding="utf-8"))
    entries.pop("dino")
    models = tmp_path / "bare.yaml"
    models.write_text(yaml.safe_dump(entries), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lr_edit.models._made", lambda *_: pytest.fail("something was loaded"))
    lacking = rf"^the rival '{name}' needs dino, which the model set '.*bare\.yaml' has not"
    comparison = Comparison(rivals=("segformer_clip", name), models=str(models))
    with pytest.raises(UserError, match=f"{lacking}: leave it out") as told:
        compare(comparison, None, "tiny", "cpu")  # type: ignore[arg-type]
    assert "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == [models]  # nor was any scene rendered


def test_unknown_rivals_are_told() -> None:
    with pytest.raises(UserError, match=r"unknown rival 'clip'.*per_image, .*whole"):
        rivals(("clip",), "no such set", "cpu")
    with pytest.raises(UserError, match=r"unknown rival 'clip'"):
        Comparison(rivals=("clip",))


@pytest.mark.parametrize("name", ["timed", "examples"])
def test_negative_counts_are_refused(name: str) -> None:
    with pytest.raises(UserError, match=rf"^{name} is -1: give 0 \(none\) or more"):
        Comparison(**{name: -1})  # type: ignore[arg-type]
