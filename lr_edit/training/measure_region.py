"""What a folder of a trained region network reaches on test or validation; it trains nothing."""

import torch

from lr_edit.evaluation.region_asking import ask
from lr_edit.evaluation.region_phrases import always
from lr_edit.evaluation.region_rows import summary
from lr_edit.model_files import entry_arguments
from lr_edit.regions.trained import TrainedProposer
from lr_edit.tabletop.region_cases import region_cases
from lr_edit.tabletop.splits import PARTS

FIGURES = ("miou", "target_acc", "no_target_acc", "ece")


def measure_region(
    folder: str, device: str = "cpu", split: str = "test", count: int = 60
) -> dict[str, float]:
    """Figures over `count` phrases of every part; `train.py test` asks more and compares.

    The network reads the frozen networks that the model set tabletop names for its own. Raises
    UserError where it was trained on others.
    """
    arguments = entry_arguments("tabletop", "region") | {"folder": folder, "device": device}
    cases = [case for part in PARTS for case in region_cases(part, count, split=split)]
    proposer = always(TrainedProposer(**arguments))
    answers = ask({"trained": proposer}, cases, torch.device(device))["trained"]
    figures = summary(answers)
    return {name: figures[name] for name in FIGURES} | {"phrases": len(cases)}
