"""The region network and what proposes with it: what may change the answer, and what is kept."""

from math import isqrt
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from region_fakes import SIDE, batch, features, network

from lr_edit.crop import mask_box
from lr_edit.data.windows import whole
from lr_edit.errors import UserError
from lr_edit.regions.learned import (
    LEAST_SHOWN,
    LearnedProposer,
    bicubic,
    load_region_network,
    pieces,
    shown,
)
from lr_edit.regions.network import Proposals, RegionNetwork, Seen
from lr_edit.regions.sharpen import padded, sharpen, squared, unpadded
from lr_edit.training.objectives.base import Learner
from lr_edit.training.objectives.masks import MaskObjective


def picture(height: int = SIDE, width: int = SIDE, seed: int = 0) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_padding_of_other_phrases_changes_nothing() -> None:
    net, frozen, image = network().eval(), features(), picture()
    seen = net.look(image, frozen.maps(image))

    def masks(*phrases: str) -> torch.Tensor:
        several = Seen(
            seen.cells.repeat(len(phrases), 1, 1), seen.pixels.repeat(len(phrases), 1, 1, 1)
        )
        return net.read(several, frozen.tokens(phrases)).thing[0]

    torch.testing.assert_close(masks("a cat"), masks("a cat", "a much longer phrase"))


def test_a_batch_of_pictures_gives_what_each_gives_alone() -> None:
    learner = Learner(network().eval(), features())
    both = batch(2, 2)
    found = learner.answers(both)
    second = {k: v[2:] if k == "phrases" else v[1:] for k, v in both.items()}
    torch.testing.assert_close(learner.answers(second).thing, found.thing[2:], atol=1e-5, rtol=1e-4)


def test_words_and_reading_change_the_answer() -> None:
    proposer, image = LearnedProposer(network(), features()), picture()
    masks = [
        proposer.propose(image, "a cat").mask,
        proposer.propose(image, "a dog").mask,
        proposer.propose(image, "a cat", "edit").mask,
    ]
    assert not torch.equal(masks[0], masks[1]) and not torch.equal(masks[0], masks[2])


def test_words_move_the_cells_before_they_are_mixed_for_the_last_time() -> None:
    net, frozen, image = network().eval(), features(), picture()
    entered: list[torch.Tensor] = []
    net.rounds[-1].neighbours.register_forward_pre_hook(lambda _, given: entered.append(given[0]))  # type: ignore[union-attr]
    proposer = LearnedProposer(net, frozen, bf16=False)
    for phrase in ("a cat", "a dog", "a cat"):
        proposer.propose(image, phrase)
    cat, dog, again = entered
    assert cat.shape == (1, 16, SIDE // 8, SIDE // 8) and torch.equal(cat, again)
    moved = (cat - dog).abs().amax(1)
    assert (moved > 1e-4).all()  # every cell, not one of them


def test_the_change_of_a_thing_is_learned_apart_from_the_thing() -> None:
    """What changes is a band below that the thing itself has no part of."""
    learner, given = Learner(network(), features()), batch()
    thing: torch.Tensor = given["object"]  # type: ignore[assignment]
    change = torch.zeros_like(thing)
    change[:, :-1, 24:30] = True
    objective, given = MaskObjective(), {**given, "change": change}
    optimiser = torch.optim.Adam(learner.network.parameters(), lr=1e-2)
    for step in range(45):
        terms = objective.terms(learner, given, torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimiser.step()
    found = learner.answers(given)
    best = found.score.argmax(1)[:, None, None, None].expand(-1, 1, SIDE, SIDE)
    drawn = found.change.gather(1, best)[:, 0] > 0

    def overlap(truth: torch.Tensor) -> float:
        both = [(m & t).sum() / (m | t).sum() for m, t in zip(drawn, truth, strict=True) if t.any()]
        return float(torch.stack(both).mean())

    assert overlap(change.flatten(0, 1)) > 0.6 and overlap(thing.flatten(0, 1)) < 0.2


def test_weights_survive_a_folder(tmp_path: Path) -> None:
    net = network()
    net.save_pretrained(tmp_path)
    again = load_region_network(tmp_path)
    assert again.backbones == ("colours",)
    for name, value in net.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value)
    assert "license" in (tmp_path / "README.md").read_text() or (tmp_path / "README.md").exists()


def test_other_backbones_are_refused_by_name() -> None:
    net = RegionNetwork([3], 6, ("dino small",), width=16, heads=2, side=SIDE)
    with pytest.raises(UserError, match=r"dino small.*colours"):
        LearnedProposer(net, features())


def test_a_picture_is_looked_at_once() -> None:
    frozen = features()
    proposer, image = LearnedProposer(network(), frozen), picture()
    first = proposer.propose(image, "a cat")
    proposer.propose(image, "a dog")
    again = proposer.propose(image, "a cat")
    assert frozen.pictures[0].calls == 1  # type: ignore[attr-defined]
    torch.testing.assert_close(first.mask, again.mask)
    proposer.propose(picture(seed=1), "a cat")
    assert frozen.pictures[0].calls == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [(SIDE, SIDE), (70, 45), (9, 200), (1, 1)])
