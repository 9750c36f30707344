"""CLIP through OpenCLIP: any of its models, or a `local-dir:` folder; it knows nothing of prompts.

A folder has open_clip_config.json (model_cfg, preprocess_cfg), open_clip_model.safetensors or
model.safetensors, and, where the text_cfg has an hf_tokenizer_name, the tokenizer's files.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lr_edit.backbones.base import ImageTextEncoder, freeze
from lr_edit.backbones.devices import device_named
from lr_edit.backbones.folders import CONVERT, loading, located
from lr_edit.backbones.hub_files import HubFiles
from lr_edit.backbones.open_clip_folder import HUB, LOCAL, WEIGHTS, hub_source, load_folder
from lr_edit.backbones.pretrained import quiet
from lr_edit.backbones.sources import Source
from lr_edit.backbones.tokenizer import token_count
from lr_edit.backbones.url_files import UrlFile, torch_checkpoints
from lr_edit.errors import UserError
from lr_edit.instruction import check_length


class OpenClipEncoder(ImageTextEncoder):
    """An OpenCLIP model.

    name: "local-dir:FOLDER", "hf-hub:OWNER/NAME", or an OpenCLIP architecture such as "ViT-B-16";
    only the last needs `pretrained`, the tag of its weights such as "openai", or a file of
    safetensors. revision: of the repository on the hub, which a tag stands for too; None for the
    newest.

    Raises UserError for unknown names, and for missing, damaged or pickled weights.
    """

    def __init__(
        self, name: str, pretrained: str = "", device: str = "cpu", revision: str | None = None
    ) -> None:
        self._device = device_named(device)
        model, self._tokenizer = _load(name, pretrained, revision)
        self._model: Any = sequence_first(freeze(model.to(self._device)))
        self._context = int(self._tokenizer.context_length)
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

    def check_length(self, phrase: str) -> None:
        check_length(phrase_tokens(self._tokenizer, phrase), self._context, phrase, "CLIP")

    @property
    def network(self) -> Any:
        """OpenCLIP's own model, frozen."""
        return self._model

    @property
    def logit_scale(self) -> float:
        return float(self._model.logit_scale.exp())


def sequence_first(model: Any) -> Any:
    """The model, whose transformers from now on hold tokens [L, B, D] inside; nothing else differs.

    As [B, L, D], which is OpenCLIP's default, torch's attention multiplies transposed views one
    picture at a time: up to twelve times slower on a CPU, most of all in bfloat16.
    """
    from open_clip.transformer import ResidualAttentionBlock, Transformer

    for part in model.modules():
        blocks = getattr(part, "resblocks", ())
        if type(part) is Transformer and all(type(b) is ResidualAttentionBlock for b in blocks):
            part.batch_first = False
            for block in blocks:
                block.attn.batch_first = False
    return model


def phrase_tokens(tokenizer: Any, phrase: str) -> int:
    """How many tokens an OpenCLIP tokenizer makes of a phrase, nothing cut, start and end included.

    Those of transformers add the two themselves.
    """
    if not hasattr(tokenizer, "tokenizer"):
        return len(tokenizer.encode(phrase)) + 2
    return token_count(tokenizer.tokenizer, phrase)


def tag_source(name: str, tag: str, revision: str | None = None) -> Source | None:
    """Where the weights of an architecture's tag come from; None for a tag that OpenCLIP lacks.

    From the hub, as safetensors, wherever OpenCLIP knows a repository there.
    """
    import open_clip

    config = open_clip.get_pretrained_cfg(name, tag)
    if not config:
        return None
    if config.get("hf_hub"):
        repo, _, file = config["hf_hub"].rpartition("/")
        return HubFiles(repo, (_safe(file),), revision or "main")
    url = config["url"]
    # The library's own addresses name the digest in the path or in the file.
    digest = re.search(r"/([0-9a-f]{64})/|-([0-9a-f]{8,64})\.pt$", url)
    target = torch_checkpoints() / f"open_clip-{name}-{url.rpartition('/')[2]}"
    return UrlFile(url, target, next(filter(None, digest.groups())) if digest else "")


def _safe(file: str) -> str:
    """The safetensors that a repository has in place of a pickled file; "" is OpenCLIP's usual."""
    return f"{Path(file).stem}.safetensors" if file else WEIGHTS[0]


def _load(name: str, pretrained: str, revision: str | None) -> tuple[Any, Any]:
    """The model and its tokenizer."""
    if name.startswith(LOCAL):
        return load_folder(located(name.removeprefix(LOCAL)))
    if name.startswith(HUB):
        folder = hub_source(name.removeprefix(HUB), revision).fetch()
        return load_folder(folder, f"remove {folder} and fetch it again")
    if not pretrained:
        raise UserError(
            f"CLIP model {name!r} has no weights: give `pretrained`, such as openai, "
            f"or the name as {LOCAL}FOLDER"
        )
    return _load_tag(name, pretrained, revision)


def _load_tag(name: str, pretrained: str, revision: str | None) -> tuple[Any, Any]:
    """An architecture of OpenCLIP with the weights of a tag, or of a file of safetensors."""
    import open_clip

    options: dict[str, Any] = {}
    fault, remedy = "missing weights", "check the names and the network, or use local-dir:"
    source = tag_source(name, pretrained, revision)
    if source is not None:
        options = _tag_options(open_clip.get_pretrained_cfg(name, pretrained))
        place = source.fetch()
        pretrained = str(place / source.files if place.is_dir() else place)
        fault, remedy = "damaged weights", f"remove {pretrained} and fetch it again"
    elif Path(pretrained).is_file() and not pretrained.endswith(".safetensors"):
        raise UserError(f"damaged weights: {pretrained!r} is no safetensors file; {CONVERT}")
    with loading(name, fault, remedy), quiet():
        model = open_clip.create_model(
            name, pretrained=pretrained, require_pretrained=True, **options
        )
        return model, open_clip.get_tokenizer(name)


def _tag_options(config: dict[str, Any]) -> dict[str, Any]:
    """What a tag says of its model besides the weights: how pictures are normalised, which GELU."""
    keys = ("mean", "std", "interpolation", "resize_mode")
    facts = {key: config[key] for key in keys if key in config}
    return {"force_preprocess_cfg": facts, "force_quick_gelu": bool(config.get("quick_gelu"))}
