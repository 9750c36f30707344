"""The twenty-four figurines: lists of solids about one unit high, on z = 0, facing −y.

It knows no camera, light or place. The thing's colour is `main`; what makes it recognisable (a
stem, wheels, eyes) has colours of its own, and others where these would not show on `main`.
"""

from collections.abc import Callable
from functools import lru_cache

from lr_edit.tabletop.primitives import (
    BALL,
    BAND,
    BOX,
    PAGES,
    PATCHES,
    SPECKLE,
    TAPE,
    Solid,
    Vector,
    frustum_quadric,
)

PALETTE: dict[str, Vector] = {
    "red": (0.82, 0.10, 0.10), "orange": (0.98, 0.50, 0.06), "yellow": (0.97, 0.85, 0.12),
    "green": (0.15, 0.60, 0.18), "blue": (0.12, 0.30, 0.85), "purple": (0.50, 0.16, 0.66),
    "pink": (0.98, 0.52, 0.70), "brown": (0.46, 0.26, 0.12), "black": (0.10, 0.10, 0.11),
    "white": (0.94, 0.94, 0.92),
}  # fmt: skip
BLACK, WHITE, GRAY = (0.06, 0.06, 0.07), (0.96, 0.96, 0.95), (0.55, 0.56, 0.58)
TWIG, LEAF, GLASS, RUBBER = (0.36, 0.22, 0.10), (0.20, 0.52, 0.16), (0.16, 0.24, 0.32), (0.09,) * 3
LAMPLIGHT, CREAM, CARROT, STEEL = (1.0, 0.88, 0.5), (0.95, 0.89, 0.76), (0.98, 0.5, 0.1), (0.7,) * 3
TONES = (
    ((0.96, 0.78, 0.64), (0.32, 0.18, 0.08)),
    ((0.62, 0.42, 0.28), (0.10, 0.07, 0.05)),
    ((0.90, 0.70, 0.52), (0.86, 0.66, 0.28)),
    ((0.42, 0.27, 0.18), (0.08, 0.06, 0.05)),
)


def shade(colour: Vector, amount: float) -> Vector:
    """Towards black for amount < 0, towards white for amount > 0; both in [-1, 1]."""
    end = 0.0 if amount < 0 else 1.0
    mixed = tuple(c + (end - c) * abs(amount) for c in colour)
    return mixed[0], mixed[1], mixed[2]


def contrast(main: Vector, first: Vector, second: Vector) -> Vector:
    """`first` unless it hardly differs from `main`, then `second`."""
    return first if sum(abs(a - b) for a, b in zip(main, first, strict=True)) > 0.6 else second


def ball(centre: Vector, half: Vector, colour: Vector, **options: object) -> Solid:
    """An ellipsoid."""
    return Solid(centre, half, colour, BALL, **options)  # type: ignore[arg-type]


def tube(centre: Vector, half: Vector, colour: Vector, hole: float, **options: object) -> Solid:
    """A cylinder around z pierced to the given share of its radius."""
    return Solid(centre, half, colour, frustum_quadric(1), hole=hole, **options)  # type: ignore[arg-type]


def cone(
    centre: Vector, half: Vector, colour: Vector, top: float = 0.0, **options: object
) -> Solid:
    """A frustum around z with radius share `top` at its upper end; 1 is a cylinder."""
    return Solid(centre, half, colour, frustum_quadric(top), **options)  # type: ignore[arg-type]


def block(centre: Vector, half: Vector, colour: Vector, **options: object) -> Solid:
    """A box."""
    return Solid(centre, half, colour, BOX, **options)  # type: ignore[arg-type]


def roof(
    centre: Vector, half: Vector, colour: Vector, top: float = 0.0, along_x: bool = True
) -> Solid:
    """A prism that narrows upwards to the share `top`, its ridge along x (or along y)."""
    sides = (0.0, 1.0) if along_x else (1.0, 0.0)
    return Solid(centre, half, colour, frustum_quadric(top, *sides))


