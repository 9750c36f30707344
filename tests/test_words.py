"""What a region network reads: phrases, what their things become, and who reads the latter."""

import pytest
import torch
from region_fakes import SIDE, Simple, features, network

from lr_edit.errors import UserError
from lr_edit.regions.learned import LearnedProposer, changed
from lr_edit.regions.network import Proposals, RegionNetwork, Seen
from lr_edit.regions.words import EDIT, PAINT, REFER, read_words

IMAGE = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1


def answers(net: RegionNetwork, phrases: list[str], paints: list[str] | None) -> Proposals:
    frozen = features()
    seen = net.look(IMAGE, frozen.maps(IMAGE))
    several = Seen(*(part.repeat_interleave(len(phrases), 0) for part in (seen.cells, seen.pixels)))
    return net.read(several, frozen.tokens(phrases, None, paints))


def test_every_token_has_the_role_of_its_text() -> None:
    words = read_words(Simple(), ["a cat", "a red dog"], torch.tensor([False, True]), ["a mug", ""])
    assert len(words) == 2 and words.states.shape == (2, 14, 6)
    assert words.roles[:, :9].tolist() == [[REFER] * 9, [EDIT] * 9]
    assert (words.roles[:, 9:] == PAINT).all()
    assert words.known.sum(1).tolist() == [5 + 5, 9]
    alone, _ = Simple().encode_tokens(["a mug"])
    torch.testing.assert_close(words.states[:1, 9:], alone)


@pytest.mark.parametrize("paints", [None, ["", ""]])
def test_where_nothing_is_to_become_anything_there_are_the_phrases_alone(
    paints: list[str] | None,
) -> None:
    words = read_words(Simple(), ["a cat", "a red dog"], paints=paints)
    states, known = Simple().encode_tokens(["a cat", "a red dog"])
    assert torch.equal(words.states, states) and torch.equal(words.known, known)
    assert (words.roles == REFER).all()


def test_what_a_thing_becomes_changes_the_answer_of_its_phrase_alone() -> None:
    net = network(wishes=True).eval()
    plain = answers(net, ["a cat", "a dog"], None)
    one = answers(net, ["a cat", "a dog"], ["a mug", ""])
    other = answers(net, ["a cat", "a dog"], ["a house", ""])
    assert not torch.allclose(plain.change[0], one.change[0])
    assert not torch.allclose(other.change[0], one.change[0])
    torch.testing.assert_close(one.change[1], plain.change[1])


def test_a_network_without_wishes_is_told_in_vain() -> None:
    net = network().eval()
    plain, told = (answers(net, ["a cat"], paints) for paints in (None, ["a mug"]))
    torch.testing.assert_close(told.change, plain.change)
    torch.testing.assert_close(told.presence, plain.presence)


@pytest.mark.parametrize(("wishes", "reading"), [(True, "refer"), (True, "edit"), (False, "refer")])
def test_a_proposer_reads_the_wish_if_its_network_does(wishes: bool, reading: str) -> None:
    proposer = LearnedProposer(network(wishes=wishes), features())
    plain = proposer.propose(IMAGE, "a cat", reading)  # type: ignore[arg-type]
    told = proposer.propose(IMAGE, "a cat", reading, " a mug ")  # type: ignore[arg-type]
    stripped = proposer.propose(IMAGE, "a cat", reading, "a mug")  # type: ignore[arg-type]
    assert told.change is not None and stripped.change is not None and plain.change is not None
    assert torch.equal(told.change, stripped.change)
    # What is found does not depend on it, and an edit prompt is the wish itself.
    torch.testing.assert_close(told.mask, plain.mask, atol=1e-4, rtol=0)
    assert told.confidence == pytest.approx(plain.confidence, abs=1e-4)
    assert torch.equal(told.change, plain.change) == (not wishes or reading == "edit")


def test_a_wish_that_leads_elsewhere_is_not_followed() -> None:
    def proposals(told: slice) -> Proposals:
        thing = torch.full((2, 1, 8, 8), -5.0)
        thing[0, 0, 1:5, 1:5] = 5
        thing[1, 0, told, told] = 5
        change = torch.stack((torch.full((1, 8, 8), 1.0), torch.full((1, 8, 8), 2.0)))
        return Proposals(thing, change, torch.zeros(2, 1), torch.zeros(2), thing)

    assert changed(proposals(slice(1, 6)), 0).mean() == 2  # 16 of 25 pixels
    assert changed(proposals(slice(2, 8)), 0).mean() == 1


@pytest.mark.parametrize(
    ("phrase", "paint"),
    [("a cat", "a long one"), ("both cats", "a mug"), ("the cat", "a red cat"), ("a cat", "")],
)
def test_what_tells_nothing_of_the_room_that_is_needed_is_not_read(
    phrase: str, paint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check_length(self: Simple, text: str) -> None:
        if "long" in text:
            raise UserError(f"{text!r} has too many tokens")

    monkeypatch.setattr(Simple, "check_length", check_length)
    proposer = LearnedProposer(network(wishes=True), features())
    plain, told = proposer.propose(IMAGE, phrase), proposer.propose(IMAGE, phrase, paint=paint)
    assert torch.equal(plain.mask, told.mask) and torch.equal(plain.change, told.change)
