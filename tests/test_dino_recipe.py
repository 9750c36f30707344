"""Self-distillation: its losses, its teacher, the crops it learns from, and what it exports."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import adaptive_avg_pool2d
from torch.utils.data import default_collate

from lr_edit.backbones.dino import DinoEncoder
from lr_edit.tabletop.augmented_views import UNCHANGED
from lr_edit.tabletop.cache import RenderedScenes, rendered
from lr_edit.tabletop.multicrop import MultiCropViews, square_around
from lr_edit.tabletop.scene import NOUNS
from lr_edit.training.dino import DinoRecipe, Projection, random_patches
from lr_edit.training.losses import across_views, balanced, cosine_path, unexplained
from lr_edit.training.neighbours import neighbour_labels


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> RenderedScenes:
    return rendered("train", 3, 64, tmp_path_factory.mktemp("scenes"), processes=1)


def test_agreement_is_asked_of_other_crops_only() -> None:
    teacher = torch.eye(3)[None, :2]  # crop 0 is prototype 0, crop 1 prototype 1
    swapped = torch.tensor([[[-30.0, 30, -30], [30, -30, -30]]])
    assert across_views(swapped, teacher) == pytest.approx(0, abs=1e-4)
    assert across_views(-swapped, teacher) > 10
    third = torch.cat((swapped, torch.tensor([[[30.0, 30, -30]]])), 1)
    expected = 2 * torch.tensor(2.0).log() / 4
    torch.testing.assert_close(across_views(third, teacher), expected)


def test_a_loss_over_views_is_least_when_student_and_teacher_agree() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 1, 8, generator=generator).expand(4, 3, 8)
    teacher = logits[:, :2].softmax(-1)
    least = across_views(logits, teacher)
    for _ in range(5):
        other = logits + 0.3 * torch.randn(4, 3, 8, generator=generator)
        assert across_views(other, teacher) > least


def test_balancing_gives_every_prototype_its_share() -> None:
    logits = torch.rand(64, 8, generator=torch.Generator().manual_seed(0))
    logits[:, 0] += 1  # what every picture likes best
    word = balanced(logits, 0.1, rounds=50)
    torch.testing.assert_close(word.sum(1), torch.ones(64))
    torch.testing.assert_close(word.sum(0), torch.full((8,), 8.0), rtol=1e-3, atol=0)
    assert word.max(1).values.mean() > balanced(logits, 1.0).max(1).values.mean() + 0.2
    assert balanced(logits[:0], 0.1).shape == (0, 8)


def test_what_is_unexplained_is_a_share_of_the_variance() -> None:
    target = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
    target = target * torch.tensor([1.0, 5, 0.1]) + torch.tensor([0.0, 90, -3])
    white = (target - target.mean(0)) / target.std(0, correction=0)
    assert unexplained(white, target) == pytest.approx(0, abs=1e-6)
    assert unexplained(0 * white, target) == pytest.approx(1, abs=1e-4)
    first_known = torch.stack((white[:, 0], 0 * white[:, 1], 0 * white[:, 2]), 1)
    assert unexplained(first_known, target) == pytest.approx(2 / 3, abs=1e-4)
    assert torch.isfinite(unexplained(white, torch.ones(500, 3)))


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_momentum_rises_from_start_to_end(first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert cosine_path(0.99, 1.0, 0) == pytest.approx(0.99)
    assert cosine_path(0.99, 1.0, 1) == pytest.approx(1)
    assert cosine_path(0.99, 1.0, low) <= cosine_path(0.99, 1.0, high) + 1e-12


def test_neighbours_vote_and_the_forbidden_do_not() -> None:
    bank = torch.tensor([[1.0, 0], [0.9, 0.1], [0, 1], [0.1, 2]])
    labels = torch.tensor([3, 3, 1, 1])
    queries = torch.tensor([[5.0, 0.2], [0.1, 0.1 * 7]])
    assert neighbour_labels(queries, bank, labels, count=2).tolist() == [3, 1]
    own = torch.tensor([[True, True, False, False], [False, False, True, True]])
    assert neighbour_labels(queries, bank, labels, own, count=2).tolist() == [1, 3]
    assert neighbour_labels(queries, bank, labels, count=99).tolist() == [3, 1]


def test_cosines_do_not_depend_on_lengths() -> None:
    torch.manual_seed(0)
    head = Projection(8, 16, 4, 6)
    logits = head(torch.randn(5, 2, 8))
    assert logits.shape == (5, 2, 6) and logits.abs().max() <= 1 + 1e-5
    points = head.mlp(torch.randn(5, 8))
    with torch.no_grad():
        head.prototypes.mul_(7)
    head.mlp = torch.nn.Identity()
    torch.testing.assert_close(head(points), head(3 * points))


def test_half_of_the_pictures_hide_some_patches() -> None:
    hidden = random_patches(4000, 64, torch.Generator().manual_seed(0)).float().mean(1)
    assert (hidden > 0).float().mean() == pytest.approx(0.5, abs=0.03)
    assert hidden[hidden > 0].mean() == pytest.approx(0.3, abs=0.02)
    assert hidden.max() < 0.75


@given(st.randoms(use_true_random=False), st.integers(1, 64), st.data())
def test_squares_hold_their_point(rng: Any, side: int, data: Any) -> None:
    point = data.draw(st.integers(0, 63)), data.draw(st.integers(0, 63))
    x0, y0, x1, y1 = square_around(point, 64, side, rng)
    assert x1 - x0 == y1 - y0 == side and min(x0, y0) >= 0 and max(x1, y1) <= 64
    assert x0 <= point[0] < x1 and y0 <= point[1] < y1


def test_a_sample_is_a_function_of_its_number(scenes: RenderedScenes) -> None:
    first, again, longer = (MultiCropViews(scenes, n) for n in (10, 10, 1000))
    for name, value in first[7].items():
        assert torch.equal(torch.as_tensor(value), torch.as_tensor(again[7][name]))
        assert torch.equal(torch.as_tensor(value), torch.as_tensor(longer[7][name]))
    assert not torch.equal(first[7]["boxes"], first[8]["boxes"])


def test_views_are_squares_around_one_thing(scenes: RenderedScenes) -> None:
    samples = MultiCropViews(scenes, 20, small=3)
    nouns = [{thing.noun for thing in scenes.scene(i).things} for i in range(len(scenes))]
    for item in (samples[k] for k in range(20)):
        assert item["picture"].shape == (64, 64, 3) and item["picture"].dtype == torch.uint8
        assert item["boxes"].shape == (5, 4) and item["changes"].shape == (5, len(UNCHANGED))
        for x0, y0, x1, y1 in (*item["boxes"].tolist(), *item["plain"].tolist()):
            assert x1 - x0 == y1 - y0 > 0 and min(x0, y0) >= 0 and max(x1, y1) <= 64
        assert NOUNS[item["noun"]] in nouns[item["scene"]]
        assert not torch.equal(*item["changes"][:2])


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> DinoRecipe:
    """A tiny recipe as in the middle of a training, without a trainer."""
    torch.manual_seed(0)
    made = DinoRecipe(width=16, layers=2, heads=2, side=32, patch=8, prototypes=8)
    alone = SimpleNamespace(all_gather=lambda values, **_: values)
    trainer = SimpleNamespace(callbacks=[], max_steps=100, global_step=50, strategy=alone)
    monkeypatch.setattr(DinoRecipe, "trainer", trainer)
    monkeypatch.setattr(made, "log", lambda *_, **__: None)
    return made


def batch(scenes: RenderedScenes) -> dict[str, Any]:
    views = MultiCropViews(scenes, 100, small=2)
    return default_collate([views[k] for k in range(4)])


def test_only_the_student_learns_and_the_teacher_follows(
    recipe: DinoRecipe, scenes: RenderedScenes
) -> None:
    loss = recipe.training_step(batch(scenes), 0)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(p.grad is not None for p in recipe.student.parameters())
    assert not any(p.requires_grad for p in recipe.network.parameters())
    before = recipe.network.layernorm.weight.clone()
    with torch.no_grad():
        recipe.student.layernorm.weight.add_(1.0)
    recipe.on_train_batch_end()
    moved = recipe.network.layernorm.weight - before
    torch.testing.assert_close(moved, torch.full_like(moved, 0.01))  # momentum .99 midway
    recipe.on_train_batch_end()  # a further batch of the same step, whose gradients are added up
    torch.testing.assert_close(recipe.network.layernorm.weight - before, moved)


def mean_colours(images: torch.Tensor) -> torch.Tensor:
    return images.mean((2, 3))


TUTOR: Any = SimpleNamespace(  # knows the mean colours of pictures and of their cells
    channels=(3,),
    patches_and_whole=lambda images: ((adaptive_avg_pool2d(images, 8),), mean_colours(images)),
    encoder=SimpleNamespace(encode_text=lambda texts: torch.zeros(len(texts), 3)),
)


def test_a_tutor_is_imitated_less_and_less(
    recipe: DinoRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    taught = DinoRecipe(
        width=16, layers=2, heads=2, side=32, prototypes=8, tutor=TUTOR, tutored=0.8
    )
    said: dict[str, float] = {}
    monkeypatch.setattr(taught, "log", lambda name, value: said.update({name: float(value)}))
    images = torch.rand(6, 3, 32, 32) * 2 - 1
    states = torch.randn(6, 1 + 16, 16, requires_grad=True)
    midway = taught.taught(images, states)
    midway.backward()
    assert states.grad is not None and (states.grad.abs().sum(2) > 0).all()
    assert midway.item() == pytest.approx(10 * (1 - 0.5 / 0.8) * said["tutor"], rel=1e-4)
    assert recipe.taught(images, states).item() == 0  # it has no tutor
    monkeypatch.setattr(taught, "tutored", 0.5)
    taught.zero_grad(set_to_none=True)
    over = taught.taught(images, states)
    over.backward()
    assert over.item() == 0
    assert taught.imitation is not None
    assert all(p.grad is not None for p in taught.imitation.parameters())
    # What is kept and shipped knows of no tutor.
    assert not any("tutor" in name for name in taught.state_dict())
    assert "tutor" not in taught.hparams


def test_prototypes_stay_at_first(recipe: DinoRecipe, scenes: RenderedScenes) -> None:
    recipe.training_step(batch(scenes), 0).backward()
    assert recipe.student_head.prototypes.grad is not None
    recipe.on_before_optimizer_step(torch.optim.SGD(recipe.student.parameters()))
    assert recipe.student_head.prototypes.grad is None
    assert recipe.student_head.mlp[0].weight.grad is not None


def test_what_is_exported_is_the_teacher_in_half_precision(
    recipe: DinoRecipe, tmp_path: Path
) -> None:
    recipe.export(tmp_path / "dino")
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    encoder = DinoEncoder(str(tmp_path / "dino"))
    with torch.no_grad():
        states = recipe.network(images).last_hidden_state[:, 1:]
    theirs = states.transpose(1, 2).reshape(2, 16, 4, 4)
    torch.testing.assert_close(encoder.patch_features(images)[0], theirs, atol=0.02, rtol=0.02)
    again = DinoRecipe(start=str(tmp_path / "dino"), prototypes=8)
    for name, value in again.network.named_parameters():
        torch.testing.assert_close(value, dict(again.student.named_parameters())[name])
    assert again.patches == 16 and not any(p.requires_grad for p in again.network.parameters())
    assert again.student.layernorm.weight.requires_grad


def test_validation_asks_other_pictures(recipe: DinoRecipe, scenes: RenderedScenes) -> None:
    said = {}
    recipe.log = lambda name, value, **_: said.update({name: float(value)})  # type: ignore[method-assign]
    views = MultiCropViews(scenes, 100, small=2)
    recipe.on_validation_epoch_start()
    for k in range(4):
        item = default_collate([views[k]])
        item["noun"], item["scene"] = torch.tensor([5]), torch.tensor([k])
        recipe.validation_step(item, k)
    recipe.on_validation_epoch_end()
    assert said["val_knn"] == 1
    # The same pictures as neighbours of none but themselves: nothing can be told.
    recipe.seen = [(f, n, torch.zeros(1, dtype=torch.long)) for f, n, _ in recipe.seen]
    recipe.on_validation_epoch_end()
    assert said["val_knn"] == 0