QUARTER = 1.5708


def apple(main: Vector, tone: int) -> list[Solid]:
    return [
        ball((0, 0, 0.50), (0.50, 0.50, 0.42), main),
        ball((0, 0, 0.34), (0.38, 0.38, 0.34), main),
        cone((0, 0, 0.86), (0.13, 0.13, 0.07), shade(main, -0.55), top=0.3),
        cone((0.02, 0, 1.00), (0.04, 0.04, 0.15), TWIG, top=0.8, turn=(0, 0.2, 0)),
        ball((0.20, -0.02, 1.04), (0.21, 0.10, 0.035), LEAF, turn=(0, -0.35, 0)),
    ]


def orange(main: Vector, tone: int) -> list[Solid]:
    peel = shade(main, -0.16)
    return [
        ball((0, 0, 0.47), (0.48, 0.48, 0.47), main, texture=SPECKLE, colour2=peel),
        cone((0, 0, 0.95), (0.11, 0.11, 0.02), LEAF, top=0.7),
        cone((0, 0, 0.98), (0.035, 0.035, 0.035), (0.30, 0.34, 0.12), top=0.9),
    ]


def lemon(main: Vector, tone: int) -> list[Solid]:
    peel = shade(main, -0.12)
    return [
        ball((0, 0, 0.36), (0.50, 0.36, 0.36), main, texture=SPECKLE, colour2=peel),
        ball((0.49, 0, 0.36), (0.15, 0.12, 0.12), main),
        ball((-0.49, 0, 0.36), (0.13, 0.11, 0.11), main),
        cone((-0.60, 0, 0.36), (0.05, 0.05, 0.05), LEAF, top=0.6, turn=(0, QUARTER, 0)),
    ]


def football(main: Vector, tone: int) -> list[Solid]:
    patch = contrast(main, BLACK, WHITE)
    return [
        ball(
            (0, 0, 0.49), (0.49,) * 3, main, texture=PATCHES, colour2=patch,
            parameters=(0.905, 0.0), turn=(0.5, 0.3, 0.2),
        )
    ]  # fmt: skip


def mug(main: Vector, tone: int) -> list[Solid]:
    return [
        tube((0, 0, 0.44), (0.38, 0.38, 0.44), main, hole=0.86),
        cone((0, 0, 0.36), (0.33, 0.33, 0.34), (0.20, 0.10, 0.05), top=1),
        tube((0.42, 0, 0.46), (0.25, 0.29, 0.07), main, hole=0.62, turn=(QUARTER, 0, 0)),
    ]


def bottle(main: Vector, tone: int) -> list[Solid]:
    cap, label = contrast(main, (0.80, 0.14, 0.12), GRAY), contrast(main, CREAM, (0.3, 0.5, 0.8))
    return [
        cone((0, 0, 0.34), (0.25, 0.25, 0.34), main, top=1, texture=BAND, colour2=label,
             parameters=(-0.05, 0.42)),
        cone((0, 0, 0.78), (0.25, 0.25, 0.10), main, top=0.36),
        cone((0, 0, 0.98), (0.09, 0.09, 0.12), main, top=1),
        cone((0, 0, 1.12), (0.11, 0.11, 0.05), cap, top=1),
    ]  # fmt: skip


def book(main: Vector, tone: int) -> list[Solid]:
    title = contrast(main, (0.95, 0.82, 0.35), (0.25, 0.2, 0.5))
    return [
        block(
            (0.02, 0.02, 0.17), (0.53, 0.39, 0.115), CREAM, texture=PAGES, colour2=(0.75, 0.7, 0.6)
        ),
        block((0, 0, 0.03), (0.58, 0.43, 0.03), main),
        block((0, 0, 0.315), (0.58, 0.43, 0.03), main),
        block((-0.55, 0, 0.17), (0.03, 0.43, 0.15), shade(main, -0.25)),
        block((0.04, 0.10, 0.347), (0.34, 0.07, 0.006), title),
        block((0.04, -0.14, 0.347), (0.22, 0.04, 0.006), title),
    ]