def test_masks_have_the_size_of_the_picture(size: tuple[int, int]) -> None:
    region = LearnedProposer(network(), features()).propose(picture(*size), "a cat")
    for mask in (region.mask, region.change, *(one.mask for one in region.alternatives)):
        assert mask is not None and tuple(mask.shape) == (1, 1, *size)
        assert mask.min() >= 0 and mask.max() <= 1
    assert (region.change >= region.mask).all()
    scores = [one.score for one in region.alternatives]
    assert scores == sorted(scores, reverse=True)


def test_pieces_of_a_mask_are_found_from_left_to_right() -> None:
    mask = torch.zeros(10, 20)
    mask[2:5, 12:18], mask[4:9, 1:5], mask[0, 9] = 1, 0.9, 1
    left, right = pieces(mask, 0.1)
    assert left[:, 10:].sum() == 0 and right[:, :10].sum() == 0
    torch.testing.assert_close(left + right, mask * (torch.arange(20) != 9))
    assert pieces(left, 0.1) == []


class Drawn(RegionNetwork):
    """Draws what it is told: logits [1, K, S, S] and scores [1, K]."""

    def told(self, thing: torch.Tensor, score: torch.Tensor) -> "Drawn":
        self.thing, self.score = thing, score
        return self

    def read(self, *_: object, **__: object) -> Proposals:
        presence = torch.full((1,), 5.0)
        return Proposals(self.thing.clone(), self.thing.clone(), self.score, presence, self.thing)


