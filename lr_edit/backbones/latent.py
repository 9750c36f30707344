"""What the rest of the program may ask of latent diffusion; nothing here knows any library.

Latents are float32 [B, C, S / factor, S / factor] of pictures [B, 3, S, S], scaled to a variance of
about 1 (Rombach et al., 2022).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Generator, Tensor

from lr_edit.backbones.base import Diffusion


class LatentCodec(ABC):
    """The way from pictures to latents and back."""

    @property
    @abstractmethod
    def factor(self) -> int:
        """Pixels along one side of a latent cell."""

    @property
    @abstractmethod
    def channels(self) -> int:
        """C."""

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """The most likely latents of images [B, 3, S, S] in [-1, 1]; nothing is drawn."""

    @abstractmethod
    def decode(self, latents: Tensor) -> Tensor:
        """Pictures float32 [B, 3, S, S], about in [-1, 1] and not clamped, as good as they get."""

    @abstractmethod
    def glimpse(self, latents: Tensor) -> Tensor:
        """As `decode`, perhaps cheaper and rougher: what guidance sees. Differentiable."""


class LatentDiffusion(Diffusion):
    """A diffusion model of latents: `size` counts pixels, while `predict` sees and gives latents.

    Of the arguments of `predict`, `source` is the codec's encoding of the picture in which the
    region is 0, [B, C, s, s] with s = size / factor, and `mask` [B, 1, s, s] is 1 in every cell
    that may change. Models without inpainting channels ignore both.
    """

    @property
    @abstractmethod
    def codec(self) -> LatentCodec:
        """What made the latents that the model was trained on."""

    @property
    @abstractmethod
    def batch(self) -> int:
        """How many candidates fit into memory at once."""

    @property
    @abstractmethod
    def remedy(self) -> str:
        """What to change where memory runs out, as the end of a sentence."""


class Inpainter(ABC):
    """A whole pipeline that repaints a region by itself and cannot be guided."""

    @property
    @abstractmethod
    def size(self) -> int:
        """The side in pixels of the square pictures it is given."""

    @property
    @abstractmethod
    def remedy(self) -> str:
        """What to change where memory runs out, as the end of a sentence."""

    @abstractmethod
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
        """One repainted picture [1, 3, S, S] in [-1, 1]; what lies outside may have changed too.

        picture [1, 3, S, S] in [-1, 1]; mask [1, 1, S, S], 1 = paint. cfg is whatever scale the
        pipeline calls guidance. steps are really run, whatever the strength. on_step is called
        with the step just done, from 1, and its timestep.
        """
