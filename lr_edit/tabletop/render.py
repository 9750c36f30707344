"""Ray tracing of scenes: batched, deterministic, the same code on CPU and GPU; it knows no words.

Four rays a pixel; each of them sees the lamp from a slightly different side, which softens
shadows. Rays are matched to solids by bounding balls first, and only those pairs are traced.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from lr_edit.tabletop.assembly import Assembly, assemble
from lr_edit.tabletop.primitives import FAR, intersect, normals
from lr_edit.tabletop.scene import Scene
from lr_edit.tabletop.shading import lit, solid_albedo
from lr_edit.tabletop.textures import atlas, sample_tiles

SURFACE_CLASS, BACKDROP_CLASS, FIRST_NOUN_CLASS = 0, 1, 2
WALL_Y = 4.4
LEAST = 2e-3
SOFTNESS = 0.035
CHUNK_RAYS = 300_000


@dataclass(frozen=True)
class Rendering:
    """B pictures and what is known of every pixel.

    images: float32 [B, 3, H, W] in [-1, 1]. instances: int64 [B, H, W], 0 = none, k = things[k-1].
    classes: int64, 0 surface, 1 backdrop, 2 + i = NOUNS[i]. depth: float32, world units.
    shadows: int64, 0 = none, k = things[k-1] keeps the light away.
    """

    images: Tensor
    instances: Tensor
    classes: Tensor
    depth: Tensor
    shadows: Tensor


@dataclass(frozen=True)
class Hits:
    """What N rays met: distance (FAR = nothing), the index of the solid (-1 = none)."""

    distance: Tensor
    solid: Tensor


def render(
    scenes: Sequence[Scene], size: int = 128, device: str | torch.device = "cpu", samples: int = 2
) -> Rendering:
    """Pictures of the scenes, each of `size` by `size` pixels with samples² rays a pixel."""
    per_chunk = max(1, CHUNK_RAYS // (size * samples) ** 2)
    parts = [
        render_chunk(scenes[start : start + per_chunk], size, torch.device(device), samples)
        for start in range(0, len(scenes), per_chunk)
    ]
    if len(parts) == 1:
        return parts[0]
    return Rendering(
        *(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Rendering))
    )


@torch.no_grad()
def render_chunk(
    scenes: Sequence[Scene], size: int, device: torch.device, samples: int
) -> Rendering:
    """All scenes in one batch."""
    assembly = assemble(scenes, device)
    batch, side = len(scenes), size * samples
    directions = camera_rays(assembly, side)
    owner = torch.arange(batch, device=device).repeat_interleave(side * side)
    origins = assembly.camera[owner]
    hits = trace(assembly, owner, origins, directions, LEAST)
    plane, ground = background_hit(origins, directions)
    on_solid = hits.distance < plane
    distance = torch.where(on_solid, hits.distance, plane)
    points = origins + distance[:, None] * directions
    normal, albedo, shiny = surface_of(assembly, owner, hits, on_solid, ground, points)
    light = jittered_light(assembly, batch, side, samples)
    shadows = cast_shadows(assembly, owner, points, normal, light, on_solid | ground)
    colour = lit(albedo, normal, directions, light, shadows > 0, shiny, assembly.strength[owner])
    # The wall is painted light: neither lamp nor shadow changes it.
    wall = ~on_solid & ~ground
    colour = torch.where(wall[:, None], albedo, colour)
    instance = torch.where(on_solid, of_solid(assembly.thing, hits.solid), 0)
    kind = torch.where(on_solid, of_solid(assembly.noun, hits.solid) + FIRST_NOUN_CLASS, 0)
    kind = torch.where(wall, BACKDROP_CLASS, kind)
    centre = samples // 2 * (side + 1)
    return Rendering(
        images=average(colour, batch, size, samples).clamp(0, 1) * 2 - 1,
        instances=pick(instance, batch, side, samples, centre),
        classes=pick(kind, batch, side, samples, centre),
        depth=pick(distance, batch, side, samples, centre),
        shadows=pick(shadows, batch, side, samples, centre),
    )


def camera_rays(assembly: Assembly, side: int) -> Tensor:
    """Unit directions [B * side * side, 3], row by row."""
    line = (torch.arange(side, device=assembly.camera.device) + 0.5) / side * 2 - 1
    v, u = torch.meshgrid(line, line, indexing="ij")
    right, up, forward = assembly.axes.unbind(1)
    reach = assembly.reach[:, None, None]
    d = (
        forward[:, None]
        + u.reshape(1, -1, 1) * right[:, None] * reach
        - v.reshape(1, -1, 1) * up[:, None] * reach
    )
    return torch.nn.functional.normalize(d, dim=-1).reshape(-1, 3)


def trace(
    assembly: Assembly, owner: Tensor, origins: Tensor, directions: Tensor, least: float
) -> Hits:
    """The nearest solid on each of N rays; `owner` [N] is the scene of each ray."""
    ray, solid = candidate_pairs(assembly, owner, origins, directions)
    distance = intersect(assembly.solids[solid], origins[ray], directions[ray], least)
    nearest = torch.full((len(owner),), FAR, device=origins.device)
    nearest.scatter_reduce_(0, ray, distance, "amin")
    winner = torch.full((len(owner),), -1, dtype=torch.long, device=origins.device)
    first = (distance < FAR) & (distance == nearest[ray])
    winner.scatter_reduce_(0, ray[first], solid[first], "amax")
    return Hits(nearest, winner)


def candidate_pairs(
    assembly: Assembly, owner: Tensor, origins: Tensor, directions: Tensor
) -> tuple[Tensor, Tensor]:
    """Rays and solids (indices, each [M]) whose bounding ball the ray passes through.

    Rays are sorted by scene, so that every scene is tested against its own solids alone.
    """
    rays, solids = [], []
    counts = torch.bincount(owner, minlength=len(assembly.first) - 1).tolist()
    start = 0
    for scene, count in enumerate(counts):
        lo, hi = assembly.first[scene], assembly.first[scene + 1]
        if count and hi > lo:
            o, d = origins[start : start + count], directions[start : start + count]
            centre, radius = assembly.solids.centre[lo:hi], assembly.solids.radius[lo:hi]
            # |c - o|² - ((c - o)·d)² <= r² with the products as matrix products.
            along = d @ centre.T - (o * d).sum(-1, keepdim=True)
            square = (o * o).sum(-1, keepdim=True) - 2 * o @ centre.T + (centre * centre).sum(-1)
            near = (square - along * along <= (radius * radius)) & (along > -radius)
            ray, solid = near.nonzero(as_tuple=True)
            rays.append(ray + start)
            solids.append(solid + lo)
        start += count
    if not rays:
        empty = torch.zeros(0, dtype=torch.long, device=origins.device)
        return empty, empty
    return torch.cat(rays), torch.cat(solids)


def background_hit(origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Distance [N] to the table or the wall behind it, and whether it is the table."""
    table = torch.where(directions[:, 2] < -1e-6, -origins[:, 2] / directions[:, 2], FAR)
    wall = torch.where(directions[:, 1] > 1e-6, (WALL_Y - origins[:, 1]) / directions[:, 1], FAR)
    return torch.minimum(table, wall).clamp_max(60.0), table < wall


