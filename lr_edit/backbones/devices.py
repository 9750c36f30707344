"""Names of devices and number types, checked, and what suits a device."""

import os
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from lr_edit.errors import UserError

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def dtype_named(name: str) -> torch.dtype:
    """float32, bfloat16 or float16; UserError for another name."""
    if name not in _DTYPES:
        raise UserError(f"dtype {name!r} is unknown: give one of {', '.join(_DTYPES)}")
    return _DTYPES[name]


def device_named(name: str) -> torch.device:
    """A device that is there; "auto" is this process's GPU, of several processes on a machine each
    has its own, or else the CPU. UserError otherwise."""
    if name == "auto":
        if not torch.cuda.is_available():
            return torch.device("cpu")
        rank = int(os.environ.get("LOCAL_RANK", "0"))
        return torch.device("cuda", rank % torch.cuda.device_count())
    try:
        device = torch.device(name)
        if torch.ones(1, device=device).item() != 1 or (device.type == "cpu" and device.index):
            raise RuntimeError("nothing is computed there")
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        raise UserError(
            f"device {name!r} cannot be used here: give cpu, auto, or a GPU that torch sees"
        ) from error
    return device


def fast_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16, and so faster than in float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    known = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # torch has no public question
    return device.type == "cpu" and known is not None and bool(known())


def convolution_layout(device: torch.device, dtype: torch.dtype) -> torch.memory_format:
    """Channels-last, but for bfloat16 on a CPU: it costs up to a quarter more there, where float32
    gains a fifth. dtype: what is computed in; see `computing_in`."""
    slower = device.type == "cpu" and dtype == torch.bfloat16
    return torch.contiguous_format if slower else torch.channels_last


def arrange(network: nn.Module, layout: torch.memory_format) -> None:
    """Lays the weights of a network's convolutions out; the numbers stay.

    All its tensors are copied: one left behind would keep the file that they were mapped from,
    weights and all, in memory beside the new ones.
    """
    for tensor in (*network.parameters(), *network.buffers()):
        wanted = layout if tensor.ndim == 4 else torch.contiguous_format
        tensor.data = tensor.data.clone(memory_format=wanted)


def computing_in(device: torch.device, dtype: torch.dtype) -> torch.dtype:
    """What a network of `dtype` computes in now: that, or autocast's type."""
    if torch.is_autocast_enabled(device.type):
        return torch.get_autocast_dtype(device.type)
    return dtype


def plain_attention(device: torch.device) -> AbstractContextManager[None]:
    """On a CPU plain products are faster than fused attention, above all backwards."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()
