"""python -m lr_edit.training.install NAME: measure a trained run and ship it where it is better.

The run's folder (runs/tabletop/NAME, or runs/NAME for a region network) holds weights/ and
Lightning's checkpoints; the shipped one is lr_edit/tabletop/weights/NAME, with a model card.
"""

import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from lr_edit.arguments import OneLineParser
from lr_edit.backbones.checks import read_card, write_card
from lr_edit.backbones.folders import ROOT, local_folder, replacing_folder
from lr_edit.errors import UserError
from lr_edit.evaluation.machine import commit
from lr_edit.training.card_facts import architecture, read_recipe, training_data, tutor
from lr_edit.training.measure_region import measure_region, reads_what_is_shipped
from lr_edit.training.measures import DECISIVE, MEASURES, describe_figures
from lr_edit.training.run_facts import all_legs, facts_together, run_facts
from lr_edit.training.soup import averaged_folders

WEIGHTS = ROOT / "lr_edit/tabletop/weights"


def recipe_of(name: str) -> Path:
    """The configuration that trains these weights."""
    own = ROOT / f"configs/tabletop/{name}.yaml"
    return own if own.is_file() else ROOT / f"configs/{name}.yaml"


def run_of(name: str) -> Path:
    """The folder where that configuration leaves its run."""
    recipe = recipe_of(name)
    return ROOT / "runs" / recipe.relative_to(ROOT / "configs").with_suffix("")


def draw_curve(history: list[tuple[int, float]], path: Path) -> None:
    """A picture of the loss by step."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([step for step, _ in history], [loss for _, loss in history], linewidth=1)
    axes.set(xlabel="step", ylabel="training loss", yscale="log")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=100)


def machine() -> str:
    """The kind of machine, in words."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"


def command_of(recipe: Path, start: str) -> str:
    """How a run of a recipe is begun; start: the weights that it goes on from, "" for none."""
    command = f"python train.py fit --config {recipe.relative_to(ROOT)}"
    return f"{command} --model.init_args.start {start}" if start else command


def install(
    name: str,
    runs: Sequence[Path],
    force: bool = False,
    machine_kind: str = "",
    kept: float = 0.0,
) -> bool:
    """Copy run/weights to the shipped weights with a card, if it measures better; say both.

    Of several runs from the same weights, the mean is taken, and these weights count in it for the
    share `kept`, see `lr_edit.training.soup`.

    Raises UserError when a run holds no weights or no checkpoint, or the weights to keep a share of
    are not there.
    """
    for run in runs:
        if not (run / "weights").is_dir():
            raise UserError(
                f"{run / 'weights'}: no such folder, expected trained weights; run train.py fit "
                "first"
            )
    facts = facts_together([run_facts(run) for run in runs])
    folders, shares = [run / "weights" for run in runs], [(1 - kept) / len(runs)] * len(runs)
    if kept:
        folders, shares = [*folders, start_of(facts)], [*shares, kept]
        facts["share_of_the_weights_before"] = kept
    with TemporaryDirectory() as folder:
        averaged_folders(folders, Path(folder), shares)
        return ship_if_better(name, Path(folder), facts, force, machine_kind)


def start_of(facts: Mapping[str, Any]) -> Path:
    """The folder of the weights that a run began with; UserError where there is none."""
    folder = local_folder(facts["start"]) if facts["start"] else None
    if folder is None:
        raise UserError(
            f"--keep needs the weights that the run began with, and it began with "
            f"{facts['start'] or 'random ones'!r}: leave --keep out, or put them back"
        )
    return folder


def ship_if_better(
    name: str, new: Path, facts: dict[str, Any], force: bool, machine_kind: str
) -> bool:
    """Ships a folder of weights where its decisive figure on validation is the better one.

    The test split is measured once it is decided, for the card.
    """
    shipped = WEIGHTS / name
    decisive, value = DECISIVE[name], validation_figure(name, new)
    before = shipped_figure(name)
    print(f"{name}, {decisive} on validation: trained {value}, shipped {before}")
    if before is not None and value <= before and not force:
        print(f"{name}: the shipped weights stay")
        return False
    figures = MEASURES[name](str(new.absolute()))
    print(f"{name}, test: {describe_figures(figures)}")
    facts |= {
        "figures": figures, "figures_on_validation": {decisive: value},
        "machine": machine_kind or machine(),
    }  # fmt: skip
    ship(name, new, facts)
    print(f"{name}: installed in {shipped.relative_to(ROOT)}")
    return True


def shipped_figure(name: str) -> float | None:
    """The decisive figure of what is shipped, on the validation split; None where nothing is, or
    only what reads frozen networks that are shipped no longer."""
    shipped = WEIGHTS / name
    if not shipped.is_dir():
        return None
    if MEASURES[name] is measure_region and not reads_what_is_shipped(str(shipped)):
        print(f"{name}: what is shipped was trained on other frozen networks than those here")
        return None
    return validation_figure(name, shipped)


def validation_figure(name: str, folder: Path) -> float:
    """The decisive figure of a folder of weights on the validation split: its card's, where that
    has one, else measured."""
    card = read_card(folder) or {}
    known = card.get("figures_on_validation", {}).get(DECISIVE[name])
    if known is not None:
        return float(known)
    return MEASURES[name](str(folder.absolute()), split="validation")[DECISIVE[name]]


def ship(name: str, new: Path, facts: dict[str, Any]) -> None:
    """Put a folder of weights in the place of the shipped ones, with card and curve, or not at all.

    facts: those of `run_facts`, the figures, and the machine.
    """
    path = recipe_of(name)
    recipe, command = read_recipe(path), command_of(path, facts.pop("start"))
    data = training_data(recipe)
    facts["legs"] = all_legs(facts, data)
    facts["tutor"] = tutor(recipe)
    history = facts.pop("history")
    known = {name: fact for name, fact in facts.items() if fact != "" and name != "seconds_before"}
    with replacing_folder(WEIGHTS / name) as place:
        shutil.copytree(new, place, dirs_exist_ok=True)
        draw_curve(history, place / "loss.png")
        write_card(
            place, name=f"tabletop {name}", architecture=architecture(place, recipe),
            data=data, **known, curve="loss.png",
            recipe=str(path.relative_to(ROOT)), command=command, installed_at_commit=commit(),
        )  # fmt: skip


def share(text: str) -> float:
    """A number from 0 up to but not 1; ValueError for others, which argparse tells of."""
    value = float(text)
    if not 0 <= value < 1:
        raise ValueError(f"{value} is no share")
    return value


def main() -> int:
    """The command line."""
    parser = OneLineParser(
        prog="python -m lr_edit.training.install",
        description="Measure trained weights and ship them if better.",
    )
    parser.add_argument("name", choices=sorted(MEASURES))
    parser.add_argument(
        "--run",
        type=Path,
        nargs="+",
        help="default: where the recipe leaves it; of several, the mean",
    )
    parser.add_argument(
        "--keep",
        type=share,
        default=0.0,
        help="share of the mean for the weights that the run began with, 0 to 1; default 0",
    )
    parser.add_argument("--force", action="store_true", help="ship them even if no better")
    parser.add_argument("--machine", default="", help="where they were trained, for the card")
    values = parser.parse_args()
    runs = values.run or [run_of(values.name)]
    try:
        install(values.name, runs, values.force, values.machine, values.keep)
    except UserError as error:
        print(f"install: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
