"""SegFormer through transformers, from a folder or the hub; it knows nothing about regions."""

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
    def logits(self, images: Tensor) -> Tensor:
        """Class logits [B, K, H, W] at the size of images [B, 3, H, W], upsampled bilinearly."""
        small = images.to(self._device)
        if small.shape[-2:] != self._size:
            small = F.interpolate(
                small, self._size, mode="bilinear", antialias=True, align_corners=False
            )
        pixels = ((small + 1) / 2 - self._mean) / self._std
        logits = self._model(pixel_values=pixels).logits.float()
        return F.interpolate(logits, images.shape[-2:], mode="bilinear", align_corners=False)

    def segment(self, images: Tensor) -> Segmentation:
        # One at a time: at a photograph's size the logits of many classes fill the memory.
        labels = [self.logits(image[None]).argmax(1) for image in images]
        return Segmentation(torch.cat(labels), self._names)
