"""Stable Diffusion's autoencoder as a codec, with a tiny one beside it for guidance if wanted.

It knows nothing of prompts, noise or regions.
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lr_edit.backbones.base import freeze
from lr_edit.backbones.folders import loading
from lr_edit.backbones.half import balanced
from lr_edit.backbones.latent import LatentCodec
from lr_edit.backbones.memory import NO_SAVINGS, MemoryOptions, awake
from lr_edit.backbones.pipeline_files import component, pipeline_folder
from lr_edit.errors import UserError


class VaeCodec(LatentCodec):
    """An AutoencoderKL and, for `glimpse`, an AutoencoderTiny of the same latents, or None.

    Both are as `load_vae` and `load_tiny` give them, on the CPU. Gradients of float16 networks are
    kept within its range.
    """

    def __init__(
        self, vae: Any, tiny: Any = None, device: str = "cpu", memory: MemoryOptions = NO_SAVINGS
    ) -> None:
        self._factor = 2 ** (len(vae.config.block_out_channels) - 1)
        self._channels = int(vae.config.latent_channels)
        if tiny is not None and tiny.config.latent_channels != self._channels:
            raise UserError(
                f"the tiny decoder has latents of {tiny.config.latent_channels} channels, expected "
                f"{self._channels}: give one for this model"
            )
        self._shift = float(vae.config.shift_factor or 0.0)
        self._scale = float(vae.config.scaling_factor)
        self._device = torch.device(device)
        # What guidance looks through is needed at every step.
        self._rests = memory.offload and self._device.type != "cpu" and tiny is not None
        self._vae = _saving(vae if self._rests else vae.to(self._device), memory)
        self._tiny = None if tiny is None else tiny.to(self._device)

    @property
    def factor(self) -> int:
        return self._factor

    @property
    def channels(self) -> int:
        return self._channels

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        with awake(self._vae, self._device, self._rests):
            latents = self._vae.encode(images.to(self._vae.dtype)).latent_dist.mode()
        return (latents.float() - self._shift) * self._scale

    def decode(self, latents: Tensor) -> Tensor:
        with awake(self._vae, self._device, self._rests):
            return self._through(self._vae, latents / self._scale + self._shift)

    def glimpse(self, latents: Tensor) -> Tensor:
        if self._tiny is None:
            return self.decode(latents)
        return self._through(self._tiny, latents / self._tiny.config.scaling_factor)

    def _through(self, network: Any, latents: Tensor) -> Tensor:
        def decoded(z: Tensor) -> Tensor:
            return network.decode(z.to(network.dtype)).sample.float()

        return balanced(decoded, latents) if network.dtype == torch.float16 else decoded(latents)


def load_vae(folder: Path, dtype: torch.dtype, variant: str | None = None) -> Any:
    """The AutoencoderKL of a pipeline's folder, frozen, on the CPU.

    Where its configuration says that float16 overflows (force_upcast), it is float32 then; where
    it is silent, as in Stable Diffusion 1, it does not, though diffusers would say so.
    """
    from diffusers import AutoencoderKL

    vae = component(AutoencoderKL, folder / "vae", dtype, variant)
    said = json.loads((folder / "vae" / "config.json").read_text(encoding="utf-8"))
    if dtype == torch.float16 and said.get("force_upcast"):
        vae = vae.float()
    return freeze(vae)


def load_tiny(name: str, dtype: torch.dtype, revision: str | None = None) -> Any:
    """An AutoencoderTiny (a distilled decoder) by folder or hub name, frozen, on the CPU.

    Raises UserError for missing or damaged weights.
    """
    from diffusers import AutoencoderTiny

    folder = pipeline_folder(name, revision, parts=())
    with loading(folder):
        return freeze(component(AutoencoderTiny, folder, dtype))


def _saving(vae: Any, memory: MemoryOptions) -> Any:
    """The autoencoder with the levers that concern it pulled."""
    if memory.vae_slicing:
        vae.enable_slicing()
    if memory.vae_tiling:
        vae.enable_tiling()
    if memory.checkpointing:
        vae.enable_gradient_checkpointing()
    return vae
