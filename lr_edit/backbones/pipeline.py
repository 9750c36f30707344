"""Any inpainting pipeline of diffusers behind one call: FLUX Fill, Qwen-Image-Edit, and the rest.

It knows each only by what its `__call__` takes; nothing here knows windows or candidates.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature
from math import floor
from typing import Any

import torch
from torch import Generator, Tensor

from lr_edit.backbones.devices import device_named
from lr_edit.backbones.folders import loading
from lr_edit.backbones.half import network_dtype
from lr_edit.backbones.latent import Inpainter
from lr_edit.backbones.memory import NO_SAVINGS, MemoryOptions, enough_memory
from lr_edit.backbones.pipeline_files import networks, pipeline_folder
from lr_edit.backbones.pipeline_kinds import cfg_name, pipeline_kind
from lr_edit.backbones.pretrained import quiet
from lr_edit.crop import bicubic
from lr_edit.errors import UserError
from lr_edit.images import from_unit, mask_to_pil, to_pil

_SIZE = 1024  # of transformer pipelines, which do not say theirs


class PipelineInpainter(Inpainter):
    """A pipeline that takes a mask, or one that `AutoPipelineForInpainting` knows how to turn so.

    name, revision, variant, dtype: as in `StableDiffusion`. size: the side in pixels it is given;
    None for a UNet's own, otherwise 1024; what some paint at a size of their own, as
    Qwen-Image-Edit's about a megapixel, is brought to it. pipeline: see `pipeline_kind`. memory:
    batch and checkpointing have no effect here.

    Raises UserError for missing or damaged weights, a pipeline that cannot inpaint, and offloading
    without accelerate.
    """

    def __init__(
        self,
        name: str,
        device: str = "cpu",
        dtype: str = "float32",
        revision: str | None = None,
        variant: str | None = None,
        size: int | None = None,
        pipeline: str | None = None,
        memory: MemoryOptions = NO_SAVINGS,
    ) -> None:
        self._memory, where = memory, device_named(device)
        folder = pipeline_folder(name, revision, variant)
        kind = pipeline_kind(folder, pipeline)
        with loading(folder, "no pipeline for inpainting", "give whole weights of one"), _silence():
            number = network_dtype(dtype, where)
            loaded = kind.from_pretrained(
                str(folder), torch_dtype=number, variant=variant, use_safetensors=True,
                local_files_only=True, **networks(folder, number, variant),
            )  # fmt: skip
        loaded.set_progress_bar_config(disable=True)
        with enough_memory(self.remedy):
            self._pipeline: Any = _placed(loaded, where, memory)
        self._takes = signature(type(loaded).__call__).parameters
        self._size = size or _own_size(loaded)

    @property
    def size(self) -> int:
        return self._size

    @property
    def remedy(self) -> str:
        return self._memory.remedy

    @torch.no_grad()
    def paint(
        self,
        picture: Tensor,
        mask: Tensor,
        prompt: str,
        generator: Generator,
        *,
        negative: str = "",
        steps: int,
        cfg: float,
        strength: float = 1.0,
        on_step: Callable[[int, int], None] | None = None,
    ) -> Tensor:
        def told(pipeline: Any, step: int, t: Any, state: dict[str, Any]) -> dict[str, Any]:
            if on_step is not None:
                on_step(step + 1, int(t))
            return state

        wanted = {
            "image": to_pil(picture)[0],
            "mask_image": mask_to_pil(mask),
            "prompt": prompt,
            "negative_prompt": negative,
            "height": self._size,
            "width": self._size,
            "num_inference_steps": told_steps(steps, strength, hasattr(self._pipeline, "unet")),
            cfg_name(self._takes): cfg,
            "strength": strength,
            "generator": generator,
            "output_type": "pt",
            "callback_on_step_end": told,
        }
        output = self._pipeline(**{k: v for k, v in wanted.items() if k in self._takes})
        if any(getattr(output, "nsfw_content_detected", None) or ()):
            raise UserError(
                "the pipeline's safety checker refused what it painted: try another seed or prompt"
            )
        return from_unit(bicubic(output.images.float(), self._size).clamp(0, 1)).to(picture.device)


def told_steps(steps: int, strength: float, unet: bool) -> int:
    """How many steps a pipeline is to be told, so that it runs `steps` of them.

    Of n it runs the share `strength`, in (0, 1]: int(n * strength) where it has a UNet, and n -
    int(n - n * strength) where it has a transformer, as Flux and Qwen-Image have.
    """
    told = max(steps, floor(steps / strength))
    while unet and int(told * strength) < steps:
        told += 1
    return told


@contextmanager
def _silence() -> Iterator[None]:
    """No progress bars of diffusers inside, and no chatter of transformers."""
    from diffusers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with quiet():
            yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _placed(pipeline: Any, device: torch.device, memory: MemoryOptions) -> Any:
    """The pipeline on its device, or offloaded, with its levers pulled."""
    vae = getattr(pipeline, "vae", None)
    for wanted, lever in ((memory.vae_slicing, "slicing"), (memory.vae_tiling, "tiling")):
        if wanted and hasattr(vae, f"enable_{lever}"):
            getattr(vae, f"enable_{lever}")()
    if memory.attention_slicing:
        pipeline.enable_attention_slicing()
    if not memory.offload or device.type == "cpu":
        return pipeline.to(device)
    try:
        import accelerate  # noqa: F401
    except ImportError as error:
        raise UserError(
            "memory.offload needs accelerate: pip install accelerate, or set it to false"
        ) from error
    pipeline.enable_model_cpu_offload(device=device)
    return pipeline


def _own_size(pipeline: Any) -> int:
    """The side in pixels that a UNet was trained at, or else 1024."""
    unet = getattr(pipeline, "unet", None)
    side = getattr(getattr(unet, "config", None), "sample_size", None)
    return side * pipeline.vae_scale_factor if isinstance(side, int) else _SIZE
