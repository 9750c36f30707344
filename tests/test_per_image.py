"""Learnable Regions on one picture: anchors, boxes, learning that reaches every weight, ranking."""

from pathlib import Path

import pytest
import torch
import weights
from hypothesis import given, settings
from hypothesis import strategies as st

from lr_edit.backbones.diffusion import UNetDiffusion
from lr_edit.backbones.dino import DinoEncoder
from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.backbones.open_clip_dense import OpenClipDense
from lr_edit.errors import UserError
from lr_edit.regions.anchors import anchor_points, box_masks, boxes_around, pooled_boxes
from lr_edit.regions.per_image import PerImageOptions, PerImageProposer

SHAPES = ("boxes", "masks", "random")


@pytest.fixture(scope="module")
def networks(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[OpenClipDense, DinoEncoder, UNetDiffusion]:
    folder: Path = tmp_path_factory.mktemp("weights")
    clip = OpenClipDense(OpenClipEncoder(f"local-dir:{weights.clip(folder / 'clip')}"))
    dino = DinoEncoder(str(weights.dino(folder / "dino")))
    return clip, dino, UNetDiffusion(str(weights.diffusion(folder / "diffusion")))


def proposer(networks: tuple, shape: str, **options: object) -> PerImageProposer:
    chosen = PerImageOptions(shape=shape, anchors=3, iterations=2, **options)  # type: ignore[arg-type]
    return PerImageProposer(*networks, options=chosen)


def picture(height: int = 32, width: int = 40) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("shape", SHAPES)
def test_regions_are_well_formed_and_repeatable(networks: tuple, shape: str) -> None:
    image, method = picture(), proposer(networks, shape)
    region, again = (method.propose(image, "a blue mug") for _ in "ab")
    assert torch.equal(region.mask, again.mask)
    assert len(region.alternatives) == 3
    assert torch.equal(region.alternatives[0].mask, region.mask)
    for one in region.alternatives:
        assert tuple(one.mask.shape) == (1, 1, 32, 40)
        assert one.mask.min() >= 0 and one.mask.max() <= 1 and 0 <= one.score <= 1
    assert len(method.curve) == (0 if shape == "random" else 2)


@pytest.mark.parametrize("shape", ["boxes", "masks"])
def test_the_losses_of_the_edit_reach_every_weight(networks: tuple, shape: str) -> None:
    """In the released code the gradient of every parameter is None."""
    image, method = picture(), proposer(networks, shape)
    regions = method.shape(image)
    generator = torch.Generator().manual_seed(0)
    references = method.references(image, "a blue mug")
    method.loss(references, regions.draw(generator), generator).backward()
    for name, parameter in regions.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
        # A constant added to the logits of all sizes changes no choice among them.
        assert parameter.grad.abs().sum() > 0 or name == "layers.5.bias", name


def test_sizes_at_random_learn_nothing(networks: tuple) -> None:
    image, method = picture(), proposer(networks, "random")
    regions = method.shape(image)
    before = {name: value.clone() for name, value in regions.state_dict().items()}
    method.learn(regions, method.references(image, "a blue mug"), torch.Generator())
    assert all(torch.equal(before[n], v) for n, v in regions.state_dict().items())


def test_learning_on_one_picture_lowers_its_loss(networks: tuple) -> None:
    image = picture()
    method = PerImageProposer(
        *networks, options=PerImageOptions("masks", anchors=2, iterations=12, learning_rate=0.05)
    )
    regions, references = method.shape(image), method.references(image, "a blue mug")

    def loss() -> float:
        generator = torch.Generator().manual_seed(5)
        with torch.no_grad():
            return float(method.loss(references, regions.final(), generator))

    before = loss()
    method.learn(regions, references, torch.Generator().manual_seed(5))
    assert loss() < before


def test_an_unknown_shape_and_an_empty_prompt_are_refused(networks: tuple) -> None:
    with pytest.raises(UserError, match=r"shape is 'ring'.*boxes"):
        PerImageOptions(shape="ring")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="phrase is empty"):
        proposer(networks, "boxes").propose(picture(), "  ")


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(1, 20), st.floats(0, 0.5))
def test_boxes_of_the_margin_fit_around_every_anchor(
    rows: int, columns: int, count: int, margin: float
) -> None:
    attention = torch.rand(rows, columns, generator=torch.Generator().manual_seed(rows))
    points = anchor_points(attention, count, margin)
    assert 1 <= len(points) <= count
    fits = min(margin, 0.5 - 0.5 / min(rows, columns))
    assert (points >= fits - 1e-6).all() and (points <= 1 - fits + 1e-6).all()


def test_the_first_anchor_is_where_attention_is_highest() -> None:
    attention = torch.zeros(4, 8)
    attention[1, 6] = 1
    torch.testing.assert_close(anchor_points(attention, 1, 0.0), torch.tensor([[6.5 / 8, 1.5 / 4]]))


def test_a_box_is_not_turned_on_its_side() -> None:
    """The released code swaps rows and columns."""
    boxes = boxes_around(torch.tensor([[0.75, 0.25]]), torch.tensor([0.125]))
    mask = box_masks(boxes, (8, 16))[0, 0]
    assert mask.sum() == 2 * 4 and mask[1:3, 10:14].all()


def test_boxes_are_pooled_where_they_lie() -> None:
    features = torch.arange(16.0).view(1, 1, 4, 4)
    pooled = pooled_boxes(features, torch.tensor([[0.5, 0.0, 1.0, 0.5]]), 1)
    assert float(pooled) == pytest.approx(float(features[0, 0, :2, 2:].mean()))
