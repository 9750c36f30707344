"""OpenCLIP seen patch by patch and token by token."""

import json
from pathlib import Path

import open_clip
import pytest
import torch
import weights
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.backbones.open_clip_dense import OpenClipDense, resized_positions
from lr_edit.backbones.windows import joined, windows
from lr_edit.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return weights.clip(tmp_path_factory.mktemp("weights") / "clip", layers=3)


@pytest.fixture(scope="module")
def encoder(folder: Path) -> OpenClipEncoder:
    return OpenClipEncoder(f"local-dir:{folder}")


def pictures(height: int = 40, width: int = 56) -> torch.Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_features_at_the_native_size_are_open_clips_own(
    encoder: OpenClipEncoder, folder: Path
) -> None:
    model = open_clip.create_model(f"local-dir:{folder}").eval()
    images = pictures(32, 32)
    mean, std = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.3, 0.4])
    pixels = ((images + 1) / 2 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    with torch.no_grad():
        theirs = model.forward_intermediates(image=pixels, image_indices=[0, 2])
        ours = OpenClipDense(encoder, (1, 3)).patch_features(images)
    assert len(ours) == 2
    for mine, other in zip(ours, theirs["image_intermediates"], strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize(("size", "side"), [((40, 56), 0), ((40, 56), 64), ((17, 90), 24)])
def test_any_picture_gives_the_grid_of_its_side(
    encoder: OpenClipEncoder, size: tuple[int, int], side: int
) -> None:
    dense = OpenClipDense(encoder, (1, 2), side)
    rows = (side or 32) // 8
    features = dense.patch_features(pictures(*size))
    assert [tuple(f.shape) for f in features] == [(2, c, rows, rows) for c in dense.channels]
    assert all(torch.isfinite(f).all() for f in features)


def test_a_patch_is_where_it_is_in_the_picture(encoder: OpenClipEncoder) -> None:
    dense = OpenClipDense(encoder, (1,), 64)
    images = pictures(64, 64)
    changed = images.clone()
    changed[:, :, 16:24, 40:48] = 1
    before, after = (dense.patch_features(i)[0] for i in (images, changed))
    where = (after - before).square().sum((0, 1)).flatten().argmax()
    assert divmod(int(where), 8) == (2, 5)


def test_windows_see_what_the_network_sees_of_each_alone(encoder: OpenClipEncoder) -> None:
    dense, images = OpenClipDense(encoder, (1, 3), 64, 32), pictures(64, 64)
    native = OpenClipDense(encoder, (1, 3))
    for whole, corner in zip(
        dense.patch_features(images), native.patch_features(images[:, :, 32:, :32]), strict=True
    ):
        assert whole.shape[-2:] == (8, 8)
        torch.testing.assert_close(whole[:, :, 4:, :4], corner)
    assert dense.identity.endswith("side 64 stride 32")


@pytest.mark.parametrize(
    ("side", "stride", "runs"), [(0, 0, 1), (32, 0, 1), (64, 0, 2), (64, 32, 2)]
)
def test_patches_and_the_whole_take_one_run_where_both_see_the_same(
    encoder: OpenClipEncoder, side: int, stride: int, runs: int
) -> None:
    dense, images = OpenClipDense(encoder, (1, 3), side, stride), pictures()
    seen: list[torch.Size] = []
    hook = encoder.network.visual.conv1.register_forward_hook(
        lambda _, inputs, __: seen.append(inputs[0].shape)
    )
    maps, whole = dense.patches_and_whole(images)
    hook.remove()
    assert len(seen) == runs
    for ours, alone in zip(maps, dense.patch_features(images), strict=True):
        torch.testing.assert_close(ours, alone)
    torch.testing.assert_close(whole, encoder.encode_image(images))


def test_overlapping_windows_are_averaged_in_place() -> None:
    picture = torch.rand(2, 3, 24, 24)
    cut = windows(picture, 8, 4)
    assert cut.shape == (2 * 25, 3, 8, 8)
    torch.testing.assert_close(cut[1], picture[0, :, :8, 4:12])
    torch.testing.assert_close(joined(cut, 2, 4), picture)


@pytest.mark.parametrize("stride", [12, 40, 24, -8])
def test_a_stride_that_does_not_fit_is_refused(encoder: OpenClipEncoder, stride: int) -> None:
    with pytest.raises(UserError, match=f"every {stride} do not fill 64: give a stride up to 32"):
        OpenClipDense(encoder, (), 64, stride)


def test_interpolated_positions_keep_their_places() -> None:
    rows = torch.linspace(0, 1, 4)[:, None].expand(4, 4)
    positions = torch.cat((torch.full((1, 2), 7.0), torch.stack((rows, rows.T), -1).reshape(16, 2)))
    larger = resized_positions(positions, (4, 4), 8)
    assert (larger[0] == 7).all() and larger.shape == (65, 2)
    down, right = larger[1:].reshape(8, 8, 2).unbind(-1)
    assert (down.diff(dim=0) > 0).all() and (right.diff(dim=1) > 0).all()
    torch.testing.assert_close(down, right.T)


def test_gradient_reaches_the_image_and_no_parameter(encoder: OpenClipEncoder) -> None:
    images = pictures().requires_grad_()
    dense = OpenClipDense(encoder, (1, 3), 64)
    sum(f.square().mean() for f in dense.patch_features(images)).backward()  # type: ignore[union-attr]
    assert images.grad is not None and torch.isfinite(images.grad).all()
    assert (images.grad.abs().sum((1, 2, 3)) > 0).all()
    assert not any(p.requires_grad for p in encoder.network.parameters())


TEXTS = ["a red apple on a wooden table", "the mug", "", "häuser 猫 🍎", "the mug " * 20]


def test_tokens_pooled_and_projected_are_the_embedding(encoder: OpenClipEncoder) -> None:
    states, real = OpenClipDense(encoder).encode_tokens(TEXTS)
    assert states.dtype == torch.float32 and real.dtype == torch.bool
    last = states[torch.arange(len(TEXTS)), real.sum(1) - 1]
    ours = normalize(last @ encoder.network.text_projection, dim=-1)
    torch.testing.assert_close(ours, encoder.encode_text(TEXTS))


def test_real_tokens_run_from_start_to_end(encoder: OpenClipEncoder) -> None:
    states, real = OpenClipDense(encoder).encode_tokens(TEXTS)
    ids = encoder.token_ids(TEXTS)
    end = int(ids.max())
    assert states.shape[:2] == real.shape and real.all(0).any() and real.any(0).all()
    for row, inside in zip(ids.tolist(), real.tolist(), strict=True):
        count = row.index(end) + 1
        assert inside == [k < count for k in range(len(inside))]
    assert real[4].sum() == 20  # cut to the context
    assert OpenClipDense(encoder).encode_tokens(["the mug"])[0].shape[1] == real[1].sum()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=3))
