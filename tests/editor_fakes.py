"""Tiny stand-ins for the networks an editor uses, with answers known in closed form."""

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lr_edit.backbones.base import Diffusion, ImageTextEncoder, PerceptualDistance, Prediction
from lr_edit.editors.editor import Edit, Editor


def cosine_schedule(total: int = 1000) -> Tensor:
    """abar of Nichol and Dhariwal (2021), betas at most .999."""
    time = torch.arange(total + 1, dtype=torch.float64) / total
    bar = ((time + 0.008) / 1.008 * torch.pi / 2).cos().square()
    betas = (1 - bar[1:] / bar[:-1]).clamp(max=0.999)
    return (1 - betas).cumprod(0).float()


class GaussianDiffusion(Diffusion):
    """The exact denoiser of pictures whose pixels are independent N(mean, std^2).

    E[x0 | x_t] = mean + a std^2 / (a^2 std^2 + 1 - a^2) (x_t - a mean) with a = sqrt(abar). A
    prompt moves the mean by `pull`. `calls` records (batch size, timestep) of every forward, and
    `inputs` the noisy samples.
    """

    def __init__(
        self, size: int = 16, mean: float = 0.0, std: float = 0.5, pull: float = 0.0
    ) -> None:
        self.mean, self.std, self.pull = mean, std, pull
        self.calls: list[tuple[int, int]] = []
        self.inputs: list[Tensor] = []
        self._size = size
        self._schedule = cosine_schedule()

    @property
    def size(self) -> int:
        return self._size

    @property
    def alphas_cumprod(self) -> Tensor:
        return self._schedule

    @property
    def text_conditional(self) -> bool:
        return self.pull != 0

    def embed(self, prompts: Sequence[str]) -> Tensor:
        return torch.tensor([float(bool(prompt)) for prompt in prompts]).view(-1, 1, 1)

    def predict(
        self, x_t: Tensor, t: Tensor, condition: Tensor, source: Tensor, mask: Tensor
    ) -> Prediction:
        assert len(x_t) == len(t) == len(condition) == len(source) == len(mask)
        self.calls.append((len(x_t), int(t[0])))
        self.inputs.append(x_t.detach().clone())
        abar = self._schedule[t].double().view(-1, 1, 1, 1)
        mean = self.mean + self.pull * condition[..., None]
        gain = abar.sqrt() * self.std**2 / (abar * self.std**2 + 1 - abar)
        x0 = mean + gain * (x_t - abar.sqrt() * mean)
        eps = (x_t - abar.sqrt() * x0) / (1 - abar).sqrt()
        return Prediction(x0.float(), eps.float())


class LinearClip(ImageTextEncoder):
    """A random projection of the 8 x 8 thumbnail; a text is a direction drawn from its letters."""

    def __init__(self, dimension: int = 32) -> None:
        self._projection = torch.randn(192, dimension, generator=torch.Generator().manual_seed(7))
        self._dimension = dimension
        self.seen: list[Tensor] = []
        self.texts = 0

    @property
    def logit_scale(self) -> float:
        return 100.0

    def encode_image(self, images: Tensor) -> Tensor:
        self.seen.append(images.detach().clone())
        small = functional.interpolate(images, (8, 8), mode="area")
        normalised = (small * 0.5 + 0.5 - 0.45) / 0.27
        return functional.normalize(normalised.flatten(1) @ self._projection, dim=-1)

    def encode_text(self, phrases: Sequence[str]) -> Tensor:
        self.texts += len(phrases)
        rows = []
        for phrase in phrases:
            seed = int.from_bytes(hashlib.sha256(phrase.encode()).digest()[:4], "big")
            generator = torch.Generator().manual_seed(seed)
            rows.append(torch.randn(self._dimension, generator=generator))
        return functional.normalize(torch.stack(rows), dim=-1)


class EdgeDistance(PerceptualDistance):
    """Mean squared difference of horizontal edges, per sample."""

    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        assert first.shape == second.shape
        return (first.diff(dim=-1) - second.diff(dim=-1)).square().flatten(1).mean(1)


def picture(height: int = 24, width: int = 24, seed: int = 0) -> Tensor:
    """A smooth random picture [1, 3, H, W] in [-1, 1]."""
    coarse = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(seed)) * 1.6 - 0.8
    return functional.interpolate(coarse, (height, width), mode="bilinear")


def box_mask(height: int, width: int, x0: int, y0: int, x1: int, y1: int) -> Tensor:
    """A mask [1, 1, H, W] of one box."""
    mask = torch.zeros(1, 1, height, width)
    mask[..., y0:y1, x0:x1] = 1
    return mask


def outside_is_kept(result: Edit, image: Tensor) -> bool:
    """Whether every candidate is the image where nothing was painted, and something was."""
    outside = (result.mask == 0).expand_as(result.candidates)
    images = image.expand_as(result.candidates)
    same = torch.equal(result.candidates[outside], images[outside])
    return same and bool(outside.any()) and not torch.equal(result.candidates, images)


class Witness(Editor):
    """Paints nothing, and remembers what it was handed: regions, whether they are complete, and
    whether only a colour was to change."""

    def __init__(self) -> None:
        self.handed: list[tuple[Tensor, bool]] = []
        self.recoloured: list[bool] = []

    def edit(
        self,
        image: Tensor,
        region: Tensor,
        prompt: str,
        *,
        seeds: Sequence[int],
        complete: bool = False,
        recolour: bool = False,
        **others: Any,
    ) -> Edit:
        self.handed.append((region, complete))
        self.recoloured.append(recolour)
        whole = (0, 0, image.shape[-1], image.shape[-2])
        return Edit(image.repeat(len(seeds), 1, 1, 1), tuple(seeds), region, whole)
