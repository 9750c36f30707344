"""A pixel diffusion model from a folder in diffusers' layout; it knows nothing about sampling.

Two kinds of folder load alike: the text-conditional inpainting network of `diffusion_network`
(unet/, text_encoder/, tokenizer/, scheduler/, lr_edit.json), and an unconditional UNet2DModel with
its scheduler, such as those on the hub or of `adm`, which sees x_t alone.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lr_edit.backbones.base import Diffusion, Prediction, freeze
from lr_edit.backbones.devices import (
    arrange,
    computing_in,
    convolution_layout,
    device_named,
    dtype_named,
)
from lr_edit.backbones.folders import loading, located
from lr_edit.backbones.pretrained import from_folder
from lr_edit.backbones.residual import lean
from lr_edit.errors import UserError
from lr_edit.instruction import check_length

FILES = ("*.json", "*.txt", "*.safetensors")
"""What is fetched from the hub."""


class UNetDiffusion(Diffusion):
    """The diffusion model in a folder.

    folder: a path, or owner/name on the hub. dtype: of the network's arithmetic, "float32",
    "bfloat16" or "float16"; what goes in and comes out is float32. checkpointing: see
    `checkpointed`, for large networks on small machines. revision: on the hub, None for the newest.

    Raises UserError for missing or damaged weights.
    """

    def __init__(
        self,
        folder: str,
        device: str = "cpu",
        dtype: str = "float32",
        checkpointing: bool = False,
        revision: str | None = None,
    ) -> None:
        path = located(folder, FILES, revision)
        with loading(path):
            self._scheduler = _scheduler(path)
            network, self._tokenizer = _network(path)
        self._kind = prediction_type(self._scheduler, folder)
        self._device, self._dtype = device_named(device), dtype_named(dtype)
        self._size = int(network.size)
        network = lean(network.to(self._device, self._dtype))
        self._network: Any = freeze(checkpointed(network) if checkpointing else network)
        self._alphas = self._scheduler.alphas_cumprod.float().to(self._device)
        self._layout = torch.contiguous_format

    @property
    def size(self) -> int:
        return self._size

    @property
    def alphas_cumprod(self) -> Tensor:
        return self._alphas

    @property
    def text_conditional(self) -> bool:
        return self._tokenizer is not None

    @torch.no_grad()
    def embed(self, prompts: Sequence[str]) -> Tensor:
        if self._tokenizer is None:
            return torch.zeros(len(prompts), 1, 1, device=self._device)
        from lr_edit.backbones.tokenizer import token_ids

        ids = token_ids(self._tokenizer, prompts, self._network.context_length)
        return self._network.encode_tokens(ids.to(self._device)).float()

    def check_length(self, phrase: str) -> None:
        if self._tokenizer is not None:
            from lr_edit.backbones.tokenizer import knows_a_word, token_count

            count = token_count(self._tokenizer, phrase)
            check_length(count, self._network.context_length, phrase, "the diffusion model")
            if not knows_a_word(self._tokenizer, phrase):
                raise UserError(
                    f"the diffusion model knows no word of {phrase!r} that says what to paint: say "
                    "it in English and in words that it was taught, such as 'a red mug', or give "
                    "other --models"
                )

    def predict(
        self, x_t: Tensor, t: Tensor, condition: Tensor, source: Tensor, mask: Tensor
    ) -> Prediction:
        self._arrange()
        inputs = (tensor.to(self._dtype) for tensor in (condition, source, mask))
        output = self._network(x_t.to(self._dtype), t, *inputs).float()
        alpha = self._alphas[t.to(self._device)].view(-1, 1, 1, 1)
        return to_prediction(output, x_t, alpha, self._kind)

    def _arrange(self) -> None:
        """Lays the weights out for what is computed in now; the numbers stay."""
        layout = convolution_layout(self._device, computing_in(self._device, self._dtype))
        if layout != self._layout:
            arrange(self._network, layout)
            self._layout = layout


def prediction_type(scheduler: Any, folder: str | Path) -> str:
    """What a scheduler says that the model of `folder` predicts: v_prediction or epsilon.

    Raises UserError for anything else.
    """
    kind = str(scheduler.config.prediction_type)
    if kind not in ("v_prediction", "epsilon"):
        raise UserError(f"{str(folder)!r} predicts {kind!r}: expected v_prediction or epsilon")
    return kind


def to_prediction(output: Tensor, x_t: Tensor, alpha: Tensor, kind: str) -> Prediction:
    """What a network's output [B, 3, S, S] says of x0 and eps, where ᾱ = alpha [B, 1, 1, 1].

    kind "epsilon": x0 = (x_t − √(1−ᾱ) ε) / √ᾱ (DDPM, eq. 15). "v_prediction": x0 = √ᾱ x_t −
    √(1−ᾱ) v and ε = √ᾱ v + √(1−ᾱ) x_t (Salimans & Ho, 2022, appendix D), finite even at ᾱ = 0.
    """
    signal, noise = alpha.sqrt(), (1 - alpha).sqrt()
    if kind == "epsilon":
        return Prediction((x_t - noise * output) / signal.clamp(min=1e-4), output)
    return Prediction(signal * x_t - noise * output, signal * output + noise * x_t)


def checkpointed(network: nn.Module) -> nn.Module:
    """The network, which from now on keeps less for gradients and computes the rest again.

    Of every residual and attention block only the input is kept (Chen et al., 2016): about half the
    memory for at most one more forward pass, and the same gradients. diffusers' own checkpointing
    leaves out attention and the blocks that change the resolution. Without a gradient nothing
    differs.
    """
    from diffusers.models.attention_processor import Attention
    from diffusers.models.resnet import ResnetBlock2D

    for module in network.modules():
        if isinstance(module, (Attention, ResnetBlock2D)):
            again = partial(checkpoint, use_reentrant=False, preserve_rng_state=False)
            module.forward = partial(again, module.forward)  # type: ignore[method-assign]
    return network


class UnconditionalUNet(nn.Module):
    """A UNet2DModel behind the call of `TextConditionedUNet`: condition, source, mask are ignored.

    A second half of output channels, the learned variance, is dropped.
    """

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.unet, self.size = unet, unet.config.sample_size

    def forward(
        self, x_t: Tensor, t: Tensor, condition: Tensor, source: Tensor, mask: Tensor
    ) -> Tensor:
        """The output [B, 3, S, S] for x_t [B, 3, S, S] at timesteps t [B]."""
        return self.unet(x_t, t).sample[:, :3]


def _network(folder: Path) -> tuple[Any, Any | None]:
    """The network of a folder and its tokenizer, None for an unconditional one."""
    from lr_edit.backbones.diffusion_network import load_network
    from lr_edit.backbones.tokenizer import load_tokenizer

    if (folder / "text_encoder").is_dir():
        return load_network(folder), load_tokenizer(folder / "tokenizer")
    from diffusers import UNet2DModel

    place = folder / "unet" if (folder / "unet").is_dir() else folder
    return UnconditionalUNet(from_folder(UNet2DModel, place)), None


def _scheduler(folder: Path) -> Any:
    from diffusers import DDPMScheduler

    place = folder / "scheduler" if (folder / "scheduler").is_dir() else folder
    return DDPMScheduler.from_pretrained(str(place), local_files_only=True)
