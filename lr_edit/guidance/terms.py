"""Guidance terms: objects that hold what a loss needs besides the picture, and their weighted sum.

A term knows the current clean estimate, the source, the mask and the prompt; it knows nothing of
timesteps, samplers or gradients.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from lr_edit.backbones.base import ImageTextEncoder, PerceptualDistance
from lr_edit.errors import UserError
from lr_edit.guidance.augment import plain
from lr_edit.guidance.losses import (
    background_l2,
    background_lpips,
    cosine_distance,
    range_loss,
    spherical_distance,
)
from lr_edit.guidance.options import Distance, ViewOptions
from lr_edit.guidance.views import region_views

_DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "spherical": spherical_distance,
    "cosine": cosine_distance,
}


VIEW_PIXELS = 4 * 224**2
"""Of views in one call of an encoder: what more of them remember for their slope is much memory."""


class TextCache:
    """An encoder's text embeddings, each phrase encoded once."""

    def __init__(self, encoder: ImageTextEncoder) -> None:
        self._encoder = encoder
        self._known: dict[str, Tensor] = {}

    def __call__(self, phrase: str) -> Tensor:
        """The unit embedding [1, D] of a phrase, float32, without a graph."""
        if phrase not in self._known:
            with torch.no_grad():
                self._known[phrase] = self._encoder.encode_text([phrase]).float()
        return self._known[phrase]


class GuidanceTerm(ABC):
    """One loss that pulls an edit towards the prompt or keeps it near the source."""

    clean_only = False  # whether noise in the picture would be mistaken for a fault of it

    @abstractmethod
    def __call__(self, denoised: Tensor, source: Tensor, mask: Tensor, prompt: str) -> Tensor:
        """The loss [B] of denoised [B, 3, H, W], differentiable in it.

        source [B or 1, 3, H, W] in [-1, 1] and mask [B or 1, 1, H, W] in [0, 1] broadcast.
        """


class ClipTerm(GuidanceTerm):
    """L_CLIP: the distance between CLIP(e) and CLIP(x0 * m), averaged over augmented views.

    Joshi and Aditya, section 3.3; the average over augmentations is Blended Diffusion's, section
    3.3. All candidates go through the encoder together, as many views of each in one call as keep
    within VIEW_PIXELS. `augment` gives the matrices [B, K, 3, 3] of one evaluation; without it
    there is the plain view alone.
    """

    def __init__(
        self,
        encoder: ImageTextEncoder,
        text: TextCache,
        distance: Distance = "spherical",
        views: ViewOptions | None = None,
        augment: Callable[[], Tensor] | None = None,
    ) -> None:
        if distance not in _DISTANCES:
            raise UserError(f"distance is {distance!r}; give spherical or cosine")
        self._encoder = encoder
        self._text = text
        self._distance = _DISTANCES[distance]
        self._views = views or ViewOptions()
        self._augment = augment

    def __call__(self, denoised: Tensor, source: Tensor, mask: Tensor, prompt: str) -> Tensor:
        """The mean distance [B] over the views of each candidate."""
        matrices = self._augment() if self._augment else plain(len(denoised))
        at_once = max(1, VIEW_PIXELS // (len(denoised) * self._views.side**2))

        def distance(images: Tensor, chosen: Tensor) -> Tensor:
            views = region_views(images, source, mask, self._views, chosen)
            embeddings = self._encoder.encode_image(views.flatten(0, 1)).float()
            distances = self._distance(embeddings, self._text(prompt))
            return distances.view(views.shape[:2]).sum(dim=1)

        parts = [
            sloped(partial(distance, chosen=part), denoised) for part in matrices.split(at_once, 1)
        ]
        return torch.stack(parts).sum(dim=0) / matrices.shape[1]


class LpipsTerm(GuidanceTerm):
    """L_LPIPS between the masked backgrounds; see losses.background_lpips."""

    def __init__(self, perceptual: PerceptualDistance) -> None:
        self._perceptual = perceptual

    def __call__(self, denoised: Tensor, source: Tensor, mask: Tensor, prompt: str) -> Tensor:
        """The perceptual distance [B] outside the region."""
        return background_lpips(self._perceptual, denoised, source, mask)


class L2Term(GuidanceTerm):
    """L_2 between the masked backgrounds; see losses.background_l2."""

    def __call__(self, denoised: Tensor, source: Tensor, mask: Tensor, prompt: str) -> Tensor:
        """The mean squared difference [B] outside the region."""
        return background_l2(denoised, source, mask)


class RangeTerm(GuidanceTerm):
    """Keeps x0 within [-1, 1]; see losses.range_loss."""

    clean_only = True

    def __call__(self, denoised: Tensor, source: Tensor, mask: Tensor, prompt: str) -> Tensor:
        """The mean squared excess [B]."""
        return range_loss(denoised)


def weighted_sum(
    terms: Mapping[str, tuple[float, GuidanceTerm]],
    clean: Tensor,
    seen: Tensor,
    source: Tensor,
    mask: Tensor,
    prompt: str,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The total loss [B] and each term's own unweighted [B], by name and without a graph.

    clean [B, 3, H, W] is the estimate x0; seen is what the terms look at: x0 again, or its
    mixture with the noisy sample, which `clean_only` terms must not be shown. The terms' slopes are
    taken one after the other; see `sloped`.
    """
    losses = {
        name: sloped(
            partial(term, source=source, mask=mask, prompt=prompt),
            clean if term.clean_only else seen,
        )
        for name, (_, term) in terms.items()
    }
    total = torch.stack([terms[name][0] * loss for name, loss in losses.items()]).sum(dim=0)
    return total, {name: loss.detach() for name, loss in losses.items()}


def sloped(loss: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """loss(images) [B], whose slope is taken at once: no graph of it is kept, only its gradient.

    So what a term's network remembers for its slope is gone before the next term begins, and before
    the slope of the model that made the images. Loss b may depend on image b alone. Where there is
    no slope, as of the norms inside LPIPS where all features are 0, the loss has no opinion. Second
    derivatives are lost.
    """
    if not (torch.is_grad_enabled() and images.requires_grad):
        return loss(images)
    leaf = images.detach().requires_grad_()
    value = loss(leaf)
    (slope,) = torch.autograd.grad(value.sum(), leaf)
    slope = slope.nan_to_num(0.0, 0.0, 0.0)
    return value.detach() + (slope * (images - images.detach())).flatten(1).sum(1)
