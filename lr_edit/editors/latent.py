"""Editing in a latent space: Blended Latent Diffusion (Avrahami et al., SIGGRAPH 2023).

The window becomes latents, its region the cells that touch it, and small regions begin wider than
they are. Nothing here samples or guides.
"""

from math import floor

from scipy import ndimage
from torch import Tensor
from torch.nn.functional import max_pool2d

from lr_edit.backbones.latent import LatentCodec
from lr_edit.editors.canvas import Canvas, Map
from lr_edit.editors.denoisers import gray_projection
from lr_edit.editors.window import Window
from lr_edit.masks import grow_mask


def latent_canvas(window: Window, codec: LatentCodec, shrink: int, gray: bool) -> Canvas:
    """The window's latents. gray: decoded pictures have no colour.

    shrink: see `widening`. Inpainting models are told of the picture with its region gone, as they
    were trained (mid gray, 0); the source itself gives the background.
    """
    cells = latent_mask(window.hole, codec.factor)
    masks = shrinking(cells, widening(cells, shrink))

    def shown(decode: Map) -> Map:
        return (lambda z: gray_projection(decode(z))) if gray else decode

    return Canvas(
        source=codec.encode(window.source),
        shown=codec.encode(window.source * (1 - window.hole)),
        hole=cells,
        free=lambda done: masks[floor((len(masks) - 1) * (1 - done) + 0.5)],
        picture=shown(codec.decode),
        view=shown(codec.glimpse),
    )


def latent_mask(hole: Tensor, factor: int) -> Tensor:
    """The cells [1, 1, S / factor, S / factor] that touch a region [1, 1, S, S] of 0 and 1.

    However thin the region is, none of it is lost.
    """
    return max_pool2d(hole, factor)


def widening(cells: Tensor, shrink: int) -> int:
    """By how many cells a region is widened at first: until its middle is `shrink` from the rim.

    A region as thick as that is not widened: what is painted in it will fit into it anyhow. The
    paper's section 4.3 does so for thin masks, since the first steps lay out coarse shapes and find
    no room in few cells.
    """
    depth = ndimage.distance_transform_edt(cells[0, 0].cpu().numpy() > 0).max()
    return max(shrink - int(depth), 0)


def shrinking(cells: Tensor, width: int) -> list[Tensor]:
    """The region widened by 0, 1, ..., width cells, each [1, 1, s, s]."""
    return [grow_mask(cells, by) if by else cells for by in range(width + 1)]