def test_a_phrase_does_not_depend_on_its_neighbours(
    encoder: OpenClipEncoder, texts: list[str]
) -> None:
    dense = OpenClipDense(encoder)
    states, real = dense.encode_tokens([*texts, "the small blue mug left of the football"])
    alone, inside = dense.encode_tokens(texts[:1])
    torch.testing.assert_close(states[0][real[0]], alone[0][inside[0]])


def test_a_tower_without_causal_mask_sees_its_padding(folder: Path) -> None:
    encoder = OpenClipEncoder(f"local-dir:{folder}")
    encoder.network.attn_mask = None
    texts = ["the mug", "a red apple"]
    states, real = OpenClipDense(encoder).encode_tokens(texts)
    last = states[torch.arange(2), real.sum(1) - 1]
    ours = normalize(last @ encoder.network.text_projection, dim=-1)
    torch.testing.assert_close(ours, encoder.encode_text(texts))


def test_channels_are_those_of_the_towers(encoder: OpenClipEncoder) -> None:
    dense = OpenClipDense(encoder, (2, 3))
    assert dense.channels == (32, 32)
    assert dense.token_channels == dense.encode_tokens(["a mug"])[0].shape[-1] == 32


def test_the_identity_tells_weights_layers_and_sides_apart_but_not_folders(
    folder: Path, tmp_path: Path
) -> None:
    import shutil

    encoder = OpenClipEncoder(f"local-dir:{folder}")
    moved = OpenClipEncoder(f"local-dir:{shutil.copytree(folder, tmp_path / 'moved')}")
    others = [
        OpenClipDense(encoder, (1, 3)), OpenClipDense(encoder, (2, 3)), OpenClipDense(encoder),
        OpenClipDense(encoder, (2, 3), 64),
    ]  # fmt: skip
    assert len({other.identity for other in others}) == 4
    assert OpenClipDense(moved, (1, 3)).identity == others[0].identity
    assert str(folder) not in others[0].identity
    with torch.no_grad():
        moved.network.visual.ln_pre.weight[0] += 0.01
    assert OpenClipDense(moved, (1, 3)).identity != others[0].identity


@pytest.mark.parametrize("layers", [(0,), (4,), (2, 1), (1, 1)])
def test_layers_that_are_not_there(encoder: OpenClipEncoder, layers: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="from 1 to 3"):
        OpenClipDense(encoder, layers)


@pytest.mark.parametrize("side", [4, 36, -8])
def test_sides_without_whole_patches(encoder: OpenClipEncoder, side: int) -> None:
    with pytest.raises(UserError, match="multiple"):
        OpenClipDense(encoder, (), side)


def test_a_tower_without_patches_is_refused(tmp_path: Path) -> None:
    from open_clip.model import CLIP
    from safetensors.torch import save_model

    folder = weights.clip(tmp_path / "clip")
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"] = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8}
    model = CLIP(32, dict(config["model_cfg"]["vision_cfg"]), dict(config["model_cfg"]["text_cfg"]))
    save_model(model, str(folder / "open_clip_model.safetensors"))
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="ModifiedResNet"):
        OpenClipDense(OpenClipEncoder(f"local-dir:{folder}"))
