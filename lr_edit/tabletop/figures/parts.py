"""Colours and solids that figurines are built of; it knows no figurine."""

from lr_edit.tabletop.primitives import (
    BALL,
    BOX,
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

QUARTER = 1.5708


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
