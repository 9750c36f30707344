"""What CLIP is shown of a region: the one definition that guidance and ranking share.

Both see the same square around the region, the same surroundings and, through the encoder, the same
normalisation; otherwise a ranking judges pictures that guidance never saw.
"""

from torch import Tensor

from lr_edit.guidance.augment import compose, plain, square_window, warp
from lr_edit.guidance.options import ViewOptions


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
    matrices = plain(len(images)) if matrices is None else matrices
    return warp(shown, compose(window, matrices.to(window.device)), options.side)
