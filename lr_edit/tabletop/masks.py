"""What an edit or a phrase covers in rendered pictures; it knows no words."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lr_edit.tabletop.render import Rendering

LEAST_VISIBLE = 60 / 128**2
"""How much of a picture a thing has to fill; less cannot be recognised."""


@dataclass(frozen=True)
class EditMasks:
    """What B edits cover, as masks float32 [B, 1, H, W] of 0 and 1.

    thing: what is to change, in the source; arrived: what stands there in the target. Either is
    empty where there is none. place: all that changes, namely where source and target differ, and
    the two silhouettes, should old and new look alike somewhere.
    """

    thing: Tensor
    arrived: Tensor
    place: Tensor


def object_mask(rendering: Rendering, indices: Sequence[Sequence[int]]) -> Tensor:
    """float32 [B, 1, H, W], 1 where picture b shows one of the things `indices[b]`.

    indices[b]: indices into the things of scene b; none gives an empty mask.
    """
    masks = [
        torch.isin(instances, torch.tensor([i + 1 for i in chosen], device=instances.device))
        for instances, chosen in zip(rendering.instances, indices, strict=True)
    ]
    return torch.stack(masks)[:, None].float()


def shadow_mask(rendering: Rendering, indices: Sequence[int | None]) -> Tensor:
    """float32 [B, 1, H, W], 1 where picture b lies in the shadow of thing `indices[b]`, if any."""
    casting = torch.tensor([0 if i is None else i + 1 for i in indices])
    casting = casting.to(rendering.shadows)[:, None, None]
    return ((rendering.shadows == casting) & (casting > 0))[:, None].float()


def edit_mask(source: Rendering, target: Rendering, threshold: float = 6.0) -> Tensor:
    """float32 [B, 1, H, W], 1 where target and source differ: silhouettes and shadows.

    threshold: least difference of any channel, in levels of 255.
    """
    difference = (target.images - source.images).abs().amax(dim=1, keepdim=True)
    return (difference > 2 * threshold / 255).float()


def edit_masks(
    source: Rendering, target: Rendering, old: Sequence[int | None], new: Sequence[int | None]
) -> EditMasks:
    """The masks of B edits, rendered before and after.

    old, new: the index of each edit's thing in source and target; None where there is none.
    """
    thing, arrived = (
        object_mask(rendering, [() if index is None else (index,) for index in indices])
        for rendering, indices in ((source, old), (target, new))
    )
    place = torch.maximum(edit_mask(source, target), torch.maximum(thing, arrived))
    return EditMasks(thing, arrived, place)


def recognisable(mask: Tensor) -> Tensor:
    """bool [B]: which of the masks [B, 1, H, W] fill at least LEAST_VISIBLE of their picture."""
    return mask.mean(dim=(1, 2, 3)) >= LEAST_VISIBLE
