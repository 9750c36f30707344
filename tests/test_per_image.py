"""Learnable Regions on one picture: anchors, boxes, learning that reaches every weight, ranking."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import per_image_fakes
import pytest
import torch
import weights
from editor_fakes import GaussianDiffusion
from hypothesis import given, settings
from hypothesis import strategies as st

from lr_edit.backbones.diffusion import UNetDiffusion
from lr_edit.backbones.dino import DinoEncoder
from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.backbones.open_clip_dense import OpenClipDense
from lr_edit.errors import UserError
from lr_edit.regions.anchors import anchor_points, box_masks, boxes_around, pooled_boxes
from lr_edit.regions.edit_losses import structure_loss
from lr_edit.regions.per_image import PerImageOptions, PerImageProposer, published_ranking
from lr_edit.regions.shapes import BoxSizes

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


@pytest.mark.parametrize("term", ["text", "direction", "structure"])
@pytest.mark.parametrize(("shape", "views"), [("boxes", 0), ("masks", 0), ("masks", 3)])
def test_each_loss_of_the_edit_reaches_every_weight(
    networks: tuple, shape: str, views: int, term: str
) -> None:
    """In the released code the gradient of every parameter is None."""
    image, method = picture(), proposer(networks, shape, views=views)
    regions = method.shape(image)
    generator = torch.Generator().manual_seed(0)
    references = method.references(image, "a blue mug")
    method.terms(references, regions.draw(generator), generator)[term].backward()
    slopes = {}
    for name, parameter in regions.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
        slopes[name] = float(parameter.grad.abs().max())
    rounding = 1e-4 * max(slopes.values())
    assert rounding > 0 and all(slope > rounding for slope in slopes.values()), slopes


def test_the_loss_is_the_sum_of_its_terms(networks: tuple) -> None:
    image, method = picture(), proposer(networks, "masks")
    references, masks = (
        method.references(image, "a blue mug"),
        method.shape(image).final(torch.Generator()),
    )
    generators = [torch.Generator().manual_seed(3) for _ in "ab"]
    terms = method.terms(references, masks, generators[0])
    assert set(terms) == {"text", "direction", "structure"}
    torch.testing.assert_close(method.loss(references, masks, generators[1]), sum(terms.values()))


def test_sizes_at_random_learn_nothing(networks: tuple) -> None:
    image, method = picture(), proposer(networks, "random")
    regions = method.shape(image)
    before = {name: value.clone() for name, value in regions.state_dict().items()}
    method.learn(regions, method.references(image, "a blue mug"), torch.Generator())
    assert all(torch.equal(before[n], v) for n, v in regions.state_dict().items())


def noises() -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(5, 9)]


def test_a_mask_learns_on_one_picture(networks: tuple) -> None:
    """With the published rate and number of iterations, for several noises."""
    method = PerImageProposer(*networks, options=PerImageOptions("masks", anchors=2))
    regions, references = method.shape(picture()), method.references(picture(), "a blue mug")

    def loss() -> float:
        with torch.no_grad():
            losses = [method.loss(references, regions.final(g), g) for g in noises()]
        return float(torch.stack(losses).mean())

    before = loss()
    method.learn(regions, references, torch.Generator().manual_seed(5))
    assert loss() < before


def test_a_box_comes_to_like_the_sizes_whose_edits_are_better(networks: tuple) -> None:
    """The loss to be expected of a size drawn as it is liked, which is what its gradient is of."""
    options = PerImageOptions("boxes", anchors=1, iterations=60)
    method = PerImageProposer(*networks, options=options)
    regions, references = method.shape(picture()), method.references(picture(), "a blue mug")
    assert isinstance(regions, BoxSizes)
    with torch.no_grad():
        sizes = regions.get_buffer("masks")[0].unsqueeze(1)
        losses = torch.stack(
            [
                torch.stack([method.loss(references, size[None], g) for g in noises()]).mean()
                for size in sizes
            ]
        )

    def expected() -> float:
        with torch.no_grad():
            return float((regions.logits()[0].softmax(0) * losses).sum())

    before = expected()
    method.learn(regions, references, torch.Generator().manual_seed(5))
    assert expected() < before


def test_an_edit_equal_to_its_source_is_seen_as_the_source(networks: tuple) -> None:
    """In the released code edits enter CLIP as 0 to 255, sources as 0 to 1."""
    image, method = picture(), proposer(networks, "boxes")
    same = method.references(image, "a blue mug")
    nothing, generator = torch.zeros(2, 1, 32, 40), torch.Generator().manual_seed(0)
    edited = method.edited(same.image, same.condition, nothing, generator)
    assert torch.equal(edited, image.expand(2, -1, -1, -1))
    cosines = method.clip.encoder.encode_image(edited) @ same.source[0]
    torch.testing.assert_close(cosines, torch.ones(2))
    structure = structure_loss(method.clip.patch_features(edited)[-1], same.tokens)
    torch.testing.assert_close(structure, torch.zeros(2))
    terms = method.terms(same, nothing, generator)
    assert float(terms["structure"]) == pytest.approx(0, abs=1e-6)


class KnownClip:
    """Says of several pictures that their cosines with the prompt are `text`, and with one picture
    alone, the source, `alike`."""

    def __init__(self, text: list[float], alike: list[float]) -> None:
        rest = [(1 - t * t - a * a) ** 0.5 for t, a in zip(text, alike, strict=True)]
        self.edits = torch.tensor([text, alike, rest]).T

    def encode_image(self, images: torch.Tensor) -> torch.Tensor:
        return torch.eye(3)[1:2] if len(images) == 1 else self.edits

    def encode_text(self, phrases: list[str]) -> torch.Tensor:
        return torch.eye(3)[:1].expand(len(phrases), -1)


def test_the_best_three_by_text_are_ranked_before_a_higher_total() -> None:
    """2 · softmax(text) + 1 · softmax(alike) decides, but only among those that fit best."""
    text, alike = [0.20, 0.34, 0.10, 0.30, 0.32], [0.95, 0.0, 0.9, 0.6, 0.1]
    totals = 2 * torch.tensor(text).softmax(0) + torch.tensor(alike).softmax(0)
    assert totals.argmax() == 0 and sorted(text)[-3:] == [text[3], text[4], text[1]]
    encoder: Any = SimpleNamespace(encoder=KnownClip(text, alike))
    unused: Any = None
    method = PerImageProposer(encoder, unused, GaussianDiffusion(pull=0.3))
    masks = torch.zeros(5, 1, 16, 16)
    for k in range(5):
        masks[k, :, k, k] = 1
    with torch.no_grad():
        region = method.ranked(picture(16, 16), "a blue mug", masks, torch.Generator())
    order = [int(one.mask.flatten().argmax()) // 17 for one in region.alternatives]
    assert order == [3, 4, 1, 0, 2]
    assert torch.equal(region.mask, masks[3:4])
    assert region.confidence == pytest.approx(float(totals[3]) / 3)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 999))
def test_scores_never_rise_along_the_ranking(count: int, finalists: int, seed: int) -> None:
    text, alike = torch.rand(2, count, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    order, scores = published_ranking(text, alike, finalists)
    assert sorted(order.tolist()) == list(range(count))
    best = text.argsort(descending=True)[:finalists].tolist()
    assert set(order[:finalists].tolist()) == set(best)
    assert (scores.diff() <= 0).all() and scores.min() > 0 and scores.max() <= 1


def test_the_published_recipe_is_the_default() -> None:
    options = PerImageOptions()
    assert [half * 32 for half in options.halves] == [4, 6, 8, 10, 12, 14]
    assert (options.shape, options.anchors, options.finalists) == ("boxes", 9, 3)
    assert options.apart == 0
    assert (options.iterations, options.learning_rate) == (10, 5e-3)


def test_the_published_sizes_leave_room_for_nine_anchors() -> None:
    """On a map as coarse as a small DINO's, four cells would keep clear of the border."""
    shape = per_image_fakes.proposer("boxes", anchors=9).shape(picture(64, 64))
    assert isinstance(shape, BoxSizes) and shape.shape == (9, 6)
    centres = shape.get_buffer("boxes").view(9, 6, 4)[:, 0]
    assert len({tuple(box) for box in centres.tolist()}) == 9


