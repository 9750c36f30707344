"""SegFormer through transformers, from a folder or the hub; it knows nothing about regions."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lr_edit.backbones.base import Segmentation, Segmenter, freeze
from lr_edit.backbones.devices import device_named
from lr_edit.backbones.folders import loading, located
from lr_edit.backbones.pretrained import from_folder

FILES = ("config.json", "preprocessor_config.json", "*.safetensors")
"""What is fetched from the hub."""
_AT_ONCE = 2**26  # logits: 256 MB of all classes' at a photograph's size


class SegformerSegmenter(Segmenter):
    """A SegformerForSemanticSegmentation with its image processor's size, mean and std.

    name: a folder, or owner/name on the hub such as nvidia/segformer-b5-finetuned-ade-640-640;
    revision: a commit, branch or tag there, None for the newest.

    Raises UserError for missing or damaged weights.
    """

    def __init__(self, name: str, device: str = "cpu", revision: str | None = None) -> None:
        from transformers import SegformerForSemanticSegmentation, SegformerImageProcessor

        self._device = device_named(device)
        folder = located(name, FILES, revision)
        with loading(folder):
            processor = SegformerImageProcessor.from_pretrained(str(folder), local_files_only=True)
            model = from_folder(SegformerForSemanticSegmentation, folder)
        self._model: Any = freeze(model.to(self._device))
        self._mean, self._std = (
            torch.tensor(values, device=self._device).view(1, 3, 1, 1)
            for values in (processor.image_mean, processor.image_std)
        )
        self._size = (processor.size["height"], processor.size["width"])
        names = model.config.id2label
        self._names = tuple(names[k] for k in sorted(names))

    @torch.no_grad()
    def logits(self, images: Tensor, upsampled: bool = True) -> Tensor:
        """Class logits [B, K, H, W] at the size of images [B, 3, H, W], upsampled bilinearly; or
        [B, K, h, w], not upsampled, as the network gives them."""
        small = images.to(self._device)
        if small.shape[-2:] != self._size:
            small = F.interpolate(
                small, self._size, mode="bilinear", antialias=True, align_corners=False
            )
        pixels = ((small + 1) / 2 - self._mean) / self._std
        logits = self._model(pixel_values=pixels).logits.float()
        return _resized(logits, images.shape[-2:]) if upsampled else logits

    def segment(self, images: Tensor) -> Segmentation:
        labels = [
            most_likely(self.logits(image[None], upsampled=False), image.shape[-2:])
            for image in images
        ]
        return Segmentation(torch.cat(labels), self._names)


def most_likely(logits: Tensor, size: Sequence[int]) -> Tensor:
    """Labels int64 [B, H, W]: the argmax of logits [B, K, h, w] upsampled bilinearly to (H, W).

    A few classes at a time, as at a photograph's size the logits of all fill the memory; every
    number is the same as at once. Of equal ones the first wins.
    """
    several = max(1, _AT_ONCE // (size[0] * size[1]))
    best, labels = _resized(logits[:, :several], size).max(1)
    for first in range(several, logits.shape[1], several):
        values, classes = _resized(logits[:, first : first + several], size).max(1)
        better = values > best
        labels = torch.where(better, classes + first, labels)
        best = torch.where(better, values, best)
    return labels


def _resized(logits: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(logits, tuple(size), mode="bilinear", align_corners=False)