def box(main: Vector, tone: int) -> list[Solid]:
    tape = contrast(main, (0.93, 0.82, 0.58), (0.55, 0.4, 0.22))
    return [
        block((0, 0, 0.40), (0.46, 0.42, 0.40), main, texture=TAPE, colour2=tape,
              parameters=(0.0, 0.16)),
        block((0, -0.425, 0.66), (0.46, 0.006, 0.012), shade(main, -0.45)),
    ]  # fmt: skip


def traffic_cone(main: Vector, tone: int) -> list[Solid]:
    band = contrast(main, WHITE, (0.95, 0.45, 0.1))
    return [
        block((0, 0, 0.04), (0.42, 0.42, 0.04), shade(main, -0.35)),
        cone((0, 0, 0.56), (0.33, 0.33, 0.50), main, top=0.16, texture=BAND, colour2=band,
             parameters=(0.12, 0.2)),
    ]  # fmt: skip


def ring(main: Vector, tone: int) -> list[Solid]:
    gem = contrast(main, (0.45, 0.86, 0.95), (0.9, 0.25, 0.35))
    return [
        tube((0, 0, 0.44), (0.44, 0.44, 0.13), main, hole=0.74, turn=(QUARTER, 0, 0)),
        cone((0, 0, 0.93), (0.20, 0.20, 0.09), gem, top=0.0, turn=(3.1416, 0, 0)),
        cone((0, 0, 1.06), (0.20, 0.20, 0.045), shade(gem, 0.35), top=0.6),
    ]


def mushroom(main: Vector, tone: int) -> list[Solid]:
    spots = contrast(main, WHITE, (0.75, 0.2, 0.15))
    return [
        cone((0, 0, 0.26), (0.21, 0.21, 0.27), CREAM, top=0.75),
        cone((0, 0, 0.47), (0.47, 0.47, 0.03), shade(CREAM, -0.2), top=1),
        ball((0, 0, 0.48), (0.52, 0.52, 0.44), main, lo=(-1, -1, 0), texture=PATCHES,
             colour2=spots, parameters=(0.945, 0.0), turn=(0.35, 0.1, 0.6)),
    ]  # fmt: skip


def tree(main: Vector, tone: int) -> list[Solid]:
    return [
        cone((0, 0, 0.12), (0.10, 0.10, 0.14), TWIG, top=0.9),
        cone((0, 0, 0.44), (0.46, 0.46, 0.24), main, top=0.25),
        cone((0, 0, 0.72), (0.37, 0.37, 0.22), shade(main, 0.08), top=0.2),
        cone((0, 0, 1.00), (0.26, 0.26, 0.22), shade(main, 0.16)),
    ]


def house(main: Vector, tone: int) -> list[Solid]:
    tiles = contrast(main, (0.55, 0.16, 0.12), (0.28, 0.28, 0.34))
    pane, door = contrast(main, (0.99, 0.90, 0.50), GLASS), contrast(main, TWIG, CREAM)
    return [
        block((0, 0, 0.30), (0.44, 0.36, 0.30), main),
        roof((0, 0, 0.79), (0.52, 0.46, 0.20), tiles),
        block((0.26, 0.10, 0.92), (0.07, 0.07, 0.16), shade(tiles, -0.3)),
        block((0, -0.37, 0.20), (0.10, 0.012, 0.20), door),
        block((-0.27, -0.37, 0.34), (0.09, 0.012, 0.10), pane),
        block((0.27, -0.37, 0.34), (0.09, 0.012, 0.10), pane),
        block((0.45, 0, 0.34), (0.012, 0.12, 0.10), pane),
        block((-0.45, 0, 0.34), (0.012, 0.12, 0.10), pane),
    ]


