"""CLIP through OpenCLIP: any of its models, or a `local-dir:` folder; it knows nothing of prompts.

A local folder has open_clip_config.json (model_cfg, preprocess_cfg), open_clip_model.safetensors
and, where the text_cfg has an hf_tokenizer_name, the tokenizer's files.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lr_edit.backbones.base import ImageTextEncoder, freeze
from lr_edit.backbones.devices import device_named
from lr_edit.backbones.folders import loading, located
from lr_edit.backbones.pretrained import quiet
from lr_edit.errors import UserError

_LOCAL, _HUB = "local-dir:", "hf-hub:"


class OpenClipEncoder(ImageTextEncoder):
    """An OpenCLIP model.

    name: "local-dir:FOLDER", "hf-hub:OWNER/NAME", or an OpenCLIP architecture such as "ViT-B-16";
    only the last needs `pretrained`, the tag of its weights such as "openai".

    Raises UserError for unknown names and for missing or damaged weights.
    """

    def __init__(self, name: str, pretrained: str = "", device: str = "cpu") -> None:
        self._device = device_named(device)
        model, self._tokenizer = _load(name, pretrained)
        self._model: Any = freeze(model.to(self._device))
        facts = model.visual.preprocess_cfg
        self._mean, self._std = (
            torch.tensor(facts[key], device=self._device).view(1, 3, 1, 1)
            for key in ("mean", "std")
        )
        size = facts["size"]
        self._size = (size, size) if isinstance(size, int) else tuple(size)

    def encode_image(self, images: Tensor) -> Tensor:
        """Unit embeddings [B, D]; a picture that is not square is squeezed, nothing cut off."""
        return self._model.encode_image(self.pixels(images, self._size), normalize=True).float()

    @torch.no_grad()
    def encode_text(self, phrases: Sequence[str]) -> Tensor:
        """Unit embeddings [B, D]; phrases beyond the context are cut."""
        return self._model.encode_text(self.token_ids(phrases), normalize=True).float()

    def pixels(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        """Images [B, 3, H, W] in [-1, 1] as the vision tower takes them: of that height and width,
        normalised by the folder's mean and std."""
        images = images.to(self._device)
        if images.shape[-2:] != size:
            images = F.interpolate(
                images, size, mode="bicubic", antialias=True, align_corners=False
            )
        return ((images + 1) / 2 - self._mean) / self._std

    def token_ids(self, phrases: Sequence[str]) -> Tensor:
        """Ids int64 [B, context length], padded, longer phrases cut."""
        return self._tokenizer(list(phrases)).to(self._device)

    @property
    def network(self) -> Any:
        """OpenCLIP's own model, frozen."""
        return self._model

    @property
    def logit_scale(self) -> float:
        return float(self._model.logit_scale.exp())


def _load(name: str, pretrained: str) -> tuple[Any, Any]:
    """The model and its tokenizer."""
    import open_clip

    if name.startswith(_LOCAL):
        folder = located(name.removeprefix(_LOCAL))
        name = f"{_LOCAL}{folder}"
        fault, remedy = "damaged weights", "reinstall or run make weights"
    else:
        if not name.startswith(_HUB) and not pretrained:
            raise UserError(
                f"CLIP model {name!r} has no weights: give `pretrained`, such as openai, "
                f"or the name as {_LOCAL}FOLDER"
            )
        fault, remedy = "missing weights", "check the names and the network, or use local-dir:"
    with loading(name, fault, remedy), quiet():
        model = open_clip.create_model(name, pretrained=pretrained or None, require_pretrained=True)
        return model, open_clip.get_tokenizer(name)