def test_random_sizes_are_others_on_another_picture_and_the_same_on_this_one() -> None:
    method = per_image_fakes.proposer("random", anchors=9)
    images = [picture(64, 64), picture(64, 64).flip(1)]
    sizes = [
        [int(one.mask.sum()) for one in method.propose(image, "a mug").alternatives]
        for image in (*images, images[0])
    ]
    assert sizes[0] == sizes[2] and sorted(sizes[0]) != sorted(sizes[1])


def test_a_draw_takes_one_whole_box_for_every_anchor() -> None:
    """The Gumbel-softmax is hard: no mask is a mixture of sizes."""
    image, method = picture(64, 64), per_image_fakes.proposer("boxes", anchors=4)
    sizes = method.shape(image)
    sides = {round(2 * half * 64) for half in method.options.halves}
    found = set()
    for seed in range(12):
        masks = sizes.draw(torch.Generator().manual_seed(seed))
        assert masks.requires_grad and masks.shape == (4, 1, 64, 64)
        for mask in masks.detach()[:, 0]:
            rows, columns = (mask > 0.5).any(1), (mask > 0.5).any(0)
            box = (rows[:, None] & columns[None]).float()
            torch.testing.assert_close(mask, box)  # to rounding: 1 + p - p
            assert int(rows.sum()) == int(columns.sum()) and int(rows.sum()) in sides
            found.add(int(rows.sum()))
    assert found == sides
    assert set(sizes.final(torch.Generator()).unique().tolist()) == {0, 1}


