"""Stable Diffusion behind the interface of a diffusion model; it knows nothing about sampling.

A folder in diffusers' layout, or a repository on the hub: unet/, vae/, text_encoder/, tokenizer/,
scheduler/, and for SDXL text_encoder_2/ and tokenizer_2/. UNets of 4 channels see the latents
alone, those of 9 also the region and the picture without it.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lr_edit.backbones.base import Prediction, freeze
from lr_edit.backbones.devices import arrange, convolution_layout, device_named, fast_bfloat16
from lr_edit.backbones.diffusion import prediction_type, to_prediction
from lr_edit.backbones.folders import loading
from lr_edit.backbones.half import balanced, network_dtype
from lr_edit.backbones.latent import LatentCodec, LatentDiffusion
from lr_edit.backbones.memory import NO_SAVINGS, MemoryOptions, enough_memory
from lr_edit.backbones.pipeline_files import component, pipeline_folder, pipeline_index
from lr_edit.backbones.prompts import PromptEncoder, text_tokens
from lr_edit.backbones.vae import VaeCodec, load_tiny, load_vae
from lr_edit.errors import UserError

PARTS = (
    "unet", "vae", "scheduler", "text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2",
)  # fmt: skip


class StableDiffusion(LatentDiffusion):
    """Stable Diffusion 1, 2 or XL, with inpainting channels or without.

    name: a folder, or owner/name on the hub at `revision`; variant: of its weights' files, such as
    fp16. dtype: of the networks' arithmetic, float32, bfloat16 or float16, which on a CPU is
    float32; what goes in and comes out is float32. tiny_decoder: an AutoencoderTiny, by folder or
    name, for guidance and previews. size: another side in pixels than the model's own.

    Raises UserError for missing or damaged weights, and for a pipeline of another kind.
    """

    def __init__(
        self,
        name: str,
        device: str = "cpu",
        dtype: str = "float32",
        revision: str | None = None,
        variant: str | None = None,
        tiny_decoder: str | None = None,
        tiny_revision: str | None = None,
        size: int | None = None,
        memory: MemoryOptions = NO_SAVINGS,
    ) -> None:
        from diffusers import UNet2DConditionModel

        self._device = device_named(device)
        self._dtype = network_dtype(dtype, self._device)
        self._memory = memory
        folder = pipeline_folder(name, revision, variant, PARTS)
        _check_kind(folder)
        with loading(folder):
            self._kind, alphas = read_schedule(folder / "scheduler")
            unet = component(UNet2DConditionModel, folder / "unet", self._dtype, variant)
            self._prompts = PromptEncoder(folder, self._device, self._dtype, variant, memory)
            vae = load_vae(folder, self._dtype, variant)
        tiny = tiny_decoder and load_tiny(tiny_decoder, self._dtype, tiny_revision)
        with enough_memory(self.remedy):
            self._codec = VaeCodec(vae, tiny or None, str(self._device), memory)
            self._prompts.wake()
            freeze(unet).to(self._device)
            # In bfloat16 the editor runs it where that is fast.
            computing = torch.bfloat16 if fast_bfloat16(self._device) else unet.dtype
            layout = convolution_layout(self._device, computing)
            if layout != torch.contiguous_format:
                arrange(unet, layout)
            self._unet: Any = _saving(unet, memory)
        self._alphas = alphas.to(self._device)
        self._size = _checked_size(size, int(unet.config.sample_size), self._codec.factor)
        self._inpaints = _sees_region(unet, self._codec.channels)

    @property
    def size(self) -> int:
        return self._size

    @property
    def alphas_cumprod(self) -> Tensor:
        return self._alphas

    @property
    def text_conditional(self) -> bool:
        return True

    @property
    def codec(self) -> LatentCodec:
        return self._codec

    @property
    def batch(self) -> int:
        return self._memory.batch

    @property
    def remedy(self) -> str:
        return self._memory.remedy

    def embed(self, prompts: Sequence[str]) -> Tensor:
        return self._prompts(prompts)

    def check_length(self, phrase: str) -> None:
        self._prompts.check_length(phrase)

    def predict(
        self, x_t: Tensor, t: Tensor, condition: Tensor, source: Tensor, mask: Tensor
    ) -> Prediction:
        if x_t.shape[1] != self._codec.channels:
            raise UserError(
                f"{type(self).__name__} paints latents of {self._codec.channels} channels, but was "
                f"given {x_t.shape[1]}: what edits pictures directly needs a model set whose "
                "diffusion works on pixels"
            )

        def output(x: Tensor) -> Tensor:
            seen = torch.cat([x, mask, source], dim=1) if self._inpaints else x
            tokens, pooled = text_tokens(condition.to(self._dtype), self._prompts.pooled)
            added = pooled if pooled is None else self._added(pooled)
            result = self._unet(
                seen.to(self._dtype), t, encoder_hidden_states=tokens, added_cond_kwargs=added
            )
            return result.sample.float()

        alpha = self._alphas[t.to(self._device)].view(-1, 1, 1, 1)
        half = self._dtype == torch.float16
        return to_prediction(balanced(output, x_t) if half else output(x_t), x_t, alpha, self._kind)

    def _added(self, pooled: Tensor) -> dict[str, Tensor]:
        """What SDXL is told besides: of a picture of that very size, nothing was cut off."""
        side = self._size
        sizes = torch.tensor([side, side, 0, 0, side, side], device=pooled.device)
        ids = sizes.to(pooled).expand(len(pooled), -1)
        return {"text_embeds": pooled, "time_ids": ids}


def read_schedule(folder: Path) -> tuple[str, Tensor]:
    """What a scheduler's folder says: the prediction type, and the model's abar, float32 [T].

    Which scheduler it names does not matter. Raises UserError for one that has no betas, as those
    of flow matching, and for another prediction than epsilon or v_prediction.
    """
    from diffusers import DDPMScheduler

    config = json.loads((folder / "scheduler_config.json").read_text(encoding="utf-8"))
    if "beta_schedule" not in config:
        raise UserError(
            f"{str(folder)!r} has no beta_schedule: only models of the DDPM kind can be guided; "
            "others go under `inpainter`"
        )
    scheduler = DDPMScheduler.from_config(config)
    return prediction_type(scheduler, folder), scheduler.alphas_cumprod.float()


def _check_kind(folder: Path) -> None:
    """Raises UserError for a pipeline that is no Stable Diffusion, or SDXL's refiner."""
    index = pipeline_index(folder)
    if "unet" not in index or index.get("requires_aesthetics_score"):
        raise UserError(
            f"{str(folder)!r} is a {index.get('_class_name')}: expected Stable Diffusion 1, 2 or "
            "XL; other pipelines go under `inpainter`"
        )


def _sees_region(unet: Any, channels: int) -> bool:
    """Whether a UNet has inpainting channels; UserError for another number of them."""
    found = unet.config.in_channels
    if found not in (channels, 2 * channels + 1):
        raise UserError(
            f"the UNet has {found} channels: expected {channels}, or {2 * channels + 1} for "
            "inpainting"
        )
    return found != channels


def _checked_size(size: int | None, cells: int, factor: int) -> int:
    if size is not None and (size < factor or size % factor):
        raise UserError(f"size is {size} pixels; give a multiple of {factor}")
    return size or cells * factor


def _saving(unet: Any, memory: MemoryOptions) -> Any:
    """The UNet with the levers that concern it pulled."""
    if memory.checkpointing:
        unet.enable_gradient_checkpointing()
    if memory.attention_slicing:
        unet.set_attention_slice("auto")
    return unet
