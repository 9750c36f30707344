"""A trained UNet's weights in one of more residual blocks, which at first paints the very same."""

import re

import torch
from torch import Tensor

# A block of a level on the way down or up, and a tensor of it.
BLOCK = re.compile(
    r"(?P<level>(?P<way>down|up)_blocks\.\d+)\.(?P<kind>resnets|attentions)\.(?P<index>\d+)\.(?P<tensor>.+)"
)
# What a block adds to what it is given ends in these.
LAST = ("conv2.", "proj_out.")


def grown(state: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a smaller UNet2DConditionModel under the names of a deeper one.

    state: of the smaller one. own: of the deeper one as it was built, whose further blocks are kept
    but for their last layer, which becomes 0, and their shortcut, which lets through what came from
    below: residual blocks that add nothing (Net2Net, Chen et al., ICLR 2016, sec. 2.4). The states
    of equally deep or of other networks come back as they are.
    """
    had, has = counts(state), counts(own)
    if had.keys() != has.keys() or had == has or any(has[at] < had[at] for at in had):
        return state
    found = {name: tensor for name, tensor in state.items() if not BLOCK.match(name)}
    for name, tensor in own.items():
        match = BLOCK.match(name)
        if match is None:
            continue
        at = match["level"], match["kind"]
        old = origin(int(match["index"]), has[at] - had[at], had[at], match["way"] == "up")
        if old is None:
            found[name] = through(match["tensor"], tensor)
        else:
            source = f"{match['level']}.{match['kind']}.{old}.{match['tensor']}"
            if source in state:
                found[name] = state[source]
    return found


def counts(state: dict[str, Tensor]) -> dict[tuple[str, str], int]:
    """How many residual and attention blocks each level has, by its name and theirs."""
    found: dict[tuple[str, str], int] = {}
    for match in filter(None, map(BLOCK.match, state)):
        at = match["level"], match["kind"]
        found[at] = max(found.get(at, 0), int(match["index"]) + 1)
    return found


def origin(index: int, further: int, had: int, up: bool) -> int | None:
    """Which block of the smaller network a block was; None for a further one.

    Further ones come last on the way down. On the way up they come after the first, which is given
    the last one's output from the way down, and let through what it makes.
    """
    if not up:
        return index if index < had else None
    if index == 0:
        return 0
    return index - further if index > further else None


def through(name: str, tensor: Tensor) -> Tensor:
    """A tensor of a block that changes nothing: its last layer 0, its shortcut the first inputs."""
    if name.startswith("conv_shortcut."):
        passed = torch.zeros_like(tensor)
        if tensor.ndim > 1:
            passed[range(len(tensor)), range(len(tensor))] = 1
        return passed
    return torch.zeros_like(tensor) if name.startswith(LAST) else tensor