def test_a_size_is_liked_for_what_its_own_box_shows() -> None:
    """The released code reshapes without a permute: points and sizes are mixed."""
    features = torch.randn(1, 6, 16, 16, generator=torch.Generator().manual_seed(0))
    points, halves = torch.tensor([[0.4, 0.3], [0.6, 0.7], [0.3, 0.5]]), torch.tensor([0.1, 0.2])
    together = BoxSizes(features, points, halves, (32, 32), 1.0)
    logits = together.logits()
    assert logits.shape == (3, 2) and len(logits.unique()) == 6
    for a in range(3):
        for s in range(2):
            alone = BoxSizes(features, points[a : a + 1], halves[s : s + 1], (32, 32), 1.0)
            alone.load_state_dict(dict(together.named_parameters()), strict=False)
            torch.testing.assert_close(alone.logits(), logits[a : a + 1, s : s + 1])


def test_an_unknown_shape_and_an_empty_prompt_are_refused(networks: tuple) -> None:
    with pytest.raises(UserError, match=r"shape is 'ring'.*boxes"):
        PerImageOptions(shape="ring")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="apart is 2: give a share"):
        PerImageOptions(apart=2)
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


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(1, 20), st.floats(0.01, 0.5))
def test_anchors_keep_apart_and_the_most_attended_ones_are_taken(
    rows: int, columns: int, count: int, apart: float
) -> None:
    attention = torch.rand(rows, columns, generator=torch.Generator().manual_seed(columns))
    points = anchor_points(attention, count, 0.0, apart)
    away = (points[:, None] - points[None]).abs().amax(-1) + torch.eye(len(points))
    assert len(points) <= count and bool((away >= apart - 1e-6).all())
    cells = (points * torch.tensor([columns, rows])).long()
    taken = attention[cells[:, 1], cells[:, 0]]
    assert float(taken[0]) == float(attention.max()) and bool((taken.diff() <= 0).all())
    if len(points) < count:  # every cell is near some point
        cells = anchor_points(attention, rows * columns, 0.0)
        assert len(cells) == rows * columns
        assert bool(((cells[:, None] - points[None]).abs().amax(-1).amin(1) < apart + 1e-6).all())


def test_anchors_that_keep_apart_come_to_things_at_the_border() -> None:
    """Where the largest box must fit, as published, all of them are near the middle."""
    for apart in (0.0, 0.15):
        method = per_image_fakes.proposer("boxes", anchors=9, apart=apart)
        shape = method.shape(picture(64, 64))
        assert isinstance(shape, BoxSizes)
        smallest = shape.get_buffer("boxes").view(9, 6, 4)[:, 0]
        cut_off = bool(((smallest <= 0) | (smallest >= 1)).any())
        assert cut_off == (apart > 0)


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
