"""LPIPS with a trunk of one's own, and the published trunks' loading."""

from pathlib import Path

import pytest
import torch

from lr_edit.backbones.perceptual import (
    LpipsDistance,
    build_lpips,
    clamp_heads,
    load_lpips,
    save_lpips,
)
from lr_edit.backbones.perceptual_trunk import PerceptualTrunk
from lr_edit.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("weights") / "perceptual"
    save_lpips(place, build_lpips(PerceptualTrunk((8, 8, 16))))
    return place


@pytest.fixture(scope="module")
def lpips(folder: Path) -> LpipsDistance:
    return LpipsDistance(folder=str(folder))


def pairs(side: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    first, second = torch.rand(2, 3, 3, side, side, generator=torch.Generator().manual_seed(0))
    return first * 2 - 1, second * 2 - 1


def test_it_is_a_distance(lpips: LpipsDistance) -> None:
    first, second = pairs()
    distance = lpips.distance(first, second)
    assert distance.shape == (3,) and (distance > 0).all()
    torch.testing.assert_close(lpips.distance(second, first), distance)
    torch.testing.assert_close(lpips.distance(first, first), torch.zeros(3))


def test_a_pair_does_not_depend_on_its_neighbours(lpips: LpipsDistance) -> None:
    first, second = pairs()
    torch.testing.assert_close(
        lpips.distance(first[1:2], second[1:2])[0], lpips.distance(first, second)[1]
    )


@pytest.mark.parametrize("side", [1, 8, 31, 64])
def test_small_pictures_work(lpips: LpipsDistance, side: int) -> None:
    assert torch.isfinite(lpips.distance(*pairs(side))).all()


def test_gradients_are_finite_even_for_equal_flat_pictures(lpips: LpipsDistance) -> None:
    flat = torch.full((1, 3, 32, 32), -1.0)
    first = flat.clone().requires_grad_()
    lpips.distance(first, flat).sum().backward()
    assert first.grad is not None and torch.isfinite(first.grad).all()
    assert not any(p.requires_grad for p in lpips._model.parameters())


def test_gradients_are_finite_where_a_trunk_is_blind() -> None:
    trunk = PerceptualTrunk((4, 4)).eval()
    for parameter in trunk.parameters():
        parameter.data.fill_(-1.0)
    image = torch.rand(1, 3, 32, 32).requires_grad_()
    build_lpips(trunk).eval()(image, image.detach() * 0.5).sum().backward()
    assert image.grad is not None and torch.isfinite(image.grad).all()


def test_saving_keeps_the_distance(folder: Path, tmp_path: Path, lpips: LpipsDistance) -> None:
    save_lpips(tmp_path / "copy", load_lpips(folder))
    torch.testing.assert_close(
        LpipsDistance(folder=str(tmp_path / "copy")).distance(*pairs()), lpips.distance(*pairs())
    )


def test_heads_can_be_trained_and_clamped() -> None:
    model = build_lpips(PerceptualTrunk((8, 8))).train()
    model(*pairs()).sum().backward()
    trained = [head.model[-1].weight for head in model.lins]
    assert all(w.grad is not None and w.grad.abs().sum() > 0 for w in trained)
    assert all(p.grad is not None for p in model.net.parameters())
    for weight in trained:
        weight.data.fill_(-1.0)
    clamp_heads(model)
    assert all((weight == 0).all() for weight in trained)


def test_other_architectures_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"widths": [8, 16, 16]}')
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(UserError, match="damaged weights"):
        LpipsDistance(folder=str(tmp_path))


def test_unknown_trunks_are_told() -> None:
    with pytest.raises(UserError, match=r"resnet.*vgg, alex, squeeze"):
        LpipsDistance("resnet")


def test_published_trunks_take_all_their_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision

    torch.manual_seed(1)
    published = torchvision.models.squeezenet1_1()
    monkeypatch.setattr(
        torch.hub, "load_state_dict_from_url", lambda *_, **__: published.state_dict()
    )
    model = LpipsDistance("squeeze")._model
    images = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(model.net(images)[-1], published.features(images))


def test_trunks_that_cannot_be_fetched_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    with pytest.raises(UserError, match=r"missing weights.*squeeze.*no network"):
        LpipsDistance("squeeze")
