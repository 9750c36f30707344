"""The square around a region: cut out of a picture of any size, and the finished patches put back.

Pure functions of pictures and masks; nothing here knows how a patch is painted.
"""

from dataclasses import dataclass
from math import ceil

import torch
import torch.nn.functional as F
from torch import Tensor

from lr_edit.crop import Box, crop, mask_box, paste, paste_mask, square_crop
from lr_edit.editors.options import WindowOptions
from lr_edit.masks import feather_mask, grow_mask

_RING = 3  # pixels around the region on which colours are compared
_NEAR = 3  # model pixels within which a solid part shows that nothing is thin
_LARGEST_SHIFT = 0.2  # of the range [-1, 1]; more than that is no colour cast but another picture


@dataclass(frozen=True)
class Window:
    """A region at the model's size S.

    box: the square in the picture. source: [1, 3, S, S]. thing: [1, 1, S, S] in [0, 1], the region
    as it was given; mask: the same, grown; weight: with a soft rim inside that.
    """

    box: Box
    source: Tensor
    thing: Tensor
    mask: Tensor
    weight: Tensor

    @property
    def hole(self) -> Tensor:
        """The region as a hard mask, for networks that were trained on such."""
        return (self.mask > self.mask.amax() / 2).float()


def open_window(
    image: Tensor, region: Tensor, size: int, options: WindowOptions, complete: bool = False
) -> Window:
    """The window of side `size` around a region [1, 1, H, W] of an image [1, 3, H, W].

    complete: whether the region holds all that changes, so that a margin is enough. The square is
    square in the picture too: nothing is squashed. It leaves room on every side for the region to
    grow, and shows less of the surroundings rather than shrinking the picture: what is painted
    smaller comes back blurred. Raises UserError when the region is empty.
    """
    grow = options.margin if complete else options.grow
    x0, y0, x1, y1 = box = mask_box(region)
    picture_size = (image.shape[3], image.shape[2])
    room = max(size - 2 * (grow + 1), size // 2)
    longest = max(x1 - x0, y1 - y0) + 1  # the square may be half a pixel off centre
    fitting = min(ceil(longest * size / room), max(picture_size))
    roomy = min(ceil(longest * (1 + 2 * options.context)), size, *picture_size)
    least = max(options.minimum, fitting, roomy)
    box = square_crop(box, picture_size, options.context / 2, least)
    thing = _shrunk(region, box, size)
    mask = grow_mask(thing, grow)
    return Window(box, crop(image, box, size), thing, mask, feather_mask(mask, options.feather))


def _shrunk(region: Tensor, box: Box, size: int) -> Tensor:
    """What a box shows of a region, at the model's size [1, 1, S, S]: parts thinner than a pixel
    there count as much as in the picture, where plain averages would leave them faint."""
    shown, side = crop(region, box, size), box[2] - box[0]
    if side <= size:
        return shown
    highest, reach = F.adaptive_max_pool2d(crop(region, box, side), size), 2 * _NEAR + 1
    near, full = (F.max_pool2d(m, reach, 1, _NEAR) for m in (shown, highest))
    raised = (shown * full / near.clamp_min(1e-6)).clamp(max=1)
    return torch.where(near < full / 2, raised, shown)


def match_color(patches: Tensor, unblended: Tensor, window: Window) -> Tensor:
    """Patches [N, 3, S, S] shifted by the mean of source - unblended on a ring around the region.

    `unblended` is what the model itself painted there before the source was put back: where it
    missed the source's colour outside, it missed it inside as well.
    """
    ring = grow_mask(window.mask, _RING) * (window.mask == 0)
    area = ring.sum().clamp(min=1)
    missed = ((window.source - unblended) * ring).sum(dim=(2, 3), keepdim=True) / area
    return (patches + missed.clamp(-_LARGEST_SHIFT, _LARGEST_SHIFT)).clamp(-1, 1)


def close_window(image: Tensor, patches: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """Pictures [N, 3, H, W] with the patches in place, and the weight [1, 1, H, W] they were given.

    Where the weight is 0 a picture equals the image exactly, whatever the patch holds.
    """
    x0, y0, x1, y1 = window.box
    area = (..., slice(max(y0, 0), y1), slice(max(x0, 0), x1))
    weight = paste_mask(window.weight, image.shape[2:], window.box)
    # Resizing rings: what would change no 8-bit value is not part of the region.
    weight = weight * (weight >= 1 / 255)
    pictures = paste(image, patches, window.box)
    old, new, share = image[area], pictures[area], weight[area]
    pictures[area] = torch.where(share > 0, old + share * (new - old), old)
    return pictures, weight