def wheels(x: float, y: float, radius: float) -> list[Solid]:
    """Four wheels with bright hubs, axes along y."""
    made = []
    for side in (-1, 1):
        for end in (-1, 1):
            at = (end * x, side * y, radius)
            made.append(cone(at, (radius, radius, 0.07), RUBBER, top=1, turn=(QUARTER, 0, 0)))
            hub = (end * x, side * (y + 0.012), radius)
            made.append(
                cone(hub, (0.45 * radius, 0.45 * radius, 0.07), STEEL, top=1, turn=(QUARTER, 0, 0))
            )
    return made


def truck(main: Vector, tone: int) -> list[Solid]:
    cab = contrast(main, WHITE, (0.55, 0.6, 0.68))
    return [
        block((0.20, 0, 0.56), (0.44, 0.28, 0.38), main),
        block((0.20, -0.285, 0.56), (0.40, 0.004, 0.03), shade(main, -0.3)),
        block((-0.45, 0, 0.40), (0.18, 0.26, 0.24), cab),
        block((-0.48, 0, 0.51), (0.165, 0.265, 0.09), GLASS),
        block((0, 0, 0.16), (0.64, 0.22, 0.05), RUBBER),
        block((-0.635, 0, 0.22), (0.02, 0.24, 0.05), GRAY),
        *wheels(0.42, 0.22, 0.15),
    ]


def camper_van(main: Vector, tone: int) -> list[Solid]:
    upper = contrast(main, WHITE, (0.62, 0.78, 0.82))
    return [
        block((0, 0, 0.29), (0.62, 0.29, 0.16), main),
        roof((0, 0, 0.63), (0.62, 0.29, 0.19), upper, top=0.84, along_x=False),
        block((0.03, 0, 0.62), (0.50, 0.282, 0.085), GLASS),
        block((-0.13, 0, 0.62), (0.03, 0.29, 0.09), upper),
        block((0.20, 0, 0.62), (0.03, 0.29, 0.09), upper),
        roof((0.10, 0, 0.88), (0.36, 0.22, 0.07), main, top=0.8, along_x=False),
        block((-0.60, 0, 0.62), (0.03, 0.24, 0.09), GLASS),
        ball((-0.62, -0.19, 0.32), (0.03, 0.07, 0.07), LAMPLIGHT),
        ball((-0.62, 0.19, 0.32), (0.03, 0.07, 0.07), LAMPLIGHT),
        *wheels(0.38, 0.24, 0.14),
    ]


def car(main: Vector, tone: int) -> list[Solid]:
    return [
        block((0, 0, 0.26), (0.64, 0.29, 0.12), main),
        ball((-0.46, 0, 0.36), (0.20, 0.28, 0.06), main),
        roof((0.04, 0, 0.50), (0.38, 0.25, 0.15), GLASS, top=0.62, along_x=False),
        block((0.04, 0, 0.655), (0.25, 0.25, 0.025), main),
        block((0.04, 0, 0.50), (0.025, 0.255, 0.15), main),
        ball((-0.63, -0.19, 0.29), (0.03, 0.06, 0.05), LAMPLIGHT),
        ball((-0.63, 0.19, 0.29), (0.03, 0.06, 0.05), LAMPLIGHT),
        block((0.63, 0, 0.30), (0.02, 0.22, 0.03), (0.8, 0.1, 0.1)),
        *wheels(0.40, 0.25, 0.14),
    ]


