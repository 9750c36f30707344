"""What `train.py test` does for a region network: it is asked the same phrases as its rivals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lr_edit.errors import UserError
from lr_edit.evaluation.cases import sample_cases
from lr_edit.evaluation.region_benchmark import run_regions
from lr_edit.evaluation.region_phrases import REFERENCES, PhraseProposer, always
from lr_edit.models import ModelSet, load_models
from lr_edit.proposers import FROM_MODELS
from lr_edit.regions.learned import LearnedProposer
from lr_edit.tabletop.region_cases import region_cases
from lr_edit.tabletop.splits import PARTS

_NETWORK = "learned"  # what the network that is tested is called; no rival may be
_WAYS = {n: way for n, way in FROM_MODELS.items() if n not in (_NETWORK, *REFERENCES)}


@dataclass(frozen=True)
class Comparison:
    """A comparison of region proposers on the tabletop's test split.

    Raises UserError for unknown rivals and for negative counts.

    Attributes:
        phrases: how many of each part.
        parts: of the test split.
        edits: replace edits against whose exact differences the edit masks are measured.
        rivals: beside the network: those of `lr_edit.proposers`, and those in REFERENCES. The
            ones that learn on each picture (per_image, per_image_masks) take seconds a phrase:
            with them, ask for fewer `phrases`, `timed` and `examples`.
        models: the model set that rivals are made of.
        timed: pictures on which the time of all is taken; 0: none is.
        examples: phrases on the sheet of examples, which are asked once more; 0: no sheet.
        output: folder for regions.json, regions.md and the pictures.
        size: of the pictures, in pixels a side.
        folder: where rendered scenes are kept.
    """

    phrases: int = 400
    parts: tuple[str, ...] = PARTS
    edits: int = 400
    rivals: tuple[str, ...] = ("segformer_clip", "centre_box", "random_box", "whole", "true_mask")
    models: str = "tabletop"
    timed: int = 24
    examples: int = 12
    output: str = "runs/region/test"
    size: int = 128
    folder: str = ".cache/tabletop"

    def __post_init__(self) -> None:
        check_rivals(self.rivals)
        for name in ("timed", "examples"):
            if getattr(self, name) < 0:
                raise UserError(f"{name} is {getattr(self, name)}: give 0 (none) or more")


def compare(
    comparison: Comparison, learned: LearnedProposer, weights: str, device: str
) -> dict[str, Any]:
    """Runs it, the network first; what regions.json holds. Raises UserError as `rivals` does.

    weights: where the network's come from, which the header of the results tells. Rivals may learn
    on the pictures, which the inference mode of a test would not let them.
    """
    with torch.inference_mode(False), torch.no_grad():
        return _compare(comparison, learned, weights, device)


def _compare(
    comparison: Comparison, learned: LearnedProposer, weights: str, device: str
) -> dict[str, Any]:
    proposers = {_NETWORK: always(learned)}
    proposers |= rivals(comparison.rivals, comparison.models, device)  # before scenes are rendered
    cases = {
        part: region_cases(part, comparison.phrases, comparison.size, folder=comparison.folder)
        for part in comparison.parts
    }
    edits = sample_cases(comparison.edits, size=comparison.size) if comparison.edits else ()
    return run_regions(
        proposers,
        cases,
        comparison.output,
        shown=(_NETWORK, *(n for n in comparison.rivals if n not in REFERENCES)),
        edits=edits,
        timed=comparison.timed,
        examples=comparison.examples,
        header={"network": weights},
        device=device,
    )


def rivals(names: Sequence[str], models: str, device: str) -> dict[str, PhraseProposer]:
    """The proposers of these names; models are loaded where one needs them.

    Raises UserError for unknown names, and for what the set lacks, before anything is loaded.
    """
    check_rivals(names)
    found, made = dict(REFERENCES), [name for name in names if name in _WAYS]
    if made:
        loaded = load_models(models, device)
        for name in made:
            _check_entries(name, _WAYS[name].needs, loaded)
        found |= {name: always(_WAYS[name].make(loaded)) for name in made}
    return {name: found[name] for name in names}


def check_rivals(names: Sequence[str]) -> None:
    """Raises UserError for names of no rival."""
    known = (*_WAYS, *REFERENCES)
    for name in names:
        if name not in known:
            raise UserError(f"unknown rival {name!r}: give some of {', '.join(known)}")


def _check_entries(name: str, needs: Sequence[str], models: ModelSet) -> None:
    """UserError where the set has no entry for something that a rival needs."""
    missing = [part for part in needs if not models.has(part)]
    if missing:
        raise UserError(
            f"the rival {name!r} needs {', '.join(missing)}, which the model set {models.name!r} "
            "has not: leave it out, or give a set with --model.init_args.comparison.models"
        )
