"""Checkpoints that are whole or not there: a full disk or a kill leaves the last good one."""

import os
from pathlib import Path
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
        except (UserError, RuntimeError) as error:  # torch.save says RuntimeError of a full disk
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"the checkpoint was not saved ({reason}); the one before it is as it was: make "
                "room and go on with --ckpt_path"
            ) from error
