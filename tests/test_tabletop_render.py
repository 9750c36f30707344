"""The renderer against geometry that can be worked out by hand."""

import math
from dataclasses import replace

import pytest
import torch

from lr_edit.tabletop.figures import figure
from lr_edit.tabletop.primitives import (
    BALL,
    FAR,
    Solid,
    Solids,
    frustum_quadric,
    intersect,
    normals,
)
from lr_edit.tabletop.render import BACKDROP_CLASS, FIRST_NOUN_CLASS, SURFACE_CLASS, render
from lr_edit.tabletop.scene import (
    COLOURS,
    NOUNS,
    Camera,
    Light,
    Scene,
    Thing,
    sample_scene,
    scene_from_dict,
    screen_position,
)

CAMERA, LIGHT = Camera(0.0, 0.5, 7.0), Light(-0.8, 0.9, 0.6)


def scene_of(*things: Thing) -> Scene:
    return Scene(things, "wood", "gray wall", CAMERA, LIGHT)


def one(quadric: tuple[float, ...], hole: float = 0.0) -> Solids:
    """A single solid of unit size at the origin."""
    return Solids(
        centre=torch.zeros(1, 3), half=torch.ones(1, 3), axes=torch.eye(3)[None],
        quadric=torch.tensor([quadric]), lo=-torch.ones(1, 3), hi=torch.ones(1, 3),
        hole=torch.tensor([hole]), radius=torch.tensor([2.0]),
    )  # fmt: skip


def distance(solids: Solids, origin: list[float], direction: list[float]) -> float:
    d = torch.nn.functional.normalize(torch.tensor([direction]).float(), dim=-1)
    return float(intersect(solids, torch.tensor([origin]).float(), d, 1e-3))


def test_rays_meet_a_ball_where_they_should() -> None:
    assert distance(one(BALL), [0, -5, 0], [0, 1, 0]) == pytest.approx(4, abs=1e-4)
    assert distance(one(BALL), [0, -5, 0.8], [0, 1, 0]) == pytest.approx(5 - 0.6, abs=1e-4)
    assert distance(one(BALL), [0, -5, 1.1], [0, 1, 0]) == FAR


def test_rays_meet_a_cone_from_the_side_from_above_and_steeper_than_its_side() -> None:
    cone = one(frustum_quadric(0.0))
    assert distance(cone, [0, -5, 0], [0, 1, 0]) == pytest.approx(4.5, abs=1e-4)
    assert distance(cone, [0, 0.01, 5], [0, 0, -1]) == pytest.approx(4.02, abs=1e-3)
    assert distance(cone, [0.3, 0, -5], [0, 0, 1]) == pytest.approx(4, abs=1e-4)
    assert distance(cone, [0.9, 0, 5], [0, 0, -1]) == pytest.approx(5.8, abs=1e-3)


def test_a_tube_is_pierced_and_seen_from_within() -> None:
    tube = one(frustum_quadric(1.0), hole=0.5)
    assert distance(tube, [0, 0, -5], [0, 0, 1]) == FAR
    assert distance(tube, [0.7, 0, -5], [0, 0, 1]) == pytest.approx(4, abs=1e-4)
    assert distance(tube, [0, 0, 0], [1, 0, 0]) == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("turn", [0.0, 0.7])
def test_normals_of_a_ball_point_away_from_its_centre(turn: float) -> None:
    points = torch.nn.functional.normalize(torch.randn(20, 3), dim=-1)
    ball = one(BALL)
    axes = torch.tensor(
        [[math.cos(turn), -math.sin(turn), 0], [math.sin(turn), math.cos(turn), 0], [0, 0, 1]]
    )
    many = replace(ball, axes=axes[None])[torch.zeros(20, dtype=torch.long)]
    torch.testing.assert_close(normals(many, points), points, atol=1e-3, rtol=1e-3)


def test_equal_seeds_give_equal_pictures_whatever_they_are_rendered_with() -> None:
    scenes = [sample_scene(seed) for seed in (3, 4, 5)]
    together, alone = render(scenes, 32), render(scenes[1:2], 32)
    assert torch.equal(together.images[1:2], alone.images)
    assert torch.equal(together.instances[1:2], alone.instances)
    assert not torch.equal(together.images[0], together.images[1])


