"""The square around a region: cut out of a picture of any size, and the finished patches put back.

Pure functions of pictures and masks; nothing here knows how a patch is painted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import torch
import torch.nn.functional as F
from torch import Tensor

from lr_edit.crop import Box, crop, mask_box, paste, paste_mask, square_crop
from lr_edit.editors.options import WindowOptions
from lr_edit.errors import UserError
from lr_edit.masks import feather_mask, grow_mask

_RING = 3  # pixels around the region on which colours are compared
_NEAR = 3  # model pixels within which a solid part shows that nothing is thin
_LEAST_SHARE = 8  # however far it grows, a region keeps an eighth of the window's side for itself
_LARGEST_SHIFT = 0.2  # of the range [-1, 1]; more than that is no colour cast but another picture


@dataclass(frozen=True)
class Window:
    """A region at the model's size S.

    box: the square in the picture. source: [1, 3, S, S]. thing: [1, 1, S, S] in [0, 1], the region
    as it was given; mask: the same, grown; weight: with a soft rim inside that, 0 on the border
    where that is inside the picture. limit: [1, 1, H, W] in [0, 1], the most that any pixel of the
    picture may be repainted.
    """

    box: Box
    source: Tensor
    thing: Tensor
    mask: Tensor
    weight: Tensor
    limit: Tensor

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
    smaller comes back blurred. What is not to grow keeps to the region at the picture's own size
    too. Raises UserError when the region is empty, and for a grow that leaves it too little room.
    """
    grow = options.margin if complete else options.grow
    box = _box_around(region, size, options, complete)
    thing = _shrunk(region, box, size)
    mask = grow_mask(thing, grow)
    # A soft rim at the border too: a seam across the picture would show.
    weight = feather_mask(_bordered(mask, box, region.shape[2:]), options.feather)
    limit = _limit(region if grow == 0 else torch.ones_like(region), box)
    return Window(box, crop(image, box, size), thing, mask, weight, limit)


def _box_around(region: Tensor, size: int, options: WindowOptions, complete: bool) -> Box:
    """The square around a region that leaves it room to grow; see `open_window`."""
    name = "margin" if complete else "grow"
    grow: int = getattr(options, name)
    x0, y0, x1, y1 = box = mask_box(region)
    picture_size = (region.shape[3], region.shape[2])
    room, least_room = size - 2 * (grow + 1), max(size // _LEAST_SHARE, 1)
    longest = max(x1 - x0, y1 - y0) + 1  # the square may be half a pixel off centre
    fitting = min(ceil(longest * size / max(room, least_room)), max(picture_size))
    roomy = min(ceil(longest * (1 + 2 * options.context)), size, *picture_size)
    least = max(options.minimum, fitting, roomy)
    left, top, right, bottom = square_crop(box, picture_size, options.context / 2, least)
    if room < least_room and right - left < max(picture_size):
        limit = (size - least_room) // 2 - 1
        raise UserError(
            f"window.{name} is {grow}, but around a region as small as this the model's {size} "
            f"pixels have room for {limit} at most: give {limit} or less"
        )
    return left, top, right, bottom


def _limit(most: Tensor, box: Box) -> Tensor:
    """`most` [1, 1, H, W] with 0 on the box's border, where that is inside the picture."""
    limit, (rows, columns) = most.clone(), _lines(box)
    limit[..., rows, columns] = _bordered(most[..., rows, columns], box, most.shape[2:])
    return limit


def _lines(box: Box) -> tuple[slice, slice]:
    """The rows and columns of the picture that a box shows."""
    x0, y0, x1, y1 = box
    return slice(max(y0, 0), y1), slice(max(x0, 0), x1)


def _bordered(shown: Tensor, box: Box, shape: Sequence[int]) -> Tensor:
    """What a box shows of a mask, at any size [1, 1, h, w], with 0 on those of its border lines
    that are inside a picture of that shape (H, W)."""
    (x0, y0, x1, y1), (height, width), shown = box, shape, shown.clone()
    ends = ((2, 0, y0 > 0), (2, -1, y1 < height), (3, 0, x0 > 0), (3, -1, x1 < width))
    for dimension, line, inside in ends:
        if inside:
            shown.select(dimension, line).zero_()
    return shown


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
    area = (..., *_lines(window.box))
    weight = paste_mask(window.weight, image.shape[2:], window.box)
    # Resizing rings: what is all but repainted is repainted, and what would change no 8-bit value
    # is not part of the region.
    weight = torch.minimum(weight.masked_fill(weight > 0.9999, 1), window.limit)
    weight = weight * (weight >= 1 / 255)
    pictures = paste(image, patches, window.box)
    old, new, share = image[area], pictures[area], weight[area]
    pictures[area] = torch.where(share > 0, old + share * (new - old), old)
    return pictures, weight
