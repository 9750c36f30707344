"""An edit in one step, rough but differentiable in the region: what a region can be learned from.

x0 is predicted once, from the noised source, and laid over the source by the soft mask; gradients
reach the mask through the overlay and through what the network is told to repaint.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from lr_edit.backbones.base import Diffusion
from lr_edit.backbones.devices import plain_attention


def rehearse(
    diffusion: Diffusion,
    image: Tensor,
    mask: Tensor,
    condition: Tensor,
    noise: Tensor,
    share: float = 0.7,
) -> Tensor:
    """Pictures [B, 3, H, W] in which the region of soft masks [B, 1, H, W] is repainted.

    condition: [B, L, D] from `diffusion.embed`. noise: [B, 3, S, S] of the model's size. share: how
    much of the noise schedule the source is noised by. Activations are recomputed going back
    (Chen et al., 2016), so that memory stays that of one forward pass.
    """
    size = (diffusion.size, diffusion.size)
    small = F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)
    region = F.interpolate(mask, size, mode="bilinear", antialias=True, align_corners=False)
    steps = len(diffusion.alphas_cumprod)
    t = torch.full((len(image),), round(share * (steps - 1)), device=image.device)
    alpha_bar = diffusion.alphas_cumprod.to(image.device)[t][:, None, None, None]
    hidden = small * (1 - region)  # the network is told to repaint: the old thing must not show
    x_t = alpha_bar.sqrt() * hidden + (1 - alpha_bar).sqrt() * noise

    def predicted(x: Tensor, source: Tensor, where: Tensor) -> Tensor:
        with plain_attention(image.device):  # here, so that it holds going back as well
            return diffusion.predict(x, t, condition, source, where).x0

    if torch.is_grad_enabled() and mask.requires_grad:
        painted = checkpoint(predicted, x_t, small, region, use_reentrant=False)
    else:
        painted = predicted(x_t, small, region)
    assert isinstance(painted, Tensor)
    painted = F.interpolate(painted, image.shape[-2:], mode="bilinear", align_corners=False)
    return image + mask * (painted.clamp(-1, 1) - image)
