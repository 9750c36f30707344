"""What a benchmark is told, as frozen, checked records; nothing here runs anything.

benchmark:
  edits: 200
  proposers: [true_mask, segformer_clip]
  editors:
    default: {count: 4}
    unguided: {weights: {clip: 0, lpips: 0, l2: 0}, proposers: [true_mask]}
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lr_edit.editors.options import SamplingOptions, WindowOptions
from lr_edit.errors import UserError
from lr_edit.evaluation.case_edits import SPLITS, check_splits
from lr_edit.evaluation.proposers import check_proposers
from lr_edit.explain import check_names, explained
from lr_edit.guidance.options import (
    AugmentOptions,
    Distance,
    GuidanceWeights,
    RankingOptions,
    ViewOptions,
)

_MAY_BE_NULL = ("timesteps", "bf16")


@dataclass(frozen=True)
class EditorVariant:
    """One way of editing: a row of the table for every proposer.

    Attributes:
        count: candidates of every edit, of which the best-ranked is the result.
        sampling: how they are sampled.
        weights: of the guidance terms.
        window: the square that is edited.
        views: what CLIP is shown.
        augment: its augmented views.
        distance: of the CLIP loss.
        ranking: how the candidates are put in order.
        proposers: only these; none: all of the benchmark's.
    """

    count: int = 4
    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    weights: GuidanceWeights = field(default_factory=GuidanceWeights)
    window: WindowOptions = field(default_factory=WindowOptions)
    views: ViewOptions = field(default_factory=ViewOptions)
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    distance: Distance = "spherical"
    ranking: RankingOptions = field(default_factory=RankingOptions)
    proposers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_proposers(self.proposers)
        _at_least("count", self.count, 1)


@dataclass(frozen=True)
class BenchmarkConfig:
    """Which edits are made, by what, and who judges them.

    Attributes:
        edits: how many test edits, the splits taking turns.
        splits: parts of the test split, or "plain", the test split at large.
        proposers: where the regions come from; see `lr_edit.evaluation.proposers`.
        editors: the ways of editing, by name.
        size: side of the pictures in pixels.
        seed: of the candidates; edit k has seeds of its own, the same for every row.
        models: a model set.
        judge: the folder of the judge.
        device: cpu, auto, or a device of torch.
        examples: edits on each sheet.
    """

    edits: int = 200
    splits: tuple[str, ...] = SPLITS
    proposers: tuple[str, ...] = ("true_mask", "true_edit_mask", "segformer_clip", "whole")
    editors: dict[str, EditorVariant] = field(default_factory=lambda: {"default": EditorVariant()})
    size: int = 128
    seed: int = 0
    models: str = "tabletop"
    judge: str = "lr_edit/tabletop/weights/judge"
    device: str = "cpu"
    examples: int = 24

    def __post_init__(self) -> None:
        check_splits(self.splits)
        check_proposers(self.proposers)
        _at_least("edits", self.edits, 1)
        _at_least("size", self.size, 32)
        _at_least("examples", self.examples, 1)
        _at_least("seed", self.seed, 0)
        if not self.editors or not self.proposers:
            raise UserError("the benchmark has no editors or no proposers: name at least one each")

    def pairs(self) -> list[tuple[str, str]]:
        """(editor, proposer) of every row, in order."""
        return [
            (name, proposer)
            for name, variant in self.editors.items()
            for proposer in variant.proposers or self.proposers
        ]

    def seeds(self, number: int, count: int) -> tuple[int, ...]:
        """The seeds of the candidates of edit `number`."""
        first = (self.seed * 100_003 + number) * 1000
        return tuple((first + k) % 2**32 for k in range(count))


def read_config(path: str | Path) -> BenchmarkConfig:
    """The benchmark of a YAML file that holds fields of BenchmarkConfig.

    Raises UserError when the file is missing or says something that is not understood.
    """
    import yaml
    from jsonargparse import ArgumentError, ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(BenchmarkConfig, "benchmark")
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise TypeError(f"expected names and values, such as edits: 24, got {values!r}")
        check_names({str(name): v for name, v in values.items()}, BenchmarkConfig, repr(str(path)))
        _check_filled(values, str(path))
        return parser.instantiate(parser.parse_object({"benchmark": values})).benchmark
    except (ArgumentError, TypeError, OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = explained(str(error)).replace("benchmark.", "")
        raise UserError(f"{str(path)!r} is no benchmark ({reason}): see configs/") from error


def _check_filled(values: dict[str, Any], where: str) -> None:
    """UserError for a name without a value, however deep."""
    for name, value in values.items():
        if value is None and name not in _MAY_BE_NULL:
            raise UserError(f"{name} of {where} has no value: give one, or leave it out")
        if isinstance(value, dict):
            _check_filled(value, f"{name} of {where}")


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise UserError(f"{name} is {value}; give {least} or more")