def boat(main: Vector, tone: int) -> list[Solid]:
    sail = contrast(main, WHITE, (0.95, 0.72, 0.3))
    return [
        ball((0, 0, 0.34), (0.62, 0.27, 0.36), main, hi=(1, 1, 0), lo=(-1, -1, -0.92)),
        cone((0, 0, 0.355), (0.60, 0.25, 0.02), (0.76, 0.56, 0.34), top=1),
        cone((0, 0, 0.75), (0.03, 0.03, 0.42), TWIG, top=1),
        Solid((-0.03, 0, 0.80), (0.33, 0.02, 0.33), sail, frustum_quadric(0.04, 1, 0),
              lo=(-1, -1, -1), hi=(0, 1, 1)),
        Solid((0.04, 0, 0.72), (0.42, 0.02, 0.26), shade(sail, -0.1), frustum_quadric(0.04, 1, 0),
              lo=(0, -1, -1), hi=(1, 1, 1)),
        block((0.08, 0, 1.14), (0.08, 0.01, 0.035), (0.85, 0.15, 0.15)),
    ]  # fmt: skip


def eyes(x: float, y: float, z: float, main: Vector, size: float = 0.045) -> list[Solid]:
    """Two eyes at ±x on the front at (y, z)."""
    colour = contrast(main, BLACK, (0.95, 0.9, 0.4))
    return [ball((side * x, y, z), (size, size * 0.6, size * 1.2), colour) for side in (-1, 1)]


def cat(main: Vector, tone: int) -> list[Solid]:
    light, ear = contrast(main, CREAM, (0.75, 0.6, 0.55)), (0.95, 0.6, 0.6)
    return [
        ball((0, 0.08, 0.34), (0.28, 0.30, 0.36), main),
        ball((0, -0.13, 0.30), (0.15, 0.10, 0.22), light),
        ball((0, -0.08, 0.76), (0.27, 0.23, 0.22), main),
        cone((-0.17, -0.08, 0.97), (0.10, 0.06, 0.13), main, turn=(0, -0.25, 0)),
        cone((0.17, -0.08, 0.97), (0.10, 0.06, 0.13), main, turn=(0, 0.25, 0)),
        cone((-0.17, -0.125, 0.955), (0.055, 0.03, 0.08), ear, turn=(0, -0.25, 0)),
        cone((0.17, -0.125, 0.955), (0.055, 0.03, 0.08), ear, turn=(0, 0.25, 0)),
        ball((0, -0.29, 0.70), (0.10, 0.05, 0.07), light),
        ball((0, -0.335, 0.73), (0.035, 0.02, 0.025), ear),
        *eyes(0.11, -0.285, 0.80, main),
        ball((-0.12, -0.20, 0.07), (0.09, 0.14, 0.08), main),
        ball((0.12, -0.20, 0.07), (0.09, 0.14, 0.08), main),
        ball((0.34, 0.12, 0.10), (0.17, 0.09, 0.08), main),
        ball((0.46, 0.05, 0.22), (0.07, 0.07, 0.17), shade(main, -0.3)),
    ]


def dog(main: Vector, tone: int) -> list[Solid]:
    dark, light = contrast(main, shade(main, -0.55), (0.4, 0.3, 0.25)), shade(main, 0.45)
    return [
        ball((0.08, 0, 0.46), (0.40, 0.20, 0.20), main),
        ball((-0.38, -0.02, 0.74), (0.21, 0.20, 0.20), main),
        ball((-0.58, -0.04, 0.67), (0.15, 0.11, 0.10), light),
        ball((-0.71, -0.05, 0.71), (0.045, 0.05, 0.04), BLACK),
        ball((-0.31, -0.20, 0.67), (0.09, 0.05, 0.19), dark, turn=(0.15, 0, 0)),
        ball((-0.31, 0.18, 0.67), (0.09, 0.05, 0.19), dark, turn=(-0.15, 0, 0)),
        ball((-0.50, -0.16, 0.80), (0.035, 0.035, 0.04), contrast(main, BLACK, WHITE)),
        ball((-0.53, 0.09, 0.80), (0.035, 0.035, 0.04), contrast(main, BLACK, WHITE)),
        cone((-0.30, 0, 0.57), (0.16, 0.16, 0.05), (0.8, 0.12, 0.12), top=1, turn=(0, 0.5, 0)),
        *[cone((x, y, 0.19), (0.08, 0.08, 0.20), main, top=0.85)
          for x in (-0.20, 0.36) for y in (-0.12, 0.12)],
        ball((0.52, 0, 0.68), (0.06, 0.06, 0.20), dark, turn=(0, 0.5, 0)),
    ]  # fmt: skip


