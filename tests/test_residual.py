"""Lean residual blocks compute what diffusers' own do."""

import pytest
import torch
from diffusers.models.resnet import ResnetBlock2D

from lr_edit.backbones.residual import Lean, lean

KINDS = {
    "default": {},
    "scale_shift": {"time_embedding_norm": "scale_shift"},
    "activated": {"time_embedding_norm": "scale_shift", "skip_time_act": True},
    "wider": {"out_channels": 16, "time_embedding_norm": "scale_shift"},
    "up": {"up": True, "time_embedding_norm": "scale_shift"},
    "down": {"down": True},
    "timeless": {"temb_channels": None},
}


def block(**options: object) -> ResnetBlock2D:
    torch.manual_seed(0)
    made = ResnetBlock2D(**{"in_channels": 8, "temb_channels": 12, "groups": 4, **options}).eval()
    for norm in (made.norm1, made.norm2):
        torch.nn.init.normal_(norm.weight)
        torch.nn.init.normal_(norm.bias)
    return made


def said(network: ResnetBlock2D, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Output and gradient for pictures at different timesteps."""
    drawn = torch.Generator().manual_seed(1)
    x = torch.randn(count, 8, 10, 12, generator=drawn).requires_grad_()
    temb = torch.randn(count, 12, generator=drawn) if network.time_emb_proj else None
    out = network(x, temb)
    return out, torch.autograd.grad(out.square().sum(), x)[0]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_gradients_are_those_of_diffusers(kind: str, count: int) -> None:
    theirs, ours = block(**KINDS[kind]), block(**KINDS[kind])
    lean(ours)
    assert isinstance(ours.forward, Lean)
    torch.testing.assert_close(said(ours, count), said(theirs, count), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("options", [{"output_scale_factor": 2.0}, {"dropout": 0.1}])
def test_blocks_that_do_more_stay_as_they_are(options: dict[str, float]) -> None:
    other = block(**options)
    lean(other)
    assert not isinstance(other.forward, Lean)


def test_under_autocast_nothing_but_rounding_differs() -> None:
    theirs, ours = block(**KINDS["scale_shift"]), block(**KINDS["scale_shift"])
    lean(ours)
    for count in (1, 3):
        with torch.autocast("cpu", torch.bfloat16):
            found, wanted = said(ours, count), said(theirs, count)
        torch.testing.assert_close(found, wanted, atol=0.3, rtol=0.05)
        assert found[0].dtype == wanted[0].dtype
