"""A UNet with further residual blocks begins as the trained one that it takes its weights from."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lr_edit.backbones.diffusion_network import TextConditionedUNet, build_diffusion
from lr_edit.backbones.text_tower import text_model
from lr_edit.errors import UserError


def unet(layers: Sequence[int], levels: int = 2) -> TextConditionedUNet:
    """A network of 16 pixels with so many residual blocks a level, text in the coarsest."""
    tower = text_model(40, width=48, layers=1, heads=1, context_length=8)
    attention = [False] * (levels - 1) + [True]
    return build_diffusion(
        tower, 16, channels=(32, 64)[:levels], layers=layers, attention=attention
    )


def saved(network: TextConditionedUNet, folder: Path) -> Path:
    """The network's weights as they are, in the layout of a diffusion folder."""
    network.unet.save_pretrained(folder / "unet")
    network.text_encoder.save_pretrained(folder / "text_encoder")
    return folder


def inputs() -> tuple[Tensor, ...]:
    """x_t, t, text, source and mask of two pictures."""
    drawn = torch.Generator().manual_seed(0)
    picture = torch.randn(2, 3, 16, 16, generator=drawn)
    text = torch.randn(2, 8, 48, generator=drawn)
    mask = (torch.rand(2, 1, 16, 16, generator=drawn) > 0.5).float()
    return picture, torch.tensor([100, 900]), text, picture.flip(0), mask


@pytest.mark.parametrize("layers", [(2, 1), (1, 2), (3, 2)])
def test_a_deeper_network_begins_as_the_trained_one(tmp_path: Path, layers: Sequence[int]) -> None:
    torch.manual_seed(0)
    small, deep = unet((1, 1)).eval(), unet(layers).eval()
    deep.load_folder(saved(small, tmp_path))
    with torch.no_grad():
        assert torch.allclose(deep(*inputs()), small(*inputs()), atol=1e-5)
    assert sum(p.numel() for p in deep.parameters()) > sum(p.numel() for p in small.parameters())


def test_its_further_blocks_learn(tmp_path: Path) -> None:
    torch.manual_seed(0)
    deep = unet((2, 2))
    deep.load_folder(saved(unet((1, 1)), tmp_path))
    optimizer = torch.optim.SGD(deep.parameters(), lr=0.1)
    for _ in range(2):  # what comes before a layer of zeros learns from the second step on
        optimizer.zero_grad()
        deep(*inputs()).square().mean().backward()
        optimizer.step()
    unet_parameters = dict(deep.unet.named_parameters())
    for name in ("down_blocks.0.resnets.1.conv1.weight", "up_blocks.1.resnets.1.conv2.weight"):
        assert unet_parameters[name].grad is not None
        assert unet_parameters[name].grad.abs().sum() > 0, name


def test_a_grown_network_is_kept_whole(tmp_path: Path) -> None:
    torch.manual_seed(0)
    deep = unet((2, 1)).eval()
    deep.load_folder(saved(unet((1, 1)), tmp_path / "small"))
    again = unet((2, 1)).eval()
    again.load_folder(saved(deep, tmp_path / "deep"))
    with torch.no_grad():
        assert torch.equal(again(*inputs()), deep(*inputs()))


@pytest.mark.parametrize("layers", [(1, 1), (2, 1)])
def test_a_shallower_network_takes_no_weights_of_a_deeper_one(
    tmp_path: Path, layers: Sequence[int]
) -> None:
    folder = saved(unet((2, 2)), tmp_path)
    with pytest.raises(UserError, match="tensors are not those of this network"):
        unet(layers).load_folder(folder)
