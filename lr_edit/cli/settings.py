"""What the options of an edit mean together: a checked request; no torch is loaded."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from inspect import signature
from typing import Any, cast

from jsonargparse import Namespace

from lr_edit.cli.options import DISTANCES, GROUPS, PROPOSERS, edit_parser, option_values
from lr_edit.editors.options import SamplingOptions, WindowOptions
from lr_edit.errors import UserError
from lr_edit.guidance.options import (
    AugmentOptions,
    Distance,
    GuidanceWeights,
    RankingOptions,
    ViewOptions,
)
from lr_edit.instruction import Instruction, check_words, parse

MOST_CANDIDATES = 256
_SEEDS = 2**32
_MOST_THREADS = 1024
UNNAMED = "the region"  # what is changed, where a mask or the whole picture says where


@dataclass(frozen=True)
class EditSettings:
    """A checked request. given: all options as plain values, as they are used, for the report."""

    image: str
    output: str
    instruction: Instruction
    mask: str | None
    proposer: str
    models: str
    seeds: tuple[int, ...]
    device: str
    threads: int | None
    overwrite: bool
    region_only: bool
    force: bool
    trace: bool
    distance: Distance
    sampling: SamplingOptions
    weights: GuidanceWeights
    window: WindowOptions
    views: ViewOptions
    augment: AugmentOptions
    ranking: RankingOptions
    given: dict[str, Any] = field(default_factory=dict)


def edit_settings(arguments: Sequence[str]) -> EditSettings:
    """The request that a command line makes; UserError for whatever cannot be meant."""
    return settings_of(option_values(edit_parser(), arguments))


def settings_of(values: Namespace) -> EditSettings:
    """The request that the values of all options make; UserError for whatever cannot be meant."""
    _check_groups(values)
    given = {k: v for k, v in values.as_dict().items() if k != "config"}
    groups: dict[str, Any] = {name: kind(**values[name].as_dict()) for name, kind in GROUPS.items()}
    if values.steps is not None:
        groups["sampling"] = replace(groups["sampling"], steps=values.steps)
    window = {"grow": values.grow, "margin": values.grow, "feather": values.feather}
    said = {name: value for name, value in window.items() if value is not None}
    groups["window"] = replace(groups["window"], **said)
    _check_region_only(values)
    proposer, distance = _proposer(values), _distance(values.distance)
    given |= {name: asdict(group) for name, group in groups.items()} | {"distance": distance}
    return EditSettings(
        image=values.image,
        output=values.output,
        instruction=_instruction(values, proposer),
        mask=values.mask,
        proposer=proposer,
        models=values.models,
        seeds=_seeds(values.seed, values.count),
        device=values.device,
        threads=_threads(values.threads),
        overwrite=values.overwrite,
        region_only=values.region_only,
        force=values.force,
        trace=_trace(values),
        distance=distance,
        given=given,
        **groups,
    )


def _check_groups(values: Namespace) -> None:
    """UserError for a null where an option, or a whole group of them, has a value."""
    for name, kind in GROUPS.items():
        if not isinstance(values[name], Namespace):
            raise UserError(f"{name} is {values[name]!r}: give a group of options")
        for option in fields(kind):
            if values[name][option.name] is None and option.default is not None:
                raise UserError(f"{name}.{option.name} is null: give a value, or leave it out")


def _instruction(values: Namespace, proposer: str) -> Instruction:
    """What to find and to paint, however it was said.

    With --with alone a learned proposer finds what that edit is about; a mask or the whole picture
    need no phrase to find.
    """
    find, paint = values.replace, values["with"]
    ways = [
        name
        for name, used in (
            ("--replace and --with", find is not None or paint is not None),
            ("--remove", values.remove is not None),
            ("--instruction", values.instruction is not None),
        )
        if used
    ]
    if len(ways) > 1:
        raise UserError(f"{ways[0]} and {ways[1]} were both given: say what to do in one way")
    if values.instruction is not None:
        return parse(values.instruction)
    if values.remove is not None:
        return Instruction(check_words(values.remove, "phrase of --remove"), "")
    if values.region_only and find is not None and paint is None:
        return Instruction(check_words(find, "phrase of --replace"), "")
    if paint is None or (find is None and PROPOSERS[proposer] == "phrase"):
        raise UserError(
            "nothing says what to change: give --replace and --with, or --remove, or --instruction"
        )
    paint = check_words(paint, "phrase of --with")
    if find is not None:
        return Instruction(check_words(find, "phrase of --replace"), paint)
    if PROPOSERS[proposer] == "prompt":
        return Instruction(paint, paint, "edit")
    return Instruction(UNNAMED, paint)


def _proposer(values: Namespace) -> str:
    """The proposer that was named, or the one that a mask implies."""
    chosen = values.proposer
    if chosen is None:
        chosen = "mask" if values.mask is not None else _own_proposer(values.models)
    if chosen not in PROPOSERS:
        raise UserError(f"--proposer is {chosen!r}: give one of {', '.join(PROPOSERS)}")
    if chosen == "mask" and values.mask is None:
        raise UserError("--proposer mask needs --mask FILE, a picture that is white where to edit")
    if chosen != "mask" and values.mask is not None:
        raise UserError(f"--mask was given, but --proposer {chosen} finds its own: leave one out")
    return chosen


def _own_proposer(models: str) -> str:
    """A set's own region network, where it has one."""
    from lr_edit.model_files import has_entry  # it loads torch

    return "learned" if has_entry(models, "region") else "segformer_clip"


def _distance(named: str | None) -> Distance:
    """The distance that was named, or the guided editor's own."""
    if named is None:
        from lr_edit.editors.guided import GuidedEditor  # it loads torch

        return cast(Distance, signature(GuidedEditor).parameters["distance"].default)
    if named not in DISTANCES:
        raise UserError(f"--distance is {named!r}: give {' or '.join(DISTANCES)}")
    return cast(Distance, named)


def _check_region_only(values: Namespace) -> None:
    """UserError where an option shapes what is painted, but nothing is."""
    said = [f"--{name}" for name in ("grow", "feather") if values[name] is not None]
    if values.region_only and said:
        raise UserError(
            f"{said[0]} shapes what is painted, at the model's size, but --region-only writes the "
            "region as it was found: leave one out"
        )


def _trace(values: Namespace) -> bool:
    """Whether a trace is wanted; UserError where nothing would be on it."""
    if not values.get("trace"):  # a batch has no such option
        return False
    if values.region_only:
        raise UserError("--trace shows painting, but --region-only paints nothing: leave one out")
    from lr_edit.model_files import has_entry  # it loads torch

    if has_entry(values.models, "inpainter"):
        raise UserError(
            f"--trace shows the steps of the guided editor, but the model set {values.models!r} "
            "paints with a pipeline that does not tell its own: leave --trace out"
        )
    return True


def _seeds(first: int | None, count: int | None) -> tuple[int, ...]:
    if first is None or count is None:
        raise UserError("--seed or --count is null: give a whole number, or leave it out")
    if not 1 <= count <= MOST_CANDIDATES:
        raise UserError(f"--count is {count}: give 1 to {MOST_CANDIDATES}")
    if not 0 <= first <= _SEEDS - count:
        raise UserError(f"--seed is {first}: give a whole number from 0 to {_SEEDS - count}")
    return tuple(range(first, first + count))


def _threads(threads: int | None) -> int | None:
    if threads is not None and not 1 <= threads <= _MOST_THREADS:
        raise UserError(f"--threads is {threads}: give 1 to {_MOST_THREADS}")
    return threads
