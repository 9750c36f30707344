"""What a folder of a trained region network reaches on test or validation; it trains nothing."""

import torch

from lr_edit.evaluation.region_asking import ask
from lr_edit.evaluation.region_phrases import always
from lr_edit.evaluation.region_rows import summary
from lr_edit.model_files import entry_arguments
from lr_edit.regions.learned import OtherBackbones
from lr_edit.regions.trained import TrainedProposer
from lr_edit.tabletop.region_cases import region_cases
from lr_edit.tabletop.splits import PARTS

FIGURES = ("miou", "target_acc", "no_target_acc", "ece")


def proposer_of(folder: str, device: str = "cpu") -> TrainedProposer:
    """The network of a folder on the frozen networks that the model set tabletop names."""
    arguments = entry_arguments("tabletop", "region") | {"folder": folder, "device": device}
    return TrainedProposer(**arguments)


def reads_what_is_shipped(folder: str) -> bool:
    """Whether a region network was trained on the frozen networks that are shipped now; it is of no
    use on others."""
    try:
        proposer_of(folder)
    except OtherBackbones:
        return False
    return True


def measure_region(
    folder: str, device: str = "cpu", split: str = "test", count: int = 60
) -> dict[str, float]:
    """Figures over `count` phrases of every part; `train.py test` asks more and compares.

    The network reads the frozen networks that the model set tabletop names for its own. Raises
    UserError where it was trained on others.
    """
    cases = [case for part in PARTS for case in region_cases(part, count, split=split)]
    proposer = always(proposer_of(folder, device))
    answers = ask({"trained": proposer}, cases, torch.device(device))["trained"]
    figures = summary(answers)
    return {name: figures[name] for name in FIGURES} | {"phrases": len(cases)}
