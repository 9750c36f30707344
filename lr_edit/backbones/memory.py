"""What can be given up for memory, as one record, and what is said when it runs out all the same.

Nothing here knows which network the levers move.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from lr_edit.errors import UserError


@dataclass(frozen=True)
class MemoryOptions:
    """Levers that trade time for memory; none changes a result beyond rounding.

    Attributes:
        batch: candidates that are sampled at once.
        checkpointing: activations are recomputed for the gradient (Chen et al., 2016).
        attention_slicing: attention one slice after the other; for GPUs without fused attention.
        vae_slicing: pictures are encoded and decoded one after the other.
        vae_tiling: and in overlapping tiles, where they are larger than the autoencoder's own size.
        offload: networks that are not at work rest in the CPU's memory; only with a GPU.
    """

    batch: int = 2
    checkpointing: bool = False
    attention_slicing: bool = False
    vae_slicing: bool = False
    vae_tiling: bool = False
    offload: bool = False

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise UserError(f"memory.batch is {self.batch}; give 1 or more")

    @property
    def remedy(self) -> str:
        """The levers that are not pulled yet, the most effective first, as advice."""
        wanted = ["batch: 1"] if self.batch > 1 else []
        levers = ("checkpointing", "offload", "vae_slicing", "vae_tiling", "attention_slicing")
        wanted += [f"{name}: true" for name in levers if not getattr(self, name)]
        if not wanted:
            return "give --sampling.gradient straight, --weights.lpips 0, or --device cpu"
        return f"put {', '.join(wanted)} under `memory` in the model set, or give --device cpu"


NO_SAVINGS = MemoryOptions()

_CPU_FULL = "can't allocate memory"  # torch raises a plain RuntimeError of it


@contextmanager
def enough_memory(remedy: str) -> Iterator[None]:
    """A device that runs out of memory inside becomes one line that ends in the remedy.

    The innermost one that is around speaks: it knows best what was at work. It can also decorate a
    function. Raises UserError.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise UserError(f"the device ran out of memory: {remedy}") from error
    except RuntimeError as error:
        if _CPU_FULL not in str(error):
            raise
        raise UserError(f"this machine ran out of memory: {remedy}") from error


@contextmanager
def awake(module: nn.Module, device: torch.device, rests: bool) -> Iterator[None]:
    """The module on the device inside; afterwards, if it rests, in the CPU's memory."""
    if not rests:
        yield
        return
    module.to(device)
    try:
        yield
    finally:
        module.to("cpu")
