"""Every way to teach the region network: what each of its terms reaches, and that it learns."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
import weights
from region_fakes import batch, features, network
from torch import Tensor, nn

from lr_edit.backbones.diffusion import UNetDiffusion
from lr_edit.backbones.latent import Inpainter
from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.backbones.open_clip_dense import OpenClipDense
from lr_edit.errors import UserError
from lr_edit.tabletop.predicates import MENTIONS
from lr_edit.tabletop.traits import TRAITS
from lr_edit.training.objectives.base import Batch, Learner, Objective
from lr_edit.training.objectives.captions import CaptionObjective
from lr_edit.training.objectives.masks import MaskObjective, fitness, mask_errors
from lr_edit.training.objectives.stepwise import StepwiseObjective
from lr_edit.training.objectives.through_edit import (
    DifferentiableEdit,
    ScoreFunctionEdit,
    reinforced,
)
from lr_edit.training.objectives.traits import trait_error

# What a term cannot reach, by how the parameters' names begin.
PRESENCE = ("presence.", "evidence")
JUDGED = (*PRESENCE, "fit.")
EDGES = ("climb.", "kernels.")
# What has to do with words, which come after the picture.
UNREAD = (
    *JUDGED, *EDGES, "queries", "words.", "readings.", "rounds.", "last.", "where.",
)  # fmt: skip
# What comes after half of the reading.
HALFWAY = (*JUDGED, *EDGES, "rounds.2.", "rounds.3.", "last.", "where.")
# Of scores only the softmax is seen, which a constant added to all of them leaves as it is.
MIXED = (*PRESENCE, "fit.2.bias")
UNREACHED = {
    "masks": {
        "masks": JUDGED, "pick": MIXED, "hints": (*JUDGED, *EDGES), "presence": EDGES,
        "score": (*PRESENCE, *EDGES, "where."), "empty": (*JUDGED, *EDGES),
    },
    "stepwise": {
        "masks": JUDGED, "pick": MIXED, "hints": (*JUDGED, *EDGES), "presence": EDGES,
        "score": (*PRESENCE, *EDGES, "where."), "empty": (*JUDGED, *EDGES),
        "traits": UNREAD, "middle": UNREAD, "mentions": HALFWAY,
    },
    "captions": {
        "contrast": MIXED, "heat": MIXED, "absent": (), "area": MIXED, "affinity": MIXED,
        "variation": MIXED, "change": JUDGED,
    },
    "edits": {
        "text": MIXED, "direction": MIXED, "structure": MIXED, "area": MIXED, "variation": MIXED,
        "rest": (),
    },
    "score function": {"reinforced": MIXED, "area": MIXED, "variation": MIXED, "rest": ()},
}  # fmt: skip
ROUNDING = 1e-6  # of the greatest gradient: less than this is none


@pytest.fixture(scope="module")
def objectives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Objective]:
    """Every way to learn, with tiny frozen networks."""
    folder: Path = tmp_path_factory.mktemp("weights")
    encoder = OpenClipEncoder(f"local-dir:{weights.clip(folder / 'clip')}")
    dense = OpenClipDense(encoder)
    diffusion = UNetDiffusion(str(weights.diffusion(folder / "diffusion")))
    return {
        "masks": MaskObjective(),
        "stepwise": StepwiseObjective(),
        "captions": CaptionObjective(encoder, alike=0.999),
        "edits": DifferentiableEdit(dense, diffusion),
        "score function": ScoreFunctionEdit(dense, diffusion, draws=3, cells=4),
    }


def test_one_draw_has_no_others_to_be_compared_with() -> None:
    unused: Any = None
    with pytest.raises(UserError, match="draws is 1: give 2 or more"):
        ScoreFunctionEdit(unused, unused, draws=1)


def example() -> Batch:
    """A batch in which the first phrase of every picture is an edit prompt."""
    made = batch()
    edit = torch.zeros(2, 3, dtype=torch.bool)
    edit[:, 0] = True
    there = made["object"].any(1)  # type: ignore[attr-defined]
    traits = torch.stack([there * (1 + k % 2) for k in range(len(TRAITS))], 1)
    middle = torch.stack((there * 0.1, there * -0.2), 1)
    mentions = made["object"][:, :, None].repeat(1, 1, len(MENTIONS), 1, 1)  # type: ignore[index]
    told = {"traits": traits, "middle": middle, "mentions": mentions}
    return {**made, "edit": edit, "paints": ["", "a mug", "a house"] * 2, **told}


def learning(objective: Objective) -> Learner:
    """A tiny network that reads wishes too, what it reads, and what learns beside it."""
    net = network(wishes=True)
    return Learner(net, features(), objective.head(net.width))


@pytest.mark.parametrize("name", UNREACHED)
def test_every_parameter_learns_and_the_loss_falls(
    objectives: dict[str, Objective], name: str
) -> None:
    learner, given = learning(objectives[name]), example()
    parts = nn.ModuleList(filter(None, (learner.network, learner.head)))
    optimiser = torch.optim.Adam(parts.parameters(), lr=5e-3)
    losses = []
    for step in range(10):
        terms = objectives[name].terms(learner, given, torch.Generator().manual_seed(0))
        optimiser.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        if step == 0:
            for part, parameter in parts.named_parameters():
                assert parameter.grad is not None, part
                assert torch.isfinite(parameter.grad).all(), part
                assert parameter.grad.abs().sum() > 0, part
            assert (learner.network.readings.weight.grad.abs().sum(1) > 0).all()  # type: ignore[union-attr]
        optimiser.step()
        # The score-function estimate is a sum of chances: it has no level of its own to fall from.
        losses.append(sum(float(v.detach()) for k, v in terms.items() if k != "reinforced"))
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("name", UNREACHED)
def test_every_term_moves_all_the_weights_that_it_can_reach(
    objectives: dict[str, Objective], name: str
) -> None:
    learner = learning(objectives[name])
    terms = objectives[name].terms(learner, example(), torch.Generator().manual_seed(0))
    assert terms.keys() == UNREACHED[name].keys()
    names, parameters = zip(*learner.network.named_parameters(), strict=True)
    for part in learner.head.parameters() if learner.head is not None else ():
        total = torch.stack(list(terms.values())).sum()
        (gradient,) = torch.autograd.grad(total, [part], retain_graph=True)
        assert gradient.isfinite().all() and gradient.any()
    for term, value in terms.items():
        gradients = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
        assert all(g is None or torch.isfinite(g).all() for g in gradients), term
        greatest = [0.0 if g is None else float(g.abs().max()) for g in gradients]
        still = [n for n, g in zip(names, greatest, strict=True) if g <= ROUNDING * max(greatest)]
        assert still == [n for n in names if n.startswith(UNREACHED[name][term])], term


def test_mask_errors_are_least_for_the_truth() -> None:
    truth = torch.zeros(1, 8, 8)
    truth[:, 2:5, 2:6] = 1
    logits = torch.stack((20 * (2 * truth - 1), 0 * truth, 20 * (1 - 2 * truth)), 1)
    bce, dice = mask_errors(logits, truth)
    assert bce[0, 0] < 1e-6 and dice[0, 0] < 0.01
    assert bce[0, 0] < bce[0, 1] < bce[0, 2] and dice[0, 0] < dice[0, 1] < dice[0, 2]


def test_what_cells_show_alone_teaches_all_that_comes_before_words_and_nothing_else() -> None:
    objective, given = StepwiseObjective(alone=0.3), example()
    learner = replace(learning(objective), share=0.2)
    parts = nn.ModuleList(filter(None, (learner.network, learner.head)))
    optimiser, losses = torch.optim.Adam(parts.parameters(), lr=5e-3), []
    for _ in range(10):
        terms = objective.terms(learner, given, torch.Generator())
        optimiser.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimiser.step()
        losses.append(sum(float(value.detach()) for value in terms.values()))
    assert terms.keys() == {"traits", "middle"} and losses[-1] < 0.9 * losses[0]
    for name, parameter in learner.network.named_parameters():
        moved = parameter.grad is not None and bool(parameter.grad.any())
        assert moved != name.startswith(UNREAD), name


def test_what_words_fit_costs_little_where_it_is_told_and_much_elsewhere() -> None:
    objective = StepwiseObjective()
    learner, given = learning(objective), example()
    found = learner.answers(given)
    truth = given["mentions"].flatten(0, 2).float()
    cells = F.adaptive_avg_pool2d(truth[:, None], found.coarse.shape[-1])
    told = 40 * cells.unflatten(0, (-1, len(MENTIONS))).flatten(2).transpose(1, 2) - 20

    class Telling(nn.Module):
        def forward(self, cells: Tensor) -> Tensor:
            return told

    right = objective.unmentioned(Telling(), found, given)
    told = -told
    assert objective.unmentioned(Telling(), found, given) > 5 * right


def test_traits_are_asked_where_things_are_and_of_nouns_everywhere() -> None:
    traits = torch.zeros(1, len(TRAITS), 4, dtype=torch.long)
    traits[0, :, 1] = torch.tensor([3, 2, 1, 2])
    counts = [len(values) for values in TRAITS.values()]
    right = [30.0 * F.one_hot(traits[:, 0], counts[0] + 1)] + [
        30.0 * F.one_hot((value - 1).clamp_min(0), count)
        for value, count in zip(traits[:, 1:].unbind(1), counts[1:], strict=True)
    ]
    assert trait_error(right, traits) < 1e-6
    for wrong, cell, costs in ((0, 3, True), (1, 1, True), (1, 3, False), (3, 0, False)):
        said = [logits.clone() for logits in right]
        said[wrong][0, cell] = said[wrong][0, cell].roll(1)
        assert (trait_error(said, traits) > 0.5) == costs


def test_scores_are_taught_to_be_the_fit() -> None:
    learner, given = Learner(network(), features()), example()
    found = learner.answers(given)
    targets = fitness(found, given["object"].flatten(0, 1).float())
    assert targets.shape == found.score.shape and targets.min() >= 0 and targets.max() <= 1


def test_the_score_function_estimate_is_the_gradient_of_the_expected_reward() -> None:
    """One cell, reward 1 where it is drawn: the expected reward is the chance itself."""
    generator = torch.Generator().manual_seed(0)
    logit = torch.tensor([0.3], requires_grad=True)
    chance = logit.sigmoid().expand(4000, 1)
    drawn = (torch.rand(4000, 1, generator=generator) < chance).float()
    logs = drawn * chance.log() + (1 - drawn) * (1 - chance).log()
    reinforced(logs, drawn).backward()
    expected = float((logit.sigmoid() * (1 - logit.sigmoid())).detach())
    assert logit.grad is not None
    assert -float(logit.grad) == pytest.approx(expected, abs=0.03)


class Painter(Inpainter):
    """Paints white, tells no gradient, and notes what it was asked."""

    size, remedy = 16, "nothing"

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, float]] = []

    def paint(self, picture, mask, prompt, generator, *, negative="", steps, cfg, **_):  # type: ignore[no-untyped-def]
        self.asked.append((prompt, steps, cfg))
        return torch.ones_like(picture)


class Whitened(ScoreFunctionEdit):
    """The more of the left half is white and the less of the right, the better."""

    def references(self, batch: Batch) -> tuple[torch.Tensor, ...]:
        return ()

    def losses(self, references: tuple[torch.Tensor, ...], edited: torch.Tensor) -> dict[str, Any]:
        half = edited.shape[-1] // 2
        return {"text": (edited[..., half:] - edited[..., :half]).mean((1, 2, 3))}


def test_a_pipeline_without_derivatives_teaches_a_region_by_its_edits() -> None:
    painter = Painter()
    objective = Whitened(cast("Any", None), painter, draws=8, cells=4, steps=3, cfg=2.0)
    logits = torch.zeros(2, 1, 4, 4, requires_grad=True)
    given = {"image": torch.zeros(2, 3, 16, 16), "edit": torch.zeros(2, 1), "prompts": ["a", "b"]}
    optimiser = torch.optim.Adam([logits], lr=0.3)
    for step in range(25):
        mask = torch.nn.functional.interpolate(logits.sigmoid(), (16, 16))
        terms = objective.judge(given, mask, torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        terms["reinforced"].backward()
        optimiser.step()
    assert set(painter.asked) == {("a", 3, 2.0), ("b", 3, 2.0)}
    left, right = logits.detach().split(2, dim=-1)
    assert left.mean() > 0.5 and right.mean() < -0.5