def duck(main: Vector, tone: int) -> list[Solid]:
    beak = contrast(main, CARROT, (0.98, 0.85, 0.2))
    return [
        ball((0.06, 0, 0.30), (0.48, 0.33, 0.30), main),
        ball((0.50, 0, 0.46), (0.14, 0.16, 0.12), main, turn=(0, -0.6, 0)),
        ball((-0.22, 0, 0.74), (0.25, 0.25, 0.24), main),
        ball((-0.49, 0, 0.69), (0.15, 0.12, 0.05), beak),
        ball((-0.34, -0.205, 0.81), (0.04, 0.04, 0.05), contrast(main, BLACK, WHITE)),
        ball((-0.34, 0.205, 0.81), (0.04, 0.04, 0.05), contrast(main, BLACK, WHITE)),
        ball((0.14, -0.30, 0.36), (0.24, 0.06, 0.14), shade(main, -0.18)),
        ball((0.14, 0.30, 0.36), (0.24, 0.06, 0.14), shade(main, -0.18)),
    ]


def head(skin: Vector, hair: Vector, z: float) -> list[Solid]:
    """A face with eyes, mouth and a cap of hair."""
    return [
        ball((0, 0, z), (0.19, 0.18, 0.20), skin),
        ball((0, 0.035, z + 0.05), (0.21, 0.19, 0.19), hair, lo=(-1, -0.35, -0.6)),
        ball((-0.07, -0.165, z + 0.02), (0.028, 0.02, 0.036), BLACK),
        ball((0.07, -0.165, z + 0.02), (0.028, 0.02, 0.036), BLACK),
        ball((0, -0.168, z - 0.085), (0.06, 0.015, 0.018), (0.75, 0.2, 0.2)),
    ]


def girl(main: Vector, tone: int) -> list[Solid]:
    skin, hair = TONES[tone]
    return [
        *head(skin, hair, 0.98),
        ball((-0.23, 0.03, 0.90), (0.08, 0.09, 0.19), hair, turn=(0, 0.2, 0)),
        ball((0.23, 0.03, 0.90), (0.08, 0.09, 0.19), hair, turn=(0, -0.2, 0)),
        ball((-0.21, 0, 1.06), (0.05, 0.05, 0.05), main),
        ball((0.21, 0, 1.06), (0.05, 0.05, 0.05), main),
        cone((0, 0, 0.50), (0.36, 0.30, 0.30), main, top=0.34),
        ball((-0.24, -0.03, 0.60), (0.06, 0.06, 0.17), skin, turn=(0, 0.6, 0)),
        ball((0.24, -0.03, 0.60), (0.06, 0.06, 0.17), skin, turn=(0, -0.6, 0)),
        cone((-0.10, 0, 0.13), (0.06, 0.06, 0.12), skin, top=1),
        cone((0.10, 0, 0.13), (0.06, 0.06, 0.12), skin, top=1),
        ball((-0.10, -0.04, 0.04), (0.07, 0.11, 0.05), shade(main, -0.5)),
        ball((0.10, -0.04, 0.04), (0.07, 0.11, 0.05), shade(main, -0.5)),
    ]


