"""`from_pretrained` of transformers and diffusers without its leniency and its chatter."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from lr_edit.errors import UserError


def from_folder(
    kind: Any, folder: str | Path, dtype: torch.dtype = torch.float32, **options: Any
) -> Any:
    """A model of class `kind` from a local folder, every parameter taken from its files.

    Raises UserError when a tensor is missing or has another shape: the libraries would leave
    random values there. What reading raises is left to `folders.loading`.
    """
    name = "torch_dtype" if kind.__module__.startswith("diffusers") else "dtype"
    with quiet():
        model, report = kind.from_pretrained(
            str(folder),
            local_files_only=True,
            output_loading_info=True,
            **{name: dtype},
            **options,
        )
    for fault in ("missing_keys", "mismatched_keys", "error_msgs"):
        if report.get(fault):
            first = sorted(map(str, report[fault]))[0]
            raise UserError(
                f"damaged weights: {str(folder)!r} has {fault.replace('_', ' ')}, first {first}; "
                "reinstall or run make weights"
            )
    return model


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars nor warnings of transformers inside; its settings come back afterwards."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
