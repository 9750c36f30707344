"""What the region network reads: CLIP's maps, DINO's or both, and what learns from each of them."""

import pytest
import torch
import weights

from lr_edit.backbones.dino import DinoEncoder
from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.backbones.open_clip_dense import OpenClipDense
from lr_edit.regions.features import FrozenFeatures
from lr_edit.regions.network import RegionNetwork
from lr_edit.training.objectives.base import Learner
from lr_edit.training.objectives.masks import MaskObjective

SIDE = 32
SETS = {"both": (True, True), "clip": (True, False), "dino": (False, True)}
"""Which encoders' maps are read: CLIP's two layers, DINO's one."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> OpenClipDense:
    folder = weights.clip(tmp_path_factory.mktemp("weights") / "clip", layers=2)
    return OpenClipDense(OpenClipEncoder(f"local-dir:{folder}"), (1, 2))


@pytest.fixture(scope="module")
def dino(tmp_path_factory: pytest.TempPathFactory) -> DinoEncoder:
    return DinoEncoder(str(weights.dino(tmp_path_factory.mktemp("weights") / "dino")), (2,), 64)


@pytest.fixture(params=SETS)
def chosen(request: pytest.FixtureRequest) -> tuple[bool, bool]:
    return SETS[request.param]


@pytest.fixture
def features(chosen: tuple[bool, bool], clip: OpenClipDense, dino: DinoEncoder) -> FrozenFeatures:
    return FrozenFeatures(clip, dino if chosen[1] else None, clip_maps=chosen[0])


def batch() -> dict[str, object]:
    """Two pictures with two phrases each, of which the second fits nothing."""
    things = torch.zeros(2, 2, SIDE, SIDE, dtype=torch.bool)
    things[:, 0, 4:20, 8:24] = True
    present = things.flatten(2).any(2)
    noise = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return {
        "image": noise * 2 - 1, "phrases": ["a red apple", "the blue mug"] * 2,
        "edit": torch.zeros(2, 2, dtype=torch.bool), "object": things, "change": things,
        "change_known": present, "present": present,
    }  # fmt: skip


def test_maps_are_those_of_each_encoder_in_order(
    features: FrozenFeatures,
    chosen: tuple[bool, bool],
    clip: OpenClipDense,
    dino: DinoEncoder,
) -> None:
    used = [e for e, kept in zip((clip, dino), chosen, strict=True) if kept]
    assert features.identities == tuple(e.identity for e in used)
    assert features.channels == (32, 32) * chosen[0] + (32,) * chosen[1]
    images = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) * 2 - 1
    maps = features.maps(images)
    assert tuple(m.shape[1] for m in maps) == features.channels
    expected = [m for encoder in used for m in encoder.patch_features(images)]
    for given, alone in zip(maps, expected, strict=True):
        torch.testing.assert_close(given, alone)
    assert features.tokens(["a red apple"]).states.shape[-1] == clip.token_channels


def test_what_every_map_is_read_by_learns(features: FrozenFeatures) -> None:
    torch.manual_seed(0)
    network = RegionNetwork(
        features.channels, features.words.token_channels, features.identities,
        width=16, heads=2, mixers=1, side=SIDE,
    )  # fmt: skip
    assert network.backbones == features.identities
    terms = MaskObjective().terms(Learner(network, features), batch(), torch.Generator())
    torch.stack(list(terms.values())).sum().backward()
    assert len(network.project) == len(features.channels)
    for layer in (*network.project, *network.norms):
        for parameter in layer.parameters():
            assert parameter.grad is not None and float(parameter.grad.abs().max()) > 0


def test_maps_of_one_encoder_are_no_stand_in_for_another(
    clip: OpenClipDense, dino: DinoEncoder
) -> None:
    both, alone = FrozenFeatures(clip, dino), FrozenFeatures(clip, dino, clip_maps=False)
    assert both.identities[1:] == alone.identities
    assert "open_clip" in both.identities[0] and "dino" in both.identities[1]