def surface_of(
    assembly: Assembly, owner: Tensor, hits: Hits, on_solid: Tensor, ground: Tensor, points: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Normal [N, 3], colour [N, 3] in [0, 1] and shininess [N] of what each ray met."""
    surfaces, backdrops = atlas(str(points.device))
    normal = torch.zeros_like(points)
    normal[:, 2] = 1.0
    albedo = torch.empty_like(points)
    table = (ground & ~on_solid).nonzero().squeeze(-1)
    albedo[table] = sample_tiles(
        surfaces, assembly.surface[owner[table]], points[table, 0] / 3, -points[table, 1] / 3
    )
    wall = (~ground & ~on_solid).nonzero().squeeze(-1)
    albedo[wall] = sample_tiles(
        backdrops, assembly.backdrop[owner[wall]], points[wall, 0] / 5, 0.98 - points[wall, 2] / 3.2
    )
    rays = on_solid.nonzero().squeeze(-1)
    solid = hits.solid[rays]
    shiny = torch.zeros_like(points[:, 0])
    normal[rays] = normals(assembly.solids[solid], points[rays])
    albedo[rays] = solid_albedo(assembly, solid, points[rays])
    shiny[rays] = assembly.shiny[solid]
    return normal, albedo, shiny


def jittered_light(assembly: Assembly, batch: int, side: int, samples: int) -> Tensor:
    """Unit directions to the lamp [B * side * side, 3], another one for each sample of a pixel."""
    device = assembly.light.device
    index = torch.arange(side, device=device) % samples
    cell = (index[:, None] * samples + index[None, :]).reshape(-1)
    angle = cell * (2 * math.pi / samples**2) + 0.4
    helper = torch.stack((-assembly.light[:, 1], assembly.light[:, 0], 0 * assembly.light[:, 0]), 1)
    first = torch.nn.functional.normalize(helper, dim=-1)
    second = torch.linalg.cross(assembly.light, first)
    offset = (
        first[:, None] * torch.cos(angle)[None, :, None]
        + second[:, None] * torch.sin(angle)[None, :, None]
    )
    light = assembly.light[:, None] + SOFTNESS * offset
    return torch.nn.functional.normalize(light, dim=-1).reshape(batch * side * side, 3)


def cast_shadows(
    assembly: Assembly, owner: Tensor, points: Tensor, normal: Tensor, light: Tensor, asked: Tensor
) -> Tensor:
    """Which thing (1-based, 0 = none) keeps the light from each point [N]."""
    facing = (normal * light).sum(-1) > 0
    rays = (asked & facing).nonzero().squeeze(-1)
    start = points[rays] + LEAST * normal[rays]
    hits = trace(assembly, owner[rays], start, light[rays], LEAST)
    shadows = torch.zeros_like(owner)
    shadows[rays] = of_solid(assembly.thing, hits.solid)
    return shadows


def of_solid(values: Tensor, solid: Tensor) -> Tensor:
    """values[solid], and 0 where solid is −1 (none)."""
    return torch.cat((values, values.new_zeros(1)))[solid]


def average(colour: Tensor, batch: int, size: int, samples: int) -> Tensor:
    """Rays [N, 3] averaged to pictures [B, 3, size, size]."""
    grid = colour.reshape(batch, size, samples, size, samples, 3)
    return grid.mean(dim=(2, 4)).permute(0, 3, 1, 2).contiguous()


def pick(values: Tensor, batch: int, side: int, samples: int, centre: int) -> Tensor:
    """One sample of each pixel: [B, side / samples, side / samples]."""
    row, column = centre // side, centre % side
    return values.reshape(batch, side, side)[:, row::samples, column::samples].contiguous()
