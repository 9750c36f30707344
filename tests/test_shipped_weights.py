"""The embedded models: whole, small, described, and working together."""

from pathlib import Path

import pytest

from lr_edit.backbones.checks import read_card, verify

WEIGHTS = Path(__file__).parents[1] / "lr_edit/tabletop/weights"
MODELS = ("clip", "segformer", "perceptual", "judge", "diffusion")


@pytest.mark.parametrize("name", MODELS)
def test_weights_are_what_their_card_says(name: str) -> None:
    verify(WEIGHTS / name)
    card = read_card(WEIGHTS / name)
    assert card is not None and card["files"]
    for fact in ("parameters", "steps", "seconds", "machine", "recipe", "command", "figures"):
        assert card[fact], fact
    assert (WEIGHTS / name / card["curve"]).is_file()


def test_all_weights_together_are_small() -> None:
    total = sum(path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file())
    assert total <= 48 * 2**20


def test_nothing_shipped_is_a_pickle() -> None:
    endings = {path.suffix for path in WEIGHTS.rglob("*") if path.is_file()}
    assert endings <= {".safetensors", ".json", ".png", ".md"}
