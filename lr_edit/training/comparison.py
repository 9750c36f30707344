"""What `train.py test` does for a region network: it is asked the same phrases as its rivals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lr_edit.evaluation.cases import sample_cases
from lr_edit.evaluation.region_benchmark import run_regions
from lr_edit.evaluation.region_phrases import REFERENCES, PhraseProposer, always
from lr_edit.models import load_models
from lr_edit.regions.learned import LearnedProposer
from lr_edit.regions.segformer_clip import SegformerClipProposer
from lr_edit.tabletop.region_cases import region_cases
from lr_edit.tabletop.splits import PARTS


@dataclass(frozen=True)
class Comparison:
    """A comparison of region proposers on the tabletop's test split.

    Attributes:
        phrases: how many of each part.
        parts: of the test split.
        edits: replace edits against whose exact differences the edit masks are measured.
        rivals: beside the network: segformer_clip and those in REFERENCES.
        models: the model set of segformer_clip.
        output: folder for regions.json, regions.md and the pictures.
        size: of the pictures, in pixels a side.
        folder: where rendered scenes are kept.
    """

    phrases: int = 400
    parts: tuple[str, ...] = PARTS
    edits: int = 200
    rivals: tuple[str, ...] = ("segformer_clip", "centre_box", "random_box", "true_mask")
    models: str = "tabletop"
    output: str = "runs/region/test"
    size: int = 128
    folder: str = ".cache/tabletop"


def compare(comparison: Comparison, learned: LearnedProposer, device: str) -> dict[str, Any]:
    """Runs it, the network first; what regions.json holds."""
    cases = {
        part: region_cases(part, comparison.phrases, comparison.size, folder=comparison.folder)
        for part in comparison.parts
    }
    edits = sample_cases(comparison.edits, size=comparison.size) if comparison.edits else ()
    return run_regions(
        {"learned": always(learned), **rivals(comparison.rivals, comparison.models, device)},
        cases,
        comparison.output,
        shown=("learned", *(n for n in comparison.rivals if n == "segformer_clip")),
        edits=edits,
        device=device,
    )


def rivals(names: Sequence[str], models: str, device: str) -> dict[str, PhraseProposer]:
    """The proposers of these names."""
    found = dict(REFERENCES)
    if "segformer_clip" in names:
        loaded = load_models(models, device)
        found["segformer_clip"] = always(SegformerClipProposer(loaded.segmenter, loaded.clip))
    return {name: found[name] for name in names}
