"""What the rest of the program may ask of a frozen network; nothing here knows any library.

Images are float32 [B, 3, H, W] in [-1, 1]; masks float32 [B, 1, H, W] in [0, 1], 1 = edit.
Every implementation freezes its parameters and works on the device that it was given.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


class Reader:
    """A network that reads phrases."""

    def check_length(self, phrase: str) -> None:
        """Raises UserError for a phrase of which the network would not read the end, or, where it
        was taught words of its own, not a single word.

        Without a tokenizer that knows its limit, any length passes.
        """


class ImageTextEncoder(Reader, ABC):
    """Images and phrases in one space, as CLIP (Radford et al., 2021) has it."""

    @abstractmethod
    def encode_image(self, images: Tensor) -> Tensor:
        """Unit embeddings [B, D] of images of any size; differentiable in the images.

        Resizing to the network's input and normalisation happen inside.
        """

    @abstractmethod
    def encode_text(self, phrases: Sequence[str]) -> Tensor:
        """Unit embeddings [B, D] of B phrases."""

    @property
    @abstractmethod
    def logit_scale(self) -> float:
        """The learned inverse temperature that turns cosines into softmax logits."""


class DenseEncoder(ABC):
    """A frozen vision transformer seen patch by patch: what stands where in a picture."""

    @abstractmethod
    def patch_features(self, images: Tensor) -> tuple[Tensor, ...]:
        """Maps [B, C_i, h, w], one a chosen layer, the earlier layers first.

        images of any size are squeezed to a square that holds whole patches; h and w count the
        patches. Differentiable in the images.
        """

    @property
    @abstractmethod
    def channels(self) -> tuple[int, ...]:
        """C_i of every map."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """A line that tells these features from those of other weights, layers or sides.

        It names no place: the same weights in another folder are the same.
        """


class TokenEncoder(Reader, ABC):
    """A frozen text transformer seen token by token."""

    @abstractmethod
    def encode_tokens(self, phrases: Sequence[str]) -> tuple[Tensor, Tensor]:
        """States float32 [B, L, D] after the final norm, and bool [B, L], True for real tokens.

        Real are those from the start token to the end token, both counted; L is the length of the
        longest phrase. Phrases beyond the context are cut as `ImageTextEncoder.encode_text` does.
        """

    @property
    @abstractmethod
    def token_channels(self) -> int:
        """D."""


@dataclass(frozen=True)
class Segmentation:
    """A label map int64 [B, H, W] at the picture's size, and the name of every label."""

    labels: Tensor
    names: tuple[str, ...]


class Segmenter(ABC):
    """A fixed-vocabulary semantic segmenter, as SegFormer (Xie et al., 2021)."""

    @abstractmethod
    def segment(self, images: Tensor) -> Segmentation:
        """The most likely class of every pixel of images [B, 3, H, W]."""


class PerceptualDistance(ABC):
    """LPIPS (Zhang et al., 2018): a distance between pictures in feature space."""

    @abstractmethod
    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        """Distances [B] >= 0 between two batches [B, 3, H, W]; differentiable in both."""


@dataclass(frozen=True)
class Prediction:
    """What a diffusion model says of x_t: the clean picture x0, the noise eps; [B, 3, S, S]."""

    x0: Tensor
    eps: Tensor


class Diffusion(Reader, ABC):
    """A pixel diffusion model for square pictures of side `size` and its noise schedule."""

    @property
    @abstractmethod
    def size(self) -> int:
        """The side in pixels that the model was trained at."""

    @property
    @abstractmethod
    def alphas_cumprod(self) -> Tensor:
        """The schedule: float32 [T], falling from about 1 to about 0 (DDPM, eq. 4)."""

    @property
    @abstractmethod
    def text_conditional(self) -> bool:
        """Whether `embed` distinguishes prompts."""

    @abstractmethod
    def embed(self, prompts: Sequence[str]) -> Tensor:
        """The conditioning [B, L, D] of B prompts; "" is the null prompt."""

    @abstractmethod
    def predict(
        self, x_t: Tensor, t: Tensor, condition: Tensor, source: Tensor, mask: Tensor
    ) -> Prediction:
        """One forward pass, differentiable in x_t.

        x_t [B, 3, S, S] at integer timesteps t [B]; condition from `embed`; source [B, 3, S, S] is
        the picture being edited and mask [B, 1, S, S] the region: inpainting models see
        source * (1 - mask), others ignore both.
        """


def freeze(module: torch.nn.Module) -> torch.nn.Module:
    """The module in eval mode with no parameter asking for a gradient."""
    return module.eval().requires_grad_(False)