def test_several_things_in_a_mask_are_alternatives_after_all_proposals() -> None:
    """The second of three proposals is the best, and shows two things: "both mugs"."""
    thing = torch.full((1, 3, SIDE, SIDE), -6.0)
    thing[0, 0, 4:10, 2:10] = thing[0, 2, 20:28, 10:20] = 6
    thing[0, 1, 4:12, 2:10] = thing[0, 1, 16:26, 20:30] = 6
    net = Drawn([3], 6, ("colours",), width=16, heads=2, mixers=1, side=SIDE)
    scores = torch.tensor([[-1.0, 3.0, 0.5]])
    proposer = LearnedProposer(net.told(thing, scores), features())
    region = proposer.propose(picture(), "both mugs")
    proposals = [one for one in region.alternatives if one.label == "proposal"]
    pieces_found = [one for one in region.alternatives if one.label == "piece"]
    assert len(proposals) == net.proposals == 3
    assert [int(one.mask.argmax()) // SIDE for one in proposals] == [4, 20, 4]  # 2nd, 3rd, 1st
    assert torch.equal(proposals[0].mask, region.mask)
    left, right = pieces_found
    assert mask_box(left.mask) == (2, 4, 10, 12) and mask_box(right.mask) == (20, 16, 30, 26)
    torch.testing.assert_close(left.mask + right.mask, region.mask)
    assert left.score == right.score < proposals[0].score
    whole_one = torch.cat((thing[:, :1], thing[:, :1], thing[:, 2:]), 1)
    proposer = LearnedProposer(net.told(whole_one, scores), features())
    labels = [one.label for one in proposer.propose(picture(), "a mug").alternatives]
    assert labels == ["proposal"] * 3


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ({"heads": 3}, "width is 16: give a multiple of 3"), ({"side": 100}, "multiple of 8"),
        ({"proposals": 0}, "proposals is 0: give"), ({"width": "wide"}, "width is 'wide'"),
        ({"width": 6}, "width is 6: give a multiple of 4"), ({"rounds": 0}, "rounds is 0"),
    ],
)  # fmt: skip
def test_sizes_that_no_network_has_are_told(size: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        RegionNetwork([3], 6, **{"width": 16, "heads": 2, "side": SIDE} | size)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_there_are_as_many_proposals_as_the_network_has(count: int) -> None:
    net = RegionNetwork(
        [3], 6, ("colours",), width=16, heads=2, mixers=1, side=SIDE, proposals=count
    )
    region = LearnedProposer(net, features()).propose(picture(), "a cat")
    assert [one.label for one in region.alternatives].count("proposal") == count


def test_a_mask_is_drawn_to_the_edges_of_a_larger_picture() -> None:
    image = -torch.ones(1, 3, 64, 64)
    image[..., 22:42] = 1
    coarse = torch.full((1, 1, 8, 8), -6.0)
    coarse[..., 3:5] = 6  # columns 24 to 40 of the picture: two short on either side
    truth = (image[:, :1] > 0).float()
    plain = torch.nn.functional.interpolate(coarse, (64, 64), mode="bilinear").sigmoid()
    assert (sharpen(coarse, image) - truth).abs().mean() < 0.5 * (plain - truth).abs().mean()


def test_a_wide_filter_computed_small_gives_nearly_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A photograph's reach is far above LEAST_REACH: a disc in front of a sloping ground."""
    line = torch.linspace(-1, 1, 320)
    inside = (line[:, None] ** 2 + line[None] ** 2 < 0.2)[None, None]
    image = torch.where(inside, 0.8, 0.3 * line).expand(1, 3, -1, -1)
    coarse = torch.nn.functional.adaptive_avg_pool2d(inside.float(), (16, 16)) * 12 - 6
    small = sharpen(coarse, image)
    monkeypatch.setattr("lr_edit.regions.sharpen.LEAST_REACH", 1000)
    full = sharpen(coarse, image)
    assert (small - full).abs().mean() < 0.002
    assert ((small > 0.5) == inside).float().mean() > 0.995


@pytest.mark.parametrize("side", [16, 24, 12])
def test_a_mask_is_zero_where_nothing_is(side: int) -> None:
    logits = torch.full((1, 2, 16, 16), -6.0)
    logits[:, :, 4:10, 4:10] = torch.tensor([5.0, -3.0])[None, :, None, None]
    masks = sharpen(logits, picture(side, side))
    assert ((masks == 0) | (masks == 1)).float().mean() > 0.7
    where = mask_box(masks[:, :1]), mask_box(masks[:, 1:])  # the second comes nearest, and is told
    for box in where:
        assert max(abs(a / side - b / 16) for a, b in zip(box, (4, 4, 10, 10), strict=True)) < 0.1


@given(st.integers(1, 9), st.integers(1, 9))
def test_a_picture_comes_back_from_its_square(height: int, width: int) -> None:
    image = torch.rand(1, 3, height, width)
    square = padded(image)
    side = max(height, width)
    assert square.shape == (1, 3, side, side)
    assert torch.equal(unpadded(square, (height, width)), image)
    window = whole(width, height)  # where training on photographs puts it
    inside = square[..., -window.y : -window.y + height, -window.x : -window.x + width]
    assert torch.equal(inside, image)
    assert float(square.sum()) == pytest.approx(float(image.sum()), rel=1e-5)


def test_bars_around_a_picture_are_no_part_of_its_region() -> None:
    wide = picture(20, 60)
    region = LearnedProposer(network(), features()).propose(wide, "a cat")
    assert region.mask.shape == (1, 1, 20, 60) and region.change is not None
    assert all(one.mask.shape == (1, 1, 20, 60) for one in region.alternatives)


@pytest.mark.parametrize("size", [(32, 32), (60, 20), (20, 60), (1, 50), (50, 1), (61, 60)])
@pytest.mark.parametrize("side", [16, 60, 100])
def test_a_square_that_is_never_made_looks_the_same(size: tuple[int, int], side: int) -> None:
    image = picture(*size)
    square = padded(image)
    plain = square if max(size) == side else bicubic(square, (side, side))
    assert torch.equal(squared(image, side, bicubic), plain)
    pool = torch.nn.functional.adaptive_avg_pool2d
    pooled = pool(padded(image, 0.5), (side, side))
    torch.testing.assert_close(squared(image, side, pool, 0.5), pooled, atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", [(100, 300), (300, 100), (90, 91), (60, 45), (20, 32), (8, 16)])
def test_a_mask_is_that_of_the_whole_square(size: tuple[int, int]) -> None:
    """The last of four reaches .5 beside the picture alone, the third nowhere."""
    logits = torch.full((1, 4, 32, 32), -6.0)
    logits[:, 0, 10:20, 4:20], logits[:, 1, :, 14:18] = 5, 3
    logits[:, 2, 12:20, 12:20] = -1
    logits[:, 3, :3, :3], logits[:, 3, 14:17, 14:17] = 5, -3
    image = picture(*size)
    whole = unpadded(sharpen(logits, padded(image)), size)
    masks = sharpen(logits, image)
    assert masks.shape == (1, 4, *size)
    torch.testing.assert_close(masks, whole, atol=1e-4, rtol=0)
    assert masks[0, :3].amax((1, 2)).min() > 0.9


def test_only_long_pictures_are_shown_smaller() -> None:
    """Sizes alone are looked at: on the meta device pictures hold nothing."""
    for size in ((3000, 9000), (5000, 5000), (LEAST_SHOWN, 10), (1, 1)):
        seen = shown(torch.empty(1, 3, *size, device="meta"))
        assert seen.shape == (1, 3, max(size), max(size))
    for size in ((16000, 2000), (10, 16000)):
        side = shown(torch.empty(1, 3, *size, device="meta")).shape[-1]
        assert LEAST_SHOWN <= side < 16000 and side**2 <= max(3 * size[0] * size[1], LEAST_SHOWN**2)


def test_a_long_picture_shown_smaller_stands_in_the_same_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = torch.nn.functional.interpolate(picture(4, 40), (80, 800), mode="bicubic").clamp(-1, 1)
    monkeypatch.setattr("lr_edit.regions.learned.LEAST_SHOWN", 200)
    small = shown(image)
    assert small.shape[-1] == isqrt(3 * 80 * 800)
    squeezed, whole = (bicubic(square, (64, 64)) for square in (small, padded(image)))
    assert (squeezed - whole).abs().max() < 0.05 and (squeezed - whole).abs().mean() < 1e-3
