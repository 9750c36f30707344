"""How visible the border of an edited region is; it knows nothing of how the edit was made.

Images are float32 [N, 3, H, W] in [-1, 1]; masks float32 [1, 1, H, W], edited where above 0.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from lr_edit.crop import mask_box


@torch.no_grad()
def seam(images: Tensor, source: Tensor, mask: Tensor, distances: Sequence[int] = (1, 3)) -> Tensor:
    """The edge [N] in [0, 1] along the border of the region that nothing else explains; 0 = none.

    For two pixels p, q of a row or column, d apart, one on either side of the border, let |p - q|
    be the mean absolute difference of their colours. What is not explained there is

        e = max(0, |p - q| - max(|p' - p|, |q - q'|, |p_source - q_source|)) / 2

    where p' and q' lie d further out and in: a texture or a slope that goes on, and an edge that
    the source had as well, are no seam. The seam is the mean of e over all such pairs, the largest
    over d in `distances`: 1 finds hard edges, more finds those that a feathered rim has spread. A
    step of height h on an even ground gives h / 2. Contours of what was painted count where they
    meet the border, so that a perfect edit has about 0.01; even colour in the region, 0.05.

    images [N, 3, H, W], source [1, 3, H, W], mask [1, 1, H, W]. Where the region is empty, or all
    of the picture, there is no border: 0.
    """
    inside = mask[:, :1] > 0
    if not inside.any():
        return images.new_zeros(len(images))
    # Only the surroundings of the region matter, and pictures may be large.
    x0, y0, x1, y1 = mask_box(mask)
    reach = 2 * max(distances) + 1
    rows, columns = slice(max(y0 - reach, 0), y1 + reach), slice(max(x0 - reach, 0), x1 + reach)
    images, source, inside = (part[:, :, rows, columns] for part in (images, source, inside))
    levels = [_unexplained(images, source, inside, d) for d in distances]
    return torch.stack(levels).amax(dim=0)


def _unexplained(images: Tensor, source: Tensor, inside: Tensor, d: int) -> Tensor:
    """The mean of e [N] at one distance, over rows and columns."""
    total, pairs = images.new_zeros(len(images)), 0
    for turned in (False, True):
        image, before, region = (
            part.transpose(2, 3) if turned else part for part in (images, source, inside)
        )
        if image.shape[3] <= d:
            continue
        step, old_step = _steps(image, d), _steps(before, d)
        border = region[..., :-d] != region[..., d:]
        around = functional.pad(step, (d, d), mode="constant")  # at the picture's edge: no slope
        width = step.shape[-1]
        explained = torch.maximum(around[..., :width], around[..., 2 * d : 2 * d + width])
        excess = (step - torch.maximum(explained, old_step)).clamp(min=0) / 2 * border
        total = total + excess.sum(dim=(1, 2, 3))
        pairs += int(border.sum())
    return total / max(pairs, 1)


def _steps(images: Tensor, d: int) -> Tensor:
    """Mean absolute differences [N, 1, H, W - d] of the colours of pixels d apart in a row."""
    return (images[..., d:] - images[..., :-d]).abs().mean(dim=1, keepdim=True)
