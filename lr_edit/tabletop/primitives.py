"""The one solid that every figurine is built of, and where rays meet it; it knows no scene.

A solid is a quadric cut by a box: in its own coordinates p = (x, y, z)

    kx x² + ky y² <= a + b z + c z²,   lo <= p <= hi,   and x² + y² >= hole²,

which covers balls, domes, cylinders, cones, frusta, wedges, boxes and tubes with one formula. Every
one but the tube is convex, so that a ray crosses it in one interval.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

Vector = tuple[float, float, float]
Quadric = tuple[float, float, float, float, float]
PLAIN, PATCHES, BAND, TAPE, PAGES, SPECKLE = range(6)
FAR = 1e6


@dataclass(frozen=True)
class Solid:
    """A primitive in the figurine's coordinates; colours are RGB in [0, 1], angles radians.

    quadric: (kx, ky, a, b, c) as above. texture: PLAIN … SPECKLE, with two parameters.
    """

    centre: Vector
    half: Vector
    colour: Vector
    quadric: Quadric
    lo: Vector = (-1.0, -1.0, -1.0)
    hi: Vector = (1.0, 1.0, 1.0)
    turn: Vector = (0.0, 0.0, 0.0)
    hole: float = 0.0
    texture: int = PLAIN
    colour2: Vector = (0.0, 0.0, 0.0)
    parameters: tuple[float, float] = field(default=(0.0, 0.0))


def frustum_quadric(top: float, kx: float = 1.0, ky: float = 1.0) -> Quadric:
    """Radius 1 at z = −1 and `top` at z = 1: a cylinder for 1, a cone for 0."""
    return kx, ky, ((1 + top) / 2) ** 2, -(1 - top * top) / 2, ((1 - top) / 2) ** 2


BALL = (1.0, 1.0, 1.0, 0.0, -1.0)
# A ball so large that the box alone decides.
BOX = (1.0, 1.0, 1e4, 0.0, -1.0)


@dataclass(frozen=True)
class Solids:
    """N solids in world coordinates as tensors; `axes` [N, 3, 3] has the own axes as columns."""

    centre: Tensor
    half: Tensor
    axes: Tensor
    quadric: Tensor
    lo: Tensor
    hi: Tensor
    hole: Tensor
    radius: Tensor

    def __getitem__(self, index: Tensor) -> "Solids":
        return Solids(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


def to_own(solids: Solids, points: Tensor, directions: bool = False) -> Tensor:
    """World points (or directions) [N, 3] in the own coordinates of N solids."""
    offset = points if directions else points - solids.centre
    return torch.einsum("ni,nij->nj", offset, solids.axes) / solids.half


def quadratic_interval(a: Tensor, b: Tensor, c: Tensor, rising: Tensor) -> tuple[Tensor, Tensor]:
    """Where a t² + 2 b t + c <= 0, as (enter, leave), each [N]; empty when enter > leave.

    For a < 0 (a ray steeper than a cone's side) the set has two parts; the one below the apex is
    t <= root for rays that rise along z and t >= root for those that fall.
    """
    a = torch.where(a.abs() < 1e-7, torch.full_like(a, 1e-7), a)
    root = (b * b - a * c).clamp_min(0).sqrt()
    missed = b * b < a * c
    first, second = (-b - root) / a, (-b + root) / a
    near, far = torch.minimum(first, second), torch.maximum(first, second)
    opens = a < 0
    enter = torch.where(opens, torch.where(rising, near.new_full((), -FAR), far), near)
    leave = torch.where(opens, torch.where(rising, near, far.new_full((), FAR)), far)
    enter = torch.where(missed, torch.where(opens, enter.new_full((), -FAR), FAR), enter)
    leave = torch.where(missed, torch.where(opens, leave.new_full((), FAR), -FAR), leave)
    return enter, leave


def intersect(solids: Solids, origins: Tensor, directions: Tensor, least: float) -> Tensor:
    """Distance [N] along N world rays to N solids, FAR where they miss.

    Only distances above `least` (world units) count, so that a surface does not shade itself.
    """
    o, d = to_own(solids, origins), to_own(solids, directions, directions=True)
    d = torch.where(d.abs() < 1e-7, torch.full_like(d, 1e-7), d)
    to_lo, to_hi = (solids.lo - o) / d, (solids.hi - o) / d
    enter = torch.minimum(to_lo, to_hi).amax(-1)
    leave = torch.maximum(to_lo, to_hi).amin(-1)
    kx, ky, a, b, c = solids.quadric.unbind(-1)
    (ox, oy, oz), (dx, dy, dz) = o.unbind(-1), d.unbind(-1)
    q_enter, q_leave = quadratic_interval(
        kx * dx * dx + ky * dy * dy - c * dz * dz,
        kx * ox * dx + ky * oy * dy - 0.5 * b * dz - c * oz * dz,
        kx * ox * ox + ky * oy * oy - a - b * oz - c * oz * oz,
        dz > 0,
    )
    enter, leave = torch.maximum(enter, q_enter), torch.minimum(leave, q_leave)
    hit = torch.where((enter <= leave) & (enter > least), enter, enter.new_full((), FAR))
    tubes = (solids.hole > 0).nonzero().squeeze(-1)
    if len(tubes):
        inside = pierce(enter[tubes], leave[tubes], o[tubes], d[tubes], solids.hole[tubes], least)
        hit = hit.index_copy(0, tubes, inside)
    return hit


def pierce(
    enter: Tensor, leave: Tensor, o: Tensor, d: Tensor, hole: Tensor, least: float
) -> Tensor:
    """The hit distance [N] on tubes whose outside is crossed over [enter, leave]."""
    h_enter, h_leave = quadratic_interval(
        d[:, 0] ** 2 + d[:, 1] ** 2,
        o[:, 0] * d[:, 0] + o[:, 1] * d[:, 1],
        o[:, 0] ** 2 + o[:, 1] ** 2 - hole**2,
        d[:, 2] > 0,
    )
    start = enter.clamp_min(least)
    through = (h_enter < start) & (start < h_leave)
    first = torch.where(through, h_leave, enter)
    return torch.where((first < leave) & (first > least), first, first.new_full((), FAR))


def normals(solids: Solids, points: Tensor) -> Tensor:
    """Outward unit normals [N, 3] in the world at world points on N solids."""
    p = to_own(solids, points)
    kx, ky, a, b, c = solids.quadric.unbind(-1)
    x, y, z = p.unbind(-1)
    round_side = torch.stack((kx * x, ky * y, -0.5 * b - c * z), -1)
    residual = (kx * x * x + ky * y * y - a - b * z - c * z * z).abs()
    to_side = torch.cat((p - solids.lo, solids.hi - p), -1).abs()
    nearest, face = to_side.min(-1)
    flat = torch.zeros_like(p).scatter_(
        -1, (face % 3)[:, None], torch.where(face < 3, -1.0, 1.0)[:, None]
    )
    n = torch.where((residual < nearest)[:, None], round_side, flat)
    in_hole = (solids.hole > 0) & ((x * x + y * y).sqrt() - solids.hole < 2e-3)
    n = torch.where(in_hole[:, None], torch.stack((-x, -y, torch.zeros_like(z)), -1), n)
    world = torch.einsum("nj,nij->ni", n / solids.half, solids.axes)
    return torch.nn.functional.normalize(world, dim=-1)
