"""Published proposers: their files from a folder or the hub, and the checks that they share.

It knows none of them; only transformers' way of loading.
"""

from typing import Any

import torch

from lr_edit.backbones.base import freeze
from lr_edit.backbones.folders import loading, located
from lr_edit.backbones.pretrained import from_folder, quiet
from lr_edit.errors import UserError

PATTERNS = ("*.json", "*.txt", "*.safetensors")
"""What is fetched from the hub: configurations, vocabularies, and weights of this kind alone."""


def published(
    model: Any, processor: Any, name: str, revision: str | None, device: torch.device
) -> tuple[Any, Any]:
    """The frozen float32 model and the processor of transformers' classes `model`, `processor`.

    name: a folder, or owner/name on the hub; revision: a commit, branch or tag there, None for the
    newest. Raises UserError for missing or damaged weights.
    """
    folder = located(name, PATTERNS, revision)
    with loading(name, remedy="get all its files again, weights as safetensors"), quiet():
        prepares = processor.from_pretrained(str(folder), local_files_only=True)
        network = from_folder(model, folder, use_safetensors=True)
    return freeze(network.to(device)), prepares


def check_share(value: float, name: str) -> float:
    """The value; UserError unless it is from 0 to 1. name: what the error calls it."""
    if not 0 <= value <= 1:
        raise UserError(f"{name} is {value}: expected a number from 0 to 1")
    return value
