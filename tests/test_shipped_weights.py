"""The embedded models: whole, small, described, and working together."""

from pathlib import Path

import pytest

from lr_edit.backbones.checks import read_card, render_card, verify
from lr_edit.training.card_facts import architecture, read_recipe
from lr_edit.training.install import recipe_of

WEIGHTS = Path(__file__).parents[1] / "lr_edit/tabletop/weights"
MODELS = (
    "clip", "dino", "segformer", "perceptual", "judge", "diffusion", "region", "region_captions",
)  # fmt: skip
FACTS = (
    "architecture", "data", "parameters", "steps", "seconds", "machine", "recipe", "command",
    "figures",
)  # fmt: skip
# What the shipped weights reach at least on the test split.
BARS = {
    "clip": {"noun_among_24": 0.95, "phrase_among_16": 0.85}, "segformer": {"miou": 0.85},
    "dino": {"noun_by_neighbours": 0.3, "attention_to_things": 0.5},
    "perceptual": {"ordered": 0.90},
    "judge": {
        "right_true": 0.98, "rejected_negatives": 0.95, "right_warped": 0.95, "right_blended": 0.95,
        "right_shuffled": 0.95, "right_blurred": 0.95, "right_textured": 0.95,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_weights_are_what_their_card_says(name: str) -> None:
    verify(WEIGHTS / name)
    card = read_card(WEIGHTS / name)
    assert card is not None and card["files"]
    for fact in FACTS:
        assert card[fact], fact
    assert (WEIGHTS / name / card["curve"]).is_file()
    assert (WEIGHTS / name / "README.md").read_text(encoding="utf-8") == render_card(card)


@pytest.mark.parametrize("name", MODELS)
def test_cards_tell_the_architecture_that_is_shipped(name: str) -> None:
    card = read_card(WEIGHTS / name)
    assert card is not None
    recipe = read_recipe(recipe_of(name))
    assert card["architecture"] == architecture(WEIGHTS / name, recipe)


@pytest.mark.parametrize("name", BARS)
def test_shipped_figures_reach_their_bars(name: str) -> None:
    card = read_card(WEIGHTS / name)
    assert card is not None
    for figure, least in BARS[name].items():
        assert card["figures"][figure] >= least, figure


def test_all_weights_together_are_small() -> None:
    total = sum(path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file())
    assert total <= 48 * 2**20


def test_nothing_shipped_is_a_pickle() -> None:
    endings = {path.suffix for path in WEIGHTS.rglob("*") if path.is_file()}
    assert endings <= {".safetensors", ".json", ".png", ".md"}
