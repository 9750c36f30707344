"""An OpenCLIP folder, here or on the hub: its files, and its model from safetensors alone.

It knows nothing of pictures or phrases.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lr_edit.backbones.either import Either
from lr_edit.backbones.folders import loading, refuse_pickled
from lr_edit.backbones.hub_files import HubFiles
from lr_edit.backbones.pretrained import quiet, refuse_faults
from lr_edit.errors import UserError

LOCAL, HUB = "local-dir:", "hf-hub:"
CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "model.safetensors")
"""What OpenCLIP calls a folder's weights: the first that is there is read."""


def hub_source(name: str, revision: str | None = None) -> Either:
    """The files of an OpenCLIP model owner/name on the hub; revision: None for the newest."""
    patterns = (CONFIG, "*.json", "*.txt", "*.model")
    return Either(
        tuple(HubFiles(name, (*patterns, weights), revision or "main") for weights in WEIGHTS)
    )


def weights_file(folder: Path) -> Path:
    """A folder's weights; UserError where it has none as safetensors."""
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    refuse_pickled(folder)
    raise UserError(
        f"missing weights: {str(folder)!r} has no {' or '.join(WEIGHTS)}; rename what it has, or "
        "give another folder"
    )


def load_folder(folder: Path, remedy: str = "reinstall or run make weights") -> tuple[Any, Any]:
    """The model of a folder, on the CPU, and its tokenizer.

    remedy: what to do where a file is damaged. Raises UserError for missing or damaged weights, and
    for pickled ones, which are not read.
    """
    import open_clip

    weights, name = weights_file(folder), f"{LOCAL}{folder}"
    with loading(folder, remedy=remedy), quiet(), _unwarned():
        text = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["model_cfg"]["text_cfg"]
        # Left to itself, OpenCLIP may take a pickled file that lies beside the safetensors.
        model = open_clip.create_model(name, load_weights=False, pretrained_text=False)
        report = open_clip.load_checkpoint(model, str(weights), strict=False)
        # A configuration may ask for a tokenizer whose code comes with it.
        safe = {"trust_remote_code": False} if text.get("hf_tokenizer_name") else {}
        tokenizer = open_clip.get_tokenizer(name, **safe)
    refuse_faults(
        folder, {"missing_keys": report.missing_keys, "unexpected_keys": report.unexpected_keys}
    )
    return model, tokenizer


@contextmanager
def _unwarned() -> Iterator[None]:
    """OpenCLIP does not warn inside that a model is random, as it is until its weights are read."""

    def kept(record: logging.LogRecord) -> bool:
        return record.levelno > logging.WARNING

    logging.getLogger().addFilter(kept)
    try:
        yield
    finally:
        logging.getLogger().removeFilter(kept)
