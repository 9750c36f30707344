"""The objective's head beside exported weights, so that a later training need not learn it anew.

The network itself never reads it. Without it, going on from trained weights begins with a head that
knows nothing, whose first gradients undo some of what the network has learned.
"""

from pathlib import Path

from torch import nn

from lr_edit.backbones.folders import loading

FILE = "head.safetensors"


def save_head(head: nn.Module, folder: Path) -> None:
    """Write the head's tensors as folder/head.safetensors."""
    from safetensors.torch import save_file

    state = {name: value.detach().cpu().contiguous() for name, value in head.state_dict().items()}
    save_file(state, folder / FILE)


def take_head(head: nn.Module, folder: Path) -> list[str]:
    """Give a head those tensors kept in a folder that it has too, as one of another objective may
    have in part; the names of these. None where the folder keeps no head or one of another width.

    Raises UserError for a damaged file.
    """
    from safetensors.torch import load_file

    if not (folder / FILE).is_file():
        return []
    with loading(str(folder)):
        kept = load_file(folder / FILE)
    own = head.state_dict()
    fitting = {name: value for name, value in kept.items() if name in own}
    if any(value.shape != own[name].shape for name, value in fitting.items()):
        return []
    head.load_state_dict(fitting, strict=False)
    return sorted(fitting)