def boy(main: Vector, tone: int) -> list[Solid]:
    skin, hair = TONES[tone]
    trousers = contrast(main, (0.16, 0.20, 0.38), (0.72, 0.62, 0.44))
    return [
        *head(skin, hair, 0.98),
        cone((0, 0, 1.13), (0.20, 0.20, 0.07), main, top=0.75),
        ball((0, -0.19, 1.08), (0.17, 0.14, 0.025), shade(main, -0.25)),
        cone((0, 0, 0.60), (0.23, 0.17, 0.20), main, top=0.85),
        ball((-0.29, 0, 0.60), (0.07, 0.07, 0.19), main, turn=(0, 0.3, 0)),
        ball((0.29, 0, 0.60), (0.07, 0.07, 0.19), main, turn=(0, -0.3, 0)),
        ball((-0.34, -0.01, 0.42), (0.06, 0.06, 0.06), skin),
        ball((0.34, -0.01, 0.42), (0.06, 0.06, 0.06), skin),
        cone((-0.12, 0, 0.22), (0.10, 0.11, 0.20), trousers, top=1),
        cone((0.12, 0, 0.22), (0.10, 0.11, 0.20), trousers, top=1),
        ball((-0.12, -0.05, 0.05), (0.10, 0.15, 0.06), contrast(main, WHITE, RUBBER)),
        ball((0.12, -0.05, 0.05), (0.10, 0.15, 0.06), contrast(main, WHITE, RUBBER)),
    ]


def snowman(main: Vector, tone: int) -> list[Solid]:
    scarf, coal = contrast(main, (0.82, 0.12, 0.14), (0.2, 0.45, 0.8)), contrast(main, BLACK, WHITE)
    return [
        ball((0, 0, 0.26), (0.38, 0.36, 0.28), main),
        ball((0, 0, 0.63), (0.27, 0.26, 0.22), main),
        ball((0, 0, 0.92), (0.20, 0.19, 0.18), main),
        cone((0, 0, 0.79), (0.22, 0.21, 0.04), scarf, top=1),
        cone((0, -0.27, 0.92), (0.05, 0.05, 0.12), CARROT, turn=(QUARTER, 0, 0)),
        cone((0, 0, 1.06), (0.25, 0.25, 0.02), (0.14, 0.14, 0.17), top=1),
        cone((0, 0, 1.15), (0.16, 0.16, 0.09), (0.14, 0.14, 0.17), top=1),
        *[ball((x, -0.165, 0.98), (0.035,) * 3, coal) for x in (-0.08, 0.08)],
        *[ball((0, y, z), (0.04,) * 3, coal)
          for y, z in ((-0.255, 0.66), (-0.25, 0.54), (-0.36, 0.34))],
    ]  # fmt: skip


def lamp(main: Vector, tone: int) -> list[Solid]:
    return [
        cone((0, 0, 0.05), (0.26, 0.26, 0.05), GRAY, top=0.7),
        cone((0, 0, 0.38), (0.045, 0.045, 0.34), GRAY, top=1),
        ball((0, 0, 0.70), (0.12, 0.12, 0.12), LAMPLIGHT),
        cone((0, 0, 0.90), (0.42, 0.42, 0.23), main, top=0.52, texture=BAND,
             colour2=contrast(main, shade(main, 0.5), shade(main, -0.4)), parameters=(-0.9, 0.14)),
        ball((0, 0, 1.15), (0.05, 0.05, 0.05), GRAY),
    ]  # fmt: skip


MAKERS: dict[str, Callable[[Vector, int], list[Solid]]] = {
    "apple": apple, "orange": orange, "lemon": lemon, "football": football, "mug": mug,
    "bottle": bottle, "book": book, "box": box, "cone": traffic_cone, "ring": ring,
    "mushroom": mushroom, "tree": tree, "house": house, "truck": truck, "camper van": camper_van,
    "car": car, "boat": boat, "cat": cat, "dog": dog, "duck": duck, "girl": girl, "boy": boy,
    "snowman": snowman, "lamp": lamp,
}  # fmt: skip


@lru_cache(maxsize=2048)
def figure(noun: str, colour: str, tone: int) -> tuple[Solid, ...]:
    """The solids of a noun in a colour; tone 0 to 3 picks skin and hair of people."""
    return tuple(MAKERS[noun](PALETTE[colour], tone))
