"""What CLIP is shown of a region: the one definition that guidance and ranking share.

Both see the same square around the region, the same surroundings and, through the encoder, the same
normalisation; otherwise a ranking judges pictures that guidance never saw.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from lr_edit.errors import UserError
from lr_edit.guidance.augment import compose, square_window, warp

Fill = Literal["gray", "source"]


@dataclass(frozen=True)
class ViewOptions:
    """The view of a region.

    side: its resolution in pixels; best CLIP's own input size. context: side of the square over
    the longer side of the region. fill: what stands outside the region, "gray" for x0 * m as in
    the Columbia report, or "source" for the picture's own surroundings, as the finished edit will
    show them.
    """

    side: int = 64
    context: float = 1.2
    fill: Fill = "gray"

    def __post_init__(self) -> None:
        if self.side < 8:
            raise UserError(f"views.side is {self.side} pixels; give 8 or more")
        if not self.context > 0:
            raise UserError(f"views.context is {self.context}; give a positive number, say 1.2")
        if self.fill not in ("gray", "source"):
            raise UserError(f"views.fill is {self.fill!r}; give gray or source")


def region_views(
    images: Tensor,
    source: Tensor,
    mask: Tensor,
    options: ViewOptions,
    matrices: Tensor | None = None,
) -> Tensor:
    """Views [B, K, 3, side, side] of the regions of images [B, 3, H, W]; differentiable in them.

    source [B or 1, 3, H, W] and mask [B or 1, 1, H, W] say what stands outside. matrices [B, K,
    3, 3] are augmentations within the view; without them there is the plain view alone, K = 1.
    """
    shown = images * mask
    if options.fill == "source":
        shown = shown + source * (1 - mask)
    window = square_window(mask, options.context)[:, None]
    if matrices is None:
        matrices = torch.eye(3).expand(len(images), 1, 3, 3)
    return warp(shown, compose(window, matrices.to(window.device)), options.side)
