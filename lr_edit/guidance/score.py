"""How well a finished region fits its prompt: the CLIP half of ranking."""

import math
from dataclasses import replace

import torch
from torch import Generator, Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from lr_edit.backbones.base import ImageTextEncoder
from lr_edit.guidance.augment import homographies
from lr_edit.guidance.losses import cosine_distance
from lr_edit.guidance.options import AugmentOptions, ViewOptions
from lr_edit.guidance.views import region_views


@torch.no_grad()
def region_score(
    encoder: ImageTextEncoder,
    images: Tensor,
    source: Tensor,
    mask: Tensor,
    prompt: str,
    views: ViewOptions,
    augment: AugmentOptions,
    seed: int = 0,
    blur: float = 0.0,
) -> Tensor:
    """Cosines [N] between the prompt and the regions of finished pictures [N, 3, H, W].

    source [1, 3, H, W], mask [1, 1, H, W]. The pictures are shown exactly as guidance shows them
    (`region_views` with the same options, the encoder's own normalisation), but under
    augmentations of their own, the same for every candidate: an image that only fools the views
    that guided it loses. blur: standard deviation in pixels of a view; fine texture is what
    guidance fools an encoder with.
    """
    generators = [Generator().manual_seed(seed) for _ in range(len(images))]
    # The first view is always the plain one, which guided.
    matrices = homographies(replace(augment, copies=augment.copies + 1), generators)[:, 1:]
    shown = region_views(images, source, mask, views, matrices)
    flat = shown.flatten(0, 1)
    if blur > 0:
        flat = gaussian_blur(flat, [2 * math.ceil(2 * blur) + 1] * 2, [blur] * 2)
    embeddings = encoder.encode_image(flat).float()
    distances = cosine_distance(embeddings, encoder.encode_text([prompt]).float())
    return 1 - distances.view(shown.shape[:2]).mean(dim=1)
