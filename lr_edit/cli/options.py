"""The options of an edit as a person gives them; no torch is loaded, so --help is quick."""

import json
from collections.abc import Sequence
from typing import get_args

from jsonargparse import ArgumentParser, Namespace

from lr_edit.cli.parsing import new_parser, parsed
from lr_edit.editors.options import SamplingOptions, WindowOptions
from lr_edit.errors import UserError
from lr_edit.guidance.options import (
    AugmentOptions,
    Distance,
    GuidanceWeights,
    RankingOptions,
    ViewOptions,
)

PROPOSERS = {
    "learned": "prompt", "segformer_clip": "phrase", "clipseg": "phrase", "grounded_sam": "phrase",
    "per_image": "prompt", "per_image_masks": "prompt", "mask": "nothing", "whole": "nothing",
}  # fmt: skip
"""What finds the region, and the least it must be told: a phrase for what is there (--replace), or
the prompt alone (--with), or nothing."""
GROUPS: dict[str, type] = {
    "sampling": SamplingOptions, "weights": GuidanceWeights, "window": WindowOptions,
    "views": ViewOptions, "augment": AugmentOptions, "ranking": RankingOptions,
}  # fmt: skip
DISTANCES: tuple[str, ...] = get_args(Distance)
_ABOUT = (
    "Find a thing in a picture, repaint it, and leave every other pixel as it is. "
    'Example: python infer.py --image photo.png --replace "the red apple" --with "an orange" '
    "--output out. For many edits at once: python infer.py batch --help. To measure edits instead: "
    "python infer.py evaluate --help. Weights for photographs: python infer.py fetch --help."
)
_PROPOSER = (
    f"what finds the region: {', '.join(PROPOSERS)}; if not given, learned where the model set "
    "has a region network, else segformer_clip"
)
_NEVER_NULL = ("models", "device", "trainer")  # as a file of options may say
_USAGE = "infer.py --image FILE --replace PHRASE --with PHRASE --output DIR [options]"


def edit_parser() -> ArgumentParser:
    """The parser of `infer.py`."""
    parser = new_parser("", _ABOUT, _USAGE)
    add = parser.add_argument
    add("--config", action="config", help="YAML file with any of these options")
    add("--image", type=str, required=True, help="the picture to edit")
    add(
        "--output",
        type=str,
        required=True,
        metavar="DIR",
        help="folder for the results, new or empty",
    )
    add("--overwrite", action="store_true", help="replace results that are in the folder already")
    add("--trace", action="store_true", help="also show the edit step by step, in trace.png")
    add(
        "--device", type=str, default="auto", help="auto (a GPU if there is one), cpu, cuda, cuda:1"
    )
    add_edit_options(parser)
    return parser


def add_edit_options(parser: ArgumentParser) -> None:
    """What one edit can be told; nested groups are filled from the option classes' signatures."""
    add = parser.add_argument
    add("--replace", type=str, metavar="PHRASE", help="what to change: 'the red apple'")
    add("--with", type=str, metavar="PHRASE", help="what it becomes: 'an orange'")
    add("--remove", type=str, metavar="PHRASE", help="what to take away, in place of these two")
    add("--instruction", type=str, metavar="TEXT", help="both in one: 'turn the sofa red'")
    add(
        "--mask",
        type=str,
        metavar="FILE",
        help="a picture, white = edit; with --replace and without --grow, the thing's shadow too",
    )
    add("--proposer", type=str, help=_PROPOSER)
    add("--region-only", action="store_true", help="write the region and stop; no --with is needed")
    add("--force", action="store_true", help="if nothing fits the phrase, edit what comes nearest")
    add("--grow", type=int, help="short for --window.grow and --window.margin: widen the region")
    add("--feather", type=int, help="short for --window.feather: soften its rim")
    add("--models", type=str, default="tabletop", help="tabletop, photo, …, or a .yaml file")
    add("--count", type=int, default=4, help="candidates, of which the best is taken")
    add("--steps", type=int, help="short for --sampling.steps")
    add("--seed", type=int, default=0, help="of the first candidate; the others count on from it")
    add("--distance", type=str, help="how CLIP's loss measures: spherical (if not given) or cosine")
    add("--threads", type=int, help="CPU threads; as many as torch likes if not given")
    for name, kind in GROUPS.items():
        parser.add_class_arguments(kind, name)


def option_values(parser: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """All options of a command line, those not given as the model set suggests.

    UserError for an option that is unknown, missing or of a wrong type, or an unknown set.
    """
    values = parsed(parser, arguments)
    for name in _NEVER_NULL:
        if name in values and values[name] is None:
            raise UserError(f"--{name} is null: give a value, or leave it out")
    return parsed(parser, [*_suggested(values.models), *arguments])


def _suggested(models: str) -> list[str]:
    """The options that a model set suggests, as words before those that were given."""
    from lr_edit.model_files import suggested_options  # it loads torch

    return [
        f"--{group}.{name}={value if isinstance(value, str) else json.dumps(value)}"
        for group, values in suggested_options(models).items()
        for name, value in values.items()
    ]
