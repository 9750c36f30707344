"""Animals and children, facing −y or −x."""

from lr_edit.tabletop.figures.parts import (
    BLACK,
    CARROT,
    CREAM,
    RUBBER,
    TONES,
    WHITE,
    ball,
    cone,
    contrast,
    shade,
)
from lr_edit.tabletop.primitives import (
    Solid,
    Vector,
)


def eyes(x: float, y: float, z: float, main: Vector, size: float = 0.045) -> list[Solid]:
    """Two eyes at ±x on the front at (y, z)."""
    colour = contrast(main, BLACK, (0.95, 0.9, 0.4))
    return [ball((side * x, y, z), (size, size * 0.6, size * 1.2), colour) for side in (-1, 1)]


def head(skin: Vector, hair: Vector, z: float) -> list[Solid]:
    """A face with eyes, mouth and a cap of hair."""
    return [
        ball((0, 0, z), (0.19, 0.18, 0.20), skin),
        ball((0, 0.035, z + 0.05), (0.21, 0.19, 0.19), hair, lo=(-1, -0.35, -0.6)),
        ball((-0.07, -0.165, z + 0.02), (0.028, 0.02, 0.036), BLACK),
        ball((0.07, -0.165, z + 0.02), (0.028, 0.02, 0.036), BLACK),
        ball((0, -0.168, z - 0.085), (0.06, 0.015, 0.018), (0.75, 0.2, 0.2)),
    ]


def cat(main: Vector, tone: int) -> list[Solid]:
    """Sitting, with pointed ears and a tail around it."""
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
    """On four legs, with hanging ears, a snout and a collar."""
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
    """A bath duck with a beak and wings."""
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


def girl(main: Vector, tone: int) -> list[Solid]:
    """In a dress of the colour, with bunches of hair."""
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
    """In a shirt and a cap of the colour, with trousers."""
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
