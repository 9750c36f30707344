"""Checkpoints that are whole or not there: a full disk or a kill leaves the last good one."""

import os
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from lr_edit.errors import UserError
from lr_edit.output import replacing


class WholeCheckpoints(TorchCheckpointIO):
    """Writes to a temporary file beside the checkpoint, then renames it."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Raises UserError when it cannot be written, with the old file as it was."""
        target = Path(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target) as temporary:
                torch.save(checkpoint, temporary)
        # torch.save says RuntimeError of a full disk.
        except (UserError, OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"the checkpoint was not saved ({reason}); the one before it is as it was: make "
                "room and go on with --ckpt_path"
            ) from error

    def load_checkpoint(self, path: Any, *args: Any, **options: Any) -> dict[str, Any]:
        """Raises UserError for what is not there, and for what is no checkpoint."""
        try:
            return super().load_checkpoint(path, *args, **options)
        except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"the checkpoint {str(path)!r} cannot be read ({reason}): give another --ckpt_path"
            ) from error
