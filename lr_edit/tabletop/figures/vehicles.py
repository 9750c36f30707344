"""What drives and sails, along x, its front at −x."""

from lr_edit.tabletop.figures.parts import (
    GLASS,
    GRAY,
    LAMPLIGHT,
    QUARTER,
    RUBBER,
    STEEL,
    TWIG,
    WHITE,
    ball,
    block,
    cone,
    contrast,
    roof,
    shade,
)
from lr_edit.tabletop.primitives import (
    Solid,
    Vector,
    frustum_quadric,
)


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
    """A box lorry: cargo and cab apart."""
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
    """Two-toned, with a row of windows and a raised roof."""
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
    """A saloon with glass all round and lamps."""
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
    """A hull with deck, mast, two sails and a flag."""
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
