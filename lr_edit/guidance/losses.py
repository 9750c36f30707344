"""The losses that guide an edit, as pure functions; nothing here knows the inside of a network.

Every loss returns [B]: it averages over what belongs to one sample and never over the batch, so a
sample's gradient is the same alone and among others. Images are float32 [B, 3, H, W] in [-1, 1];
masks float32 [B or 1, 1, H, W] in [0, 1], 1 = edit.
"""

from torch import Tensor
from torch.nn import functional

from lr_edit.backbones.base import PerceptualDistance

_BELOW_ONE = 1 - 1e-6  # arcsin has an infinite slope at 1, where two embeddings are opposite


def spherical_distance(u: Tensor, v: Tensor) -> Tensor:
    """Half the squared angle of embeddings [..., D]: 2 arcsin^2(|u - v| / 2), in [0, pi^2 / 2].

    The guidance loss of Blended Diffusion's released code (Avrahami et al., CVPR 2022), which
    took it from Crowson's CLIP-guided diffusion. Both sides are normalised here and broadcast.
    """
    gap = functional.normalize(u, dim=-1) - functional.normalize(v, dim=-1)
    return 2 * (gap.norm(dim=-1) / 2).clamp(max=_BELOW_ONE).arcsin().square()


def cosine_distance(u: Tensor, v: Tensor) -> Tensor:
    """1 - cos(u, v) of embeddings [..., D], in [0, 2]; Blended Diffusion, eq. 5."""
    return 1 - functional.cosine_similarity(u, v, dim=-1)


def per_sample_mean(values: Tensor) -> Tensor:
    """The mean [B] of values [B, ...] over everything but the batch."""
    return values.flatten(1).mean(dim=1)


def background_l2(x0: Tensor, source: Tensor, mask: Tensor) -> Tensor:
    """L_2 [B] = mean((x0 * (1 - m) - source * (1 - m))^2): what should stay, compared with itself.

    Joshi and Aditya, section 3.3. Both sides are masked alike, so what stands inside the region
    plays no part.
    """
    keep = 1 - mask
    return per_sample_mean((x0 * keep - source * keep).square())


def background_lpips(
    perceptual: PerceptualDistance, x0: Tensor, source: Tensor, mask: Tensor
) -> Tensor:
    """L_LPIPS [B] = LPIPS(x0 * (1 - m), source * (1 - m)); Joshi and Aditya, section 3.3."""
    keep = 1 - mask
    return perceptual.distance(x0 * keep, (source * keep).expand_as(x0)).float()


def range_loss(x0: Tensor) -> Tensor:
    """L_range [B] = mean((x0 - clamp(x0, -1, 1))^2): zero while every pixel is a colour.

    From the released code of Blended Diffusion, which weighs it with 50.
    """
    return per_sample_mean((x0 - x0.clamp(-1, 1)).square())
