"""What an edit or a phrase covers in rendered pictures; it knows no words."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lr_edit.tabletop.render import Rendering


def object_mask(rendering: Rendering, indices: Sequence[Sequence[int]]) -> Tensor:
    """float32 [B, 1, H, W], 1 where picture b shows one of the things `indices[b]`.

    indices[b]: indices into the things of scene b; none gives an empty mask.
    """
    masks = [
        torch.isin(instances, torch.tensor([i + 1 for i in chosen], device=instances.device))
        for instances, chosen in zip(rendering.instances, indices, strict=True)
    ]
    return torch.stack(masks)[:, None].float()


def edit_mask(source: Rendering, target: Rendering, threshold: float = 6.0) -> Tensor:
    """float32 [B, 1, H, W], 1 where target and source differ: silhouettes, shadows, reflections.

    threshold: least difference of any channel, in levels of 255.
    """
    difference = (target.images - source.images).abs().amax(dim=1, keepdim=True)
    return (difference > 2 * threshold / 255).float()
