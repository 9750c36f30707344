"""The judge's network and folder."""

from pathlib import Path

import pytest
import torch

from lr_edit.backbones.judge import NOTHING, Judge, JudgeNetwork, save_judge
from lr_edit.errors import UserError

NOUNS, COLOURS = ("apple", "mug", NOTHING), ("red", "blue")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("weights") / "judge"
    save_judge(place, JudgeNetwork(NOUNS, COLOURS, widths=(8, 8), size=16))
    return place


def crops(side: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, side, side, generator=generator) * 2 - 1
    return images, torch.ones(2, 1, side, side)


@pytest.mark.parametrize("side", [8, 16, 40])
def test_crops_of_any_side_are_judged(folder: Path, side: int) -> None:
    judge = Judge(str(folder))
    assert (judge.nouns, judge.colours, judge.size) == (NOUNS, COLOURS, 16)
    nouns, colours = judge.judge(*crops(side))
    assert nouns.shape == (2, 3) and colours.shape == (2, 2) and not nouns.requires_grad


def test_the_region_and_not_its_neighbours_in_the_batch_matter(folder: Path) -> None:
    judge = Judge(str(folder))
    images, masks = crops()
    nouns, _ = judge.judge(images, masks)
    torch.testing.assert_close(judge.judge(images[:1], masks[:1])[0][0], nouns[0])
    assert not torch.allclose(judge.judge(images, 0 * masks)[0], nouns)


def test_damaged_folders_are_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-8])
    with pytest.raises(UserError, match="damaged weights"):
        Judge(str(tmp_path))
    (tmp_path / "config.json").write_text('{"nouns": []}')
    with pytest.raises(UserError, match="damaged weights"):
        Judge(str(tmp_path))
