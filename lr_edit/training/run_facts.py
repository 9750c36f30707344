"""What a training run's checkpoint tells: steps, seconds, loss curve; it measures nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from lr_edit.backbones.checks import file_hashes, read_card
from lr_edit.backbones.folders import local_folder
from lr_edit.errors import UserError


def run_facts(run: Path) -> dict[str, Any]:
    """Steps, seconds and loss curve that the newest checkpoint of a run tells.

    steps, seconds: of all legs. steps_before_this_curve, seconds_before: of the weights that this
    run began with. start: where these lay, "" for random ones. legs: what their card says of how
    they came to be. Raises UserError where there is no checkpoint, and where `start` holds other
    weights than it did.
    """
    path = run / "checkpoints/last.ckpt"
    if not path.is_file():
        raise UserError(f"{path}: no such file, expected the run's checkpoint; train it again")
    checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    parameters = sum(v.numel() for k, v in checkpoint["state_dict"].items() if "network" in k)
    start = checkpoint.get("hyper_parameters", {}).get("start", "")
    then = checkpoint.get("start_weights")
    if then and start_weights(start) != then:
        raise UserError(
            f"{start!r} holds other weights than when the run {str(run)!r} began with it: put them "
            "back, for the card tells of them"
        )
    earlier = start_facts(start)
    return {
        "parameters": parameters,
        "steps": earlier["steps"] + checkpoint["global_step"],
        "seconds": earlier["seconds"] + checkpoint.get("seconds", 0.0),
        "steps_before_this_curve": earlier["steps"],
        "seconds_before": earlier["seconds"],
        "history": checkpoint["history"],
        "start": start,
        "legs": earlier["legs"],
    }


def start_weights(start: str) -> dict[str, str]:
    """SHA-256 of every file of weights in a folder that a run begins with; none for "" (random) and
    for what is no folder here."""
    folder = local_folder(start) if start else None
    hashes = file_hashes(folder) if folder else {}
    return {name: value for name, value in hashes.items() if name.endswith(".safetensors")}


def start_facts(start: str) -> dict[str, Any]:
    """Steps, seconds and legs in the card of the weights that a run began with; none of them for ""
    (random)."""
    folder = local_folder(start) if start else None
    card = (read_card(folder) if folder else None) or {}
    steps = card.get("steps", 0)
    told = f"{steps:,} steps on {card.get('data', 'data that no card tells')}" if steps else ""
    return {"steps": steps, "seconds": card.get("seconds", 0), "legs": card.get("legs", told)}


def all_legs(facts: Mapping[str, Any], data: str) -> str:
    """How the weights came to be, leg after leg, the last one on `data`; "" where it is the only
    one."""
    if not facts["legs"]:
        return ""
    last = f"{facts['steps'] - facts['steps_before_this_curve']:,} steps on {data}"
    kept = facts.get("share_of_the_weights_before", 0)
    mean = f", whose weights count for {1 - kept:.0%} and those before for {kept:.0%}"
    return f"{facts['legs']}; then {last}{mean if kept else ''}"


def facts_together(facts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """`run_facts` of several runs as those of their mean: steps and seconds of all; the first's
    curve. Raises UserError where they began from different weights."""
    if len({one["start"] for one in facts}) != 1:
        raise UserError("the runs began from different weights, so that no mean of them is one")
    before = facts[0]["steps_before_this_curve"]
    spent = facts[0]["seconds_before"]
    if len(facts) == 1:
        return facts[0]
    return facts[0] | {
        "steps": before + sum(one["steps"] - before for one in facts),
        "seconds": spent + sum(one["seconds"] - spent for one in facts),
        "runs_averaged": len(facts),
    }
