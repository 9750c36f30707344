"""Where float16 is used, and gradients through it that neither vanish nor overflow."""

from collections.abc import Callable

import torch
from torch import Tensor

from lr_edit.backbones.devices import dtype_named

_SMALLEST = 1e-30


def network_dtype(name: str, device: torch.device) -> torch.dtype:
    """float32, bfloat16 or float16, which becomes float32 on a CPU: it is many times slower there.

    Raises UserError for another name.
    """
    dtype = dtype_named(name)
    slow = dtype == torch.float16 and device.type == "cpu"
    return torch.float32 if slow else dtype


def balanced(network: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """network(x), whose backward pass runs at a scale that float16 can hold.

    x and the result are float32, batch first; the network casts inside. The gradient of every
    sample has a largest value of 1 when it enters and is scaled back when it leaves, since float16
    knows nothing below 6e-8 (Micikevicius et al., 2018, section 3.2, there by one loss scale for
    all).
    """
    if not (torch.is_grad_enabled() and x.requires_grad):
        return network(x)
    scale: list[Tensor] = []

    def enter(gradient: Tensor) -> Tensor:
        scale[:] = [gradient.abs().amax(dim=tuple(range(1, gradient.ndim))).clamp(min=_SMALLEST)]
        return gradient / _like(scale[0], gradient)

    def leave(gradient: Tensor) -> Tensor:
        return gradient * _like(scale[0], gradient)

    inside = x.view_as(x)  # what else uses x keeps its own gradient
    inside.register_hook(leave)
    result = network(inside)
    result.register_hook(enter)
    return result


def _like(scale: Tensor, gradient: Tensor) -> Tensor:
    """scale [B] to be multiplied with a gradient [B, ...]."""
    return scale.view(-1, *[1] * (gradient.ndim - 1))
