"""`from_pretrained` of transformers and diffusers without its leniency and its chatter."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from lr_edit.backbones.folders import refuse_pickled
from lr_edit.errors import UserError

_FAULTS = ("missing_keys", "mismatched_keys", "error_msgs")
_NAMED = 3  # of the tensors that are wrong


def from_folder(
    kind: Any, folder: str | Path, dtype: torch.dtype = torch.float32, **options: Any
) -> Any:
    """A model of class `kind` from a local folder, every parameter taken from its safetensors.

    Raises UserError when a tensor is missing or has another shape: the libraries would leave
    random values there; and for a folder whose weights are pickled, which is not read. What reading
    raises is left to `folders.loading`.
    """
    refuse_pickled(folder)
    name = "torch_dtype" if kind.__module__.startswith("diffusers") else "dtype"
    with quiet():
        model, report = kind.from_pretrained(
            str(folder),
            local_files_only=True,
            output_loading_info=True,
            **{name: dtype, **options, "use_safetensors": True},
        )
    refuse_faults(folder, {fault: report.get(fault) or () for fault in _FAULTS})
    return model


def refuse_faults(folder: str | Path, faults: Mapping[str, Iterable[object]]) -> None:
    """Raises UserError where a fault, such as "missing_keys", names tensors of a folder's weights:
    how many, and the first few in the order of the alphabet."""
    for fault, tensors in faults.items():
        names = sorted(" ".join(str(tensor).split()) for tensor in tensors)
        if names:
            first = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
            kind = (fault.removesuffix("s") if len(names) == 1 else fault).replace("_", " ")
            raise UserError(
                f"damaged weights: {str(folder)!r} has {len(names)} {kind} ({first}); reinstall or "
                "run make weights"
            )


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
