"""The tensors of an ADM checkpoint as those of diffusers' UNet2DModel; it knows no files."""

import math
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from lr_edit.backbones.adm_keys import Architecture, shape_in
from lr_edit.errors import UserError

State = Mapping[str, Tensor]
Watch = Callable[[Iterable[str]], Iterable[str]]
"""Hands on what it is given, one by one, and may show how far that is."""

_PACKED = ("to_q", "to_k", "to_v")
_TIMESTEPS = 1000


def renamed(
    state: State,
    targets: State,
    architecture: Architecture,
    head_channels: int,
    dtype: torch.dtype = torch.float32,
    watch: Watch = iter,
) -> dict[str, Tensor]:
    """ADM's tensors under diffusers' names, as `dtype`; targets: the names and shapes wanted.

    Raises UserError for tensors that are missing, of another shape, or left over, naming a few.
    """
    modules = architecture.modules()
    sources = {
        name: f"{modules[module]}.{kind}"
        for name in targets
        for module, _, kind in [name.rpartition(".")]
    }
    _refuse("lacks", set(sources.values()) - set(state))
    _refuse("has the unknown", set(state) - set(sources.values()))
    out = {}
    for name in watch(sources):
        value, shape, part = state[sources[name]], targets[name].shape, name.split(".")[-2]
        packed = part in _PACKED
        if len(value) != shape[0] * (3 if packed else 1) or value[0].numel() != shape[1:].numel():
            _refuse("has another shape of", [sources[name]])
        if packed:
            value = qkv_parts(value, head_channels)[part]
        out[name] = value.reshape(shape).to(dtype)
    return out


def qkv_parts(packed: Tensor, head_channels: int) -> dict[str, Tensor]:
    """ADM's weight [3 C, C, 1] or bias [3 C] of all heads => those of to_q, to_k and to_v.

    Its rows are ordered by head, then q, k, v, then channel: chunk(3) would mix the heads up.
    """
    heads = packed.unflatten(0, (-1, 3, head_channels))
    return {name: heads[:, i].flatten(0, 1) for i, name in enumerate(_PACKED)}


def with_label(state: State, label: int | None) -> State:
    """The state dict without its embedding of labels: that of `label` goes into a bias.

    ADM adds the label's embedding to the time's, so this is exact. Raises UserError where the
    network knows labels and none of them is given, or the other way round.
    """
    labels = shape_in(state, "label_emb.weight")[0] if "label_emb.weight" in state else 0
    if not labels:
        if label is not None:
            raise UserError("the checkpoint knows no labels: leave --label out")
        return state
    if label is None or not 0 <= label < labels:
        raise UserError(
            f"the checkpoint is conditioned on {labels} labels, and this program has none: give "
            f"--label, 0 to {labels - 1}, for the one it shall always paint, or take another file"
        )
    shape_in(state, "time_embed.2.bias")
    bias = state["time_embed.2.bias"].float() + state["label_emb.weight"][label].float()
    rest = {name: value for name, value in state.items() if name != "label_emb.weight"}
    return rest | {"time_embed.2.bias": bias}


def with_time_table(state: State, width: int) -> State:
    """The state dict with a table [1000, width] of t in place of the sinusoids it was trained with.

    A UNet2DModel has as many sinusoids as channels at its finest level; ADM at 512 pixels has 256
    for 128. At t = 0 … 999 these span only 106 dimensions up to 1e-6, though, so their
    coordinates in an orthonormal basis of 128, and the first layer in the same basis, are exact.
    Raises UserError where `width` dimensions do not suffice.
    """
    channels = shape_in(state, "time_embed.0.weight")[1]
    half = channels // 2
    # The rates are rounded to float32, as they were in training.
    rates = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32) / half)
    angles = torch.arange(_TIMESTEPS, dtype=torch.float64)[:, None] * rates
    sinusoids = torch.cat((angles.cos(), angles.sin()), 1)
    basis = torch.linalg.svd(sinusoids, full_matrices=False).Vh[:width].T
    table = sinusoids @ basis
    if basis.shape[1] < width or (table @ basis.T - sinusoids).abs().max() > 1e-6:
        raise UserError(
            f"the checkpoint embeds t in {channels} channels where its finest level has {width}: "
            "expected as many, or 256 and 128"
        )
    weight = state["time_embed.0.weight"].double() @ basis
    return {**state, "time_table.weight": table.float(), "time_embed.0.weight": weight.float()}


def _refuse(how: str, names: Iterable[str]) -> None:
    """Raises UserError with the first of the names, if there are any."""
    found = sorted(names)
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise UserError(
            f"the checkpoint {how} {', '.join(found[:3])}{more}: expected an ADM diffusion UNet"
        )
