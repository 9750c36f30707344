"""LPIPS is the public lpips package's, and that of a trunk trained here is the paper's equation."""

from pathlib import Path
from typing import Any

import lpips
import pytest
import torch
import torchvision
from reference import drawn, uniform
from torch import Tensor, nn

from lr_edit.backbones.perceptual import LpipsDistance, build_lpips, save_lpips
from lr_edit.backbones.perceptual_trunk import PerceptualTrunk

NETS = {"vgg": "vgg16", "alex": "alexnet", "squeeze": "squeezenet1_1"}
SIZES = [(48, 72), (32, 32)]


def pair(size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Two batches [2, 3, *size] in [-1, 1]."""
    generator = torch.Generator().manual_seed(3)
    first, second = uniform([2, 2, 3, *size], generator, 3**-0.5)
    return first, second


@pytest.fixture(scope="module", params=list(NETS))
def both(request: pytest.FixtureRequest) -> tuple[LpipsDistance, Any]:
    """LpipsDistance and lpips.LPIPS as its README makes it, on one random ImageNet network."""
    maker = getattr(torchvision.models, NETS[request.param])
    with pytest.MonkeyPatch.context() as patch:
        for name in ("kaiming_normal_", "kaiming_uniform_", "normal_", "uniform_"):
            patch.setattr(nn.init, name, lambda tensor, *_, **__: tensor)  # Slow, and replaced.
        network = maker()
        kept = {k: v for k, v in network.state_dict().items() if k.startswith("features")}
        state = drawn({key: list(value.shape) for key, value in kept.items()})
        network.load_state_dict(state, strict=False)
        patch.setattr(torch.hub, "load_state_dict_from_url", lambda *_, **__: state)
        ours = LpipsDistance(request.param)
        patch.setattr(torchvision.models, NETS[request.param], lambda pretrained: network)
        return ours, lpips.LPIPS(net=request.param, verbose=False)


@pytest.mark.parametrize("size", SIZES)
def test_distances_are_those_of_the_package(
    both: tuple[LpipsDistance, Any], size: tuple[int, int]
) -> None:
    ours, theirs = both
    with torch.no_grad():
        distance, expected = ours.distance(*pair(size)), theirs(*pair(size)).flatten()
    assert (expected > 0.01).all() and expected[0] != expected[1]
    torch.testing.assert_close(distance, expected, atol=0, rtol=1e-6)


def test_heads_are_the_packages_not_negative_and_without_dropout(
    both: tuple[LpipsDistance, Any],
) -> None:
    ours, theirs = both
    for head, expected in zip(ours._model.lins, theirs.lins, strict=True):
        weight = head.model[-1].weight
        assert torch.equal(weight, expected.model[-1].weight)
        assert (weight >= 0).all() and weight.std() > 0
        assert not any(m.training for m in head.modules() if isinstance(m, nn.Dropout))


@torch.no_grad()
def test_a_trunk_trained_here_gives_equation_1(tmp_path: Path) -> None:
    """d = Σ_l 1/(H_l W_l) Σ_hw ‖w_l ⊙ (ŷ_l − ŷ₀_l)‖², ŷ of unit length over channels, the heads'
    weights being w² (Zhang et al., 2018)."""
    torch.manual_seed(0)
    model = build_lpips(PerceptualTrunk((8, 8, 16)))
    for head in model.lins:
        head.model[-1].weight.uniform_()
    save_lpips(tmp_path / "perceptual", model)
    ours = LpipsDistance(folder=str(tmp_path / "perceptual"))
    first, second = pair((48, 72))
    shift, spread = torch.tensor([[-0.030, -0.088, -0.188], [0.458, 0.448, 0.450]])[..., None, None]
    expected = torch.zeros(2)
    stages = (ours._model.net((image - shift) / spread) for image in (first, second))
    for y, y0, head in zip(*stages, ours._model.lins, strict=True):
        w = head.model[-1].weight.flatten().sqrt()[:, None, None]
        apart = y / y.norm(dim=1, keepdim=True) - y0 / y0.norm(dim=1, keepdim=True)
        expected += (w * apart).square().sum(1).mean((1, 2))
    assert (expected > 0.01).all()
    torch.testing.assert_close(ours.distance(first, second), expected, atol=1e-7, rtol=1e-5)
