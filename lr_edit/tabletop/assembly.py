"""All solids of a batch of scenes as tensors in world coordinates; it traces nothing."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from lr_edit.tabletop.figures import figure
from lr_edit.tabletop.primitives import BALL, BOX, Solid, Solids
from lr_edit.tabletop.scene import BACKDROPS, MATERIALS, NOUNS, SIZES, SURFACES, Scene, Thing


@dataclass(frozen=True)
class Assembly:
    """N solids of B scenes, sorted by scene, and what the renderer needs beside them.

    first: B + 1 offsets into the solids. thing [N]: 1-based index in the scene. noun [N]: index in
    NOUNS. colour, colour2 [N, 3]; texture [N]; parameters [N, 2]; shiny [N] in [0, 1].
    camera [B, 3]; axes [B, 3, 3] (right, up, forward as rows); reach, strength [B]; light [B, 3].
    """

    solids: Solids
    first: list[int]
    thing: Tensor
    noun: Tensor
    colour: Tensor
    colour2: Tensor
    texture: Tensor
    parameters: Tensor
    shiny: Tensor
    camera: Tensor
    axes: Tensor
    reach: Tensor
    light: Tensor
    strength: Tensor
    surface: Tensor
    backdrop: Tensor


def rotation(turn: tuple[float, float, float]) -> Tensor:
    """Rotation matrix [3, 3]: about x, then y, then z (radians)."""
    (cx, cy, cz), (sx, sy, sz) = (tuple(f(a) for a in turn) for f in (math.cos, math.sin))
    about_x = torch.tensor([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = torch.tensor([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = torch.tensor([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1.0]])
    return about_z @ about_y @ about_x


def bounding_radius(solid: Solid) -> float:
    """Radius about `centre` that holds the solid."""
    x, y, z = solid.half
    if solid.quadric == BALL:
        return max(solid.half)
    if solid.quadric == BOX or 0.0 in solid.quadric[:2]:
        return math.sqrt(x * x + y * y + z * z)
    return math.sqrt(max(x, y) ** 2 + z * z)


@lru_cache(maxsize=2048)
def rows(noun: str, colour: str, tone: int) -> tuple[Tensor, Tensor]:
    """A figure's numbers [n, 28] and own axes [n, 3, 3], in its own coordinates."""
    solids = figure(noun, colour, tone)
    table = [
        (*s.centre, *s.half, *s.quadric, *s.lo, *s.hi, s.hole, bounding_radius(s), *s.colour,
         *s.colour2, s.texture, *s.parameters)
        for s in solids
    ]  # fmt: skip
    return torch.tensor(table, dtype=torch.float32), torch.stack([rotation(s.turn) for s in solids])


def tone_of(thing: Thing) -> int:
    """Skin and hair, 0 to 3: people differ with material and size."""
    return MATERIALS.index(thing.material) + 2 * tuple(SIZES).index(thing.size)


def assemble(scenes: Sequence[Scene], device: torch.device) -> Assembly:
    """The scenes' solids on the device."""
    placed = [(i, k, t) for i, s in enumerate(scenes) for k, t in enumerate(s.things, start=1)]
    things = [thing for _, _, thing in placed]
    parts = [rows(t.noun, t.colour, tone_of(t)) for t in things]
    empty = torch.zeros(0, 28), torch.zeros(0, 3, 3)
    table, axes = (torch.cat([p[k] for p in [*parts, empty]]).to(device) for k in (0, 1))
    counts = torch.tensor([len(p[0]) for p in parts], dtype=torch.long)

    def per_solid(values: Sequence[float]) -> Tensor:
        """One value a thing => one a solid."""
        return torch.tensor(values).repeat_interleave(counts).to(device)

    scene_of = per_solid([i for i, _, _ in placed]).long()
    cameras = [s.camera.basis() for s in scenes]
    return Assembly(
        solids=world_solids(table, axes, things, per_solid),
        first=[0, *torch.bincount(scene_of, minlength=len(scenes)).cumsum(0).tolist()],
        thing=per_solid([k for _, k, _ in placed]).long(),
        noun=per_solid([NOUNS.index(t.noun) for t in things]).long(),
        colour=table[:, 19:22],
        colour2=table[:, 22:25],
        texture=table[:, 25].long(),
        parameters=table[:, 26:28],
        shiny=per_solid([float(t.material == "shiny") for t in things]),
        camera=torch.tensor([c[0] for c in cameras], device=device),
        axes=torch.tensor([c[1:] for c in cameras], device=device),
        reach=torch.tensor([math.tan(s.camera.fov / 2) for s in scenes], device=device),
        light=torch.tensor([light_direction(s) for s in scenes], device=device),
        strength=torch.tensor([s.light.strength for s in scenes], device=device),
        surface=torch.tensor([SURFACES.index(s.surface) for s in scenes], device=device),
        backdrop=torch.tensor([BACKDROPS.index(s.backdrop) for s in scenes], device=device),
    )


def world_solids(
    table: Tensor,
    axes: Tensor,
    things: Sequence[Thing],
    per_solid: Callable[[Sequence[float]], Tensor],
) -> Solids:
    """Figures' numbers [N, 28] and axes [N, 3, 3] moved to where the things stand."""
    scale = per_solid([t.scale for t in things])
    turned = turn_about_z(per_solid([t.heading for t in things]))
    centre = torch.einsum("nij,nj->ni", turned, table[:, 0:3]) * scale[:, None]
    centre[:, 0] += per_solid([t.x for t in things])
    centre[:, 1] += per_solid([t.y for t in things])
    return Solids(
        centre=centre,
        half=table[:, 3:6] * scale[:, None],
        axes=turned @ axes,
        quadric=table[:, 6:11],
        lo=table[:, 11:14],
        hi=table[:, 14:17],
        hole=table[:, 17],
        radius=table[:, 18] * scale,
    )


def turn_about_z(angle: Tensor) -> Tensor:
    """Rotation matrices [N, 3, 3] by angles [N]."""
    c, s, zero = torch.cos(angle), torch.sin(angle), torch.zeros_like(angle)
    return torch.stack((c, -s, zero, s, c, zero, zero, zero, zero + 1), -1).reshape(-1, 3, 3)


def light_direction(scene: Scene) -> tuple[float, float, float]:
    """Unit vector from the table to the lamp."""
    light = scene.light
    flat = math.cos(light.elevation)
    return (
        flat * math.sin(light.azimuth),
        -flat * math.cos(light.azimuth),
        math.sin(light.elevation),
    )
