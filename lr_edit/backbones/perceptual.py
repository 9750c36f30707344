"""LPIPS through the lpips package, with its own trunks or with one trained here.

A folder of one's own holds config.json ({"widths": […]} of the `PerceptualTrunk`) and
model.safetensors, the state of the whole lpips.LPIPS: trunk and linear heads.
"""

import json
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lr_edit.backbones.base import PerceptualDistance, freeze
from lr_edit.backbones.devices import device_named
from lr_edit.backbones.folders import loading, located, replacing_folder
from lr_edit.backbones.perceptual_trunk import PerceptualTrunk
from lr_edit.backbones.url_files import UrlFile, torch_checkpoints
from lr_edit.errors import UserError

_TRUNKS = {"vgg": "VGG16_Weights", "alex": "AlexNet_Weights", "squeeze": "SqueezeNet1_1_Weights"}
_MINIMUM = 32


class LpipsDistance(PerceptualDistance):
    """LPIPS (Zhang et al., 2018).

    folder: of a trunk trained here; without one, `net` names a trunk of the lpips package, vgg,
    alex or squeeze, whose ImageNet weights torchvision fetches once.

    Raises UserError for an unknown trunk and for missing or damaged weights.
    """

    def __init__(self, net: str = "vgg", folder: str = "", device: str = "cpu") -> None:
        self._device = device_named(device)
        model = load_lpips(located(folder)) if folder else _published(net)
        self._model: Any = freeze(model.to(self._device))

    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        """Distances [B]; pictures with a side under 32 pixels are enlarged to it."""
        first, second = (_enlarged(image.to(self._device)) for image in (first, second))
        return self._model(first, second).flatten()


def build_lpips(trunk: PerceptualTrunk) -> Any:
    """An lpips.LPIPS around a trunk, with equal heads, ready to be trained.

    Its forward takes two batches [B, 3, H, W] in [-1, 1] and gives [B, 1, 1, 1]. The heads, one
    1 × 1 convolution a stage in `.lins`, must be kept non-negative by whoever trains them
    (`clamp_heads`); they have dropout in train mode.
    """
    import lpips

    model = _bare("squeeze", lpips=False)
    model.net, model.chns, model.L = trunk, list(trunk.widths), len(trunk.widths)
    model.lins = nn.ModuleList(lpips.NetLinLayer(width, use_dropout=True) for width in trunk.widths)
    model.lpips = True
    for head in model.lins:
        nn.init.constant_(head.model[-1].weight, 1 / len(trunk.widths))
    return model


@torch.no_grad()
def clamp_heads(model: Any) -> None:
    """Make the heads' weights non-negative, so that what `build_lpips` gave is a distance."""
    for head in model.lins:
        head.model[-1].weight.clamp_(min=0)


def save_lpips(folder: str | Path, model: Any) -> None:
    """Write the folder of a model from `build_lpips`, whole or not at all; weights as float16.

    How the input is scaled is kept exactly: it is LPIPS's, not learned.
    """
    from safetensors.torch import save_model

    with replacing_folder(folder) as place:
        kept = deepcopy(model).cpu()
        for learned in (kept.net, kept.lins):
            learned.half()
        save_model(kept, str(place / "model.safetensors"))
        config = json.dumps({"widths": list(model.net.widths)})
        (place / "config.json").write_text(config + "\n")


def load_lpips(folder: str | Path) -> Any:
    """The model of a folder that `save_lpips` wrote; UserError when it is damaged."""
    from safetensors.torch import load_model

    with loading(folder):
        config = json.loads((Path(folder) / "config.json").read_text())
        model = build_lpips(PerceptualTrunk(config["widths"]))
        load_model(model, str(Path(folder) / "model.safetensors"), strict=True)
    return model


def trunk_source(net: str) -> UrlFile:
    """Where the ImageNet weights of a trunk come from; UserError for an unknown one."""
    if net not in _TRUNKS:
        raise UserError(f"LPIPS trunk {net!r} is unknown: give one of {', '.join(_TRUNKS)}")
    import torchvision

    weights = getattr(torchvision.models, _TRUNKS[net]).IMAGENET1K_V1
    name = weights.url.rpartition("/")[2]
    digest = name.rpartition("-")[2].removesuffix(".pth")  # torchvision's rule
    size = round(weights.meta["_file_size"] * 2**20)
    return UrlFile(weights.url, torch_checkpoints() / name, digest, size)


def _published(net: str) -> Any:
    """The package's LPIPS with its own heads and a trunk trained on ImageNet."""
    url = trunk_source(net).url
    model = _bare(net, pretrained=True)
    with loading(
        f"LPIPS {net}", "missing weights", "connect once to the network, or give `folder`"
    ):
        state = torch.hub.load_state_dict_from_url(
            url, map_location="cpu", check_hash=True, weights_only=True
        )
        # The trunk's slices keep the indices of torchvision's `features`.
        names = {name: "features." + name.split(".", 1)[1] for name in model.net.state_dict()}
        model.net.load_state_dict({ours: state[theirs] for ours, theirs in names.items()})
    return model


def _bare(net: str, **options: Any) -> Any:
    """An lpips.LPIPS with a random trunk, without its messages."""
    import lpips

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        options = {"pretrained": False, **options}
        return lpips.LPIPS(net=net, pnet_rand=True, pnet_tune=True, verbose=False, **options)


def _enlarged(image: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    factor = _MINIMUM / min(height, width)
    if factor <= 1:
        return image
    size = (max(_MINIMUM, round(height * factor)), max(_MINIMUM, round(width * factor)))
    return F.interpolate(image, size, mode="bilinear", align_corners=False)
