"""Learnable Regions' three losses of an edited picture (Lin et al., CVPR 2024, sec. 3.3), pure.

Each gives one value [B] a picture; embeddings [B, D] are of unit length.
"""

import torch.nn.functional as F
from torch import Tensor


def text_loss(edited: Tensor, prompt: Tensor) -> Tensor:
    """L_CLIP = 1 − cos(edited picture, prompt)."""
    return 1 - F.cosine_similarity(edited, prompt, dim=-1)


def direction_loss(edited: Tensor, source: Tensor, prompt: Tensor, caption: Tensor) -> Tensor:
    """L_dir = 1 − cos(edited − source, prompt − caption): the change goes the way that the words go
    (Gal et al., StyleGAN-NADA, 2022)."""
    return 1 - F.cosine_similarity(edited - source, prompt - caption, dim=-1)


def structure_loss(edited: Tensor, source: Tensor) -> Tensor:
    """L_str: mean squared difference of the self-similarities of token maps [B, C, h, w]."""
    return (_self_similarity(edited) - _self_similarity(source)).square().mean((1, 2))


def _self_similarity(maps: Tensor) -> Tensor:
    """Cosines [B, N, N] between all tokens."""
    tokens = F.normalize(maps.flatten(2), dim=1)
    return tokens.transpose(1, 2) @ tokens
