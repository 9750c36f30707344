"""What the region network reads: frozen feature maps of pictures and token states of phrases."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lr_edit.backbones.base import DenseEncoder
from lr_edit.backbones.open_clip_dense import OpenClipDense
from lr_edit.regions.feature_cache import FeatureCache
from lr_edit.regions.words import Words, read_words


class FrozenFeatures:
    """CLIP's text tower and the patch tokens of CLIP, DINO or both; nothing here is trained.

    clip: reads the phrases. dino: None leaves its maps out. clip_maps: False leaves CLIP's out.
    cache: a folder in which maps are kept, so that each picture is computed once; "" = none.
    """

    def __init__(
        self,
        clip: OpenClipDense,
        dino: DenseEncoder | None = None,
        clip_maps: bool = True,
        cache: str = "",
    ) -> None:
        self.words = clip
        self.pictures = tuple(
            encoder
            for encoder, used in ((clip, clip_maps), (dino, dino is not None))
            if encoder is not None and used
        )
        kept = bool(cache and self.pictures)
        self.cache = FeatureCache(cache, self.identities) if kept else None

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of every map of `maps`."""
        return tuple(c for encoder in self.pictures for c in encoder.channels)

    @property
    def identities(self) -> tuple[str, ...]:
        """What the maps come from, in order."""
        return tuple(encoder.identity for encoder in self.pictures)

    @torch.no_grad()
    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """Feature maps [B, C_i, h_i, w_i] of pictures [B, 3, H, W] in [-1, 1], on their device."""
        if self.cache is None:
            return self.computed(images)
        return self.cache.maps(images, self.computed)

    @torch.no_grad()
    def computed(self, images: Tensor) -> tuple[Tensor, ...]:
        """`maps`, from the backbones themselves."""
        maps = (m for encoder in self.pictures for m in encoder.patch_features(images))
        return tuple(m.to(images.device) for m in maps)

    @torch.no_grad()
    def tokens(
        self,
        phrases: Sequence[str],
        edit: Tensor | None = None,
        paints: Sequence[str] | None = None,
    ) -> Words:
        """The words of phrases, see `read_words`."""
        return read_words(self.words, phrases, edit, paints)