def test_maps_agree_with_each_other_and_with_the_scene() -> None:
    scene = sample_scene(11)
    result = render([scene], 64)
    nouns = [NOUNS.index(thing.noun) for thing in scene.things]
    for k, noun in enumerate(nouns, start=1):
        inside = result.instances[0] == k
        assert inside.any()
        assert (result.classes[0][inside] == FIRST_NOUN_CLASS + noun).all()
    outside = result.classes[0][result.instances[0] == 0]
    assert set(outside.unique().tolist()) <= {SURFACE_CLASS, BACKDROP_CLASS}
    assert result.images.min() >= -1 and result.images.max() <= 1


def test_things_appear_where_the_camera_projects_them() -> None:
    for seed in range(6):
        scene = sample_scene(seed, count=1)
        seen = render([scene], 64).instances[0].nonzero().float().mean(0)
        u, v, _ = screen_position(scene, scene.things[0])
        assert abs(float(seen[1]) / 32 - 1 - u) < 0.12
        assert abs(float(seen[0]) / 32 - 1 - v) < 0.2


def test_a_nearer_thing_hides_a_farther_one() -> None:
    near = Thing("box", "red", "matte", "large", 0.0, -1.2, 0.0)
    far = Thing("ring", "blue", "matte", "small", 0.0, 1.0, 0.0)
    alone = render([scene_of(far)], 64).instances[0] == 1
    both = render([scene_of(near, far)], 64).instances[0]
    assert (both == 2).sum() < alone.sum()
    assert not ((both == 2) & ~alone).any()


def test_shadows_fall_away_from_the_lamp_and_belong_to_their_thing() -> None:
    thing = Thing("snowman", "white", "matte", "large", 0.0, 0.0, 0.0)
    lit_from_left = Scene((thing,), "snow", "gray wall", CAMERA, Light(-1.4, 0.8, 0.6))
    result = render([lit_from_left], 64)
    ground = (result.shadows[0] == 1) & (result.instances[0] == 0)
    body = (result.instances[0] == 1).nonzero()[:, 1].float().mean()
    assert ground.sum() > 20
    assert ground.nonzero()[:, 1].float().mean() > body + 3
    bare = render([Scene((), "snow", "gray wall", CAMERA, Light(-1.4, 0.8, 0.6))], 64)
    assert result.images[0][:, ground].mean() < bare.images[0][:, ground].mean() - 0.1


def test_every_noun_in_every_colour_has_its_colour() -> None:
    for noun in NOUNS:
        solids = {colour: figure(noun, colour, 0) for colour in COLOURS}
        assert all(isinstance(s, Solid) for parts in solids.values() for s in parts)
        assert len({tuple(s.colour for s in parts) for parts in solids.values()}) == len(COLOURS)


def test_a_scene_survives_its_dictionary() -> None:
    scene = sample_scene(17)
    assert scene_from_dict(scene.to_dict()) == scene


def test_no_thing_no_instance() -> None:
    result = render([scene_of()], 32)
    assert not result.instances.any() and not result.shadows.any()


def test_borders_are_smooth_where_a_pixel_has_several_rays() -> None:
    # A black thing before a light wall: colours far from both are mixed of both.
    scene = scene_of(Thing("tree", "black", "matte", "large", 0.0, 3.0, 0.0))
    wall = render([scene_of()], 64).classes == BACKDROP_CLASS

    def mixed(**samples: int) -> int:
        gray = render([scene], 64, **samples).images.mean(1)[wall]
        assert (gray < -0.6).any() and (gray > 0.14).any()
        return int(((gray > -0.45) & (gray < 0.1)).sum())

    assert mixed() > 8
    assert mixed(samples=1) == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_pictures_and_maps() -> None:
    scenes = [sample_scene(seed) for seed in range(4)]
    on_cpu, on_gpu = render(scenes, 64), render(scenes, 64, "cuda")
    for name in ("instances", "classes", "shadows"):
        same = getattr(on_gpu, name).cpu() == getattr(on_cpu, name)
        # A ray that grazes a border may round to its other side.
        assert same.float().mean() > 0.999, name
    gap = (on_gpu.images.cpu() - on_cpu.images).abs()
    assert gap.mean() < 1e-3 and gap.amax(1).flatten().quantile(0.999) < 0.02
    depth = (on_gpu.depth.cpu() / on_cpu.depth - 1).abs()
    assert depth.flatten().quantile(0.999) < 1e-3
