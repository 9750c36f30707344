"""--grow and --feather: they shape what is painted, and --region-only refuses them."""

import json
from pathlib import Path

import numpy as np
import pytest
from editor_fakes import picture
from infer_calls import quick_edit, white
from PIL import Image
from tiny_models import tiny_models

from lr_edit.cli.main import main
from lr_edit.images import to_pil


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models(tmp_path_factory.mktemp("models"))


def edited(folder: Path, models: Path, **options: object) -> tuple[float, np.ndarray]:
    """How much of the picture was painted, each pixel by its weight, and which pixels were."""
    to_pil(picture(64, 64))[0].save(folder / "photo.png")
    white((64, 64), (20, 20, 44, 44)).save(folder / "mask.png")
    shared = {"models": models, "mask": folder / "mask.png", "count": 1, "overwrite": True}
    assert main(quick_edit(folder, **{**shared, **options})) == 0
    report = json.loads((folder / "out" / "report.json").read_text())
    before, after = (
        np.asarray(Image.open(path).convert("RGB")).astype(int)
        for path in (folder / "photo.png", folder / "out" / "edit.png")
    )
    return report["figures"]["painted_share"], (before != after).any(2)


def test_feathering_softens_the_rim_inside_the_region(models: Path, tmp_path: Path) -> None:
    (hard, painted), (soft, softly) = (
        edited(tmp_path, models, feather=feather, grow=0) for feather in (0, 4)
    )
    assert soft < 0.9 * hard
    outside = np.ones((64, 64), dtype=bool)
    outside[16:48, 16:48] = False  # a pixel of the model is several of the picture
    assert painted.any() and softly.any()
    assert not (painted & outside).any() and not (softly & outside).any()


def test_growing_paints_more(models: Path, tmp_path: Path) -> None:
    shares = [edited(tmp_path, models, feather=0, grow=grow)[0] for grow in (0, 2)]
    assert shares[0] < shares[1]


@pytest.mark.parametrize("option", ["grow", "feather"])
def test_a_region_alone_is_written_as_it_was_found(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    to_pil(picture(64, 64))[0].save(tmp_path / "photo.png")
    words = {"models": models, "region-only": True, "proposer": "learned", option: 3}
    assert main(quick_edit(tmp_path, **words)) == 2
    out, err = capsys.readouterr()
    assert out == "" and not (tmp_path / "out").exists()
    assert err == (
        f"infer.py: --{option} shapes what is painted, at the model's size, but --region-only "
        "writes the region as it was found: leave one out\n"
    )
