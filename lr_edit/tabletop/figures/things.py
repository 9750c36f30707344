"""Still things: fruit, toys, and what stands on a table."""

from lr_edit.tabletop.figures.parts import (
    BLACK,
    CARROT,
    CREAM,
    GLASS,
    GRAY,
    LAMPLIGHT,
    LEAF,
    QUARTER,
    TWIG,
    WHITE,
    ball,
    block,
    cone,
    contrast,
    roof,
    shade,
    tube,
)
from lr_edit.tabletop.primitives import (
    BAND,
    PAGES,
    PATCHES,
    SPECKLE,
    TAPE,
    Solid,
    Vector,
)


def apple(main: Vector, tone: int) -> list[Solid]:
    """Wider above than below, with a dimple, a stem and a leaf."""
    return [
        ball((0, 0, 0.50), (0.50, 0.50, 0.42), main),
        ball((0, 0, 0.34), (0.38, 0.38, 0.34), main),
        cone((0, 0, 0.86), (0.13, 0.13, 0.07), shade(main, -0.55), top=0.3),
        cone((0.02, 0, 1.00), (0.04, 0.04, 0.15), TWIG, top=0.8, turn=(0, 0.2, 0)),
        ball((0.20, -0.02, 1.04), (0.21, 0.10, 0.035), LEAF, turn=(0, -0.35, 0)),
    ]


def orange(main: Vector, tone: int) -> list[Solid]:
    """A speckled ball with a green navel."""
    peel = shade(main, -0.16)
    return [
        ball((0, 0, 0.47), (0.48, 0.48, 0.47), main, texture=SPECKLE, colour2=peel),
        cone((0, 0, 0.95), (0.11, 0.11, 0.02), LEAF, top=0.7),
        cone((0, 0, 0.98), (0.035, 0.035, 0.035), (0.30, 0.34, 0.12), top=0.9),
    ]


def lemon(main: Vector, tone: int) -> list[Solid]:
    """A speckled ellipsoid on its side, pointed at both ends."""
    peel = shade(main, -0.12)
    return [
        ball((0, 0, 0.36), (0.50, 0.36, 0.36), main, texture=SPECKLE, colour2=peel),
        ball((0.49, 0, 0.36), (0.15, 0.12, 0.12), main),
        ball((-0.49, 0, 0.36), (0.13, 0.11, 0.11), main),
        cone((-0.60, 0, 0.36), (0.05, 0.05, 0.05), LEAF, top=0.6, turn=(0, QUARTER, 0)),
    ]


def football(main: Vector, tone: int) -> list[Solid]:
    """A ball with twelve round patches."""
    patch = contrast(main, BLACK, WHITE)
    return [
        ball(
            (0, 0, 0.49), (0.49,) * 3, main, texture=PATCHES, colour2=patch,
            parameters=(0.905, 0.0), turn=(0.5, 0.3, 0.2),
        )
    ]  # fmt: skip


def mug(main: Vector, tone: int) -> list[Solid]:
    """A hollow cylinder with coffee and a handle."""
    return [
        tube((0, 0, 0.44), (0.38, 0.38, 0.44), main, hole=0.86),
        cone((0, 0, 0.36), (0.33, 0.33, 0.34), (0.20, 0.10, 0.05), top=1),
        tube((0.42, 0, 0.46), (0.25, 0.29, 0.07), main, hole=0.62, turn=(QUARTER, 0, 0)),
    ]


def bottle(main: Vector, tone: int) -> list[Solid]:
    """A body with a label, shoulders, a neck and a cap."""
    cap, label = contrast(main, (0.80, 0.14, 0.12), GRAY), contrast(main, CREAM, (0.3, 0.5, 0.8))
    return [
        cone((0, 0, 0.34), (0.25, 0.25, 0.34), main, top=1, texture=BAND, colour2=label,
             parameters=(-0.05, 0.42)),
        cone((0, 0, 0.78), (0.25, 0.25, 0.10), main, top=0.36),
        cone((0, 0, 0.98), (0.09, 0.09, 0.12), main, top=1),
        cone((0, 0, 1.12), (0.11, 0.11, 0.05), cap, top=1),
    ]  # fmt: skip


def book(main: Vector, tone: int) -> list[Solid]:
    """Lying: covers, a spine, pages, and a title in two bars."""
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
    """A carton with a strip of tape."""
    tape = contrast(main, (0.93, 0.82, 0.58), (0.55, 0.4, 0.22))
    return [
        block((0, 0, 0.40), (0.46, 0.42, 0.40), main, texture=TAPE, colour2=tape,
              parameters=(0.0, 0.16)),
        block((0, -0.425, 0.66), (0.46, 0.006, 0.012), shade(main, -0.45)),
    ]  # fmt: skip


def traffic_cone(main: Vector, tone: int) -> list[Solid]:
    """A cone with a band on a square foot."""
    band = contrast(main, WHITE, (0.95, 0.45, 0.1))
    return [
        block((0, 0, 0.04), (0.42, 0.42, 0.04), shade(main, -0.35)),
        cone((0, 0, 0.56), (0.33, 0.33, 0.50), main, top=0.16, texture=BAND, colour2=band,
             parameters=(0.12, 0.2)),
    ]  # fmt: skip


def ring(main: Vector, tone: int) -> list[Solid]:
    """Standing, with a cut stone on top."""
    gem = contrast(main, (0.45, 0.86, 0.95), (0.9, 0.25, 0.35))
    return [
        tube((0, 0, 0.44), (0.44, 0.44, 0.13), main, hole=0.74, turn=(QUARTER, 0, 0)),
        cone((0, 0, 0.93), (0.20, 0.20, 0.09), gem, top=0.0, turn=(3.1416, 0, 0)),
        cone((0, 0, 1.06), (0.20, 0.20, 0.045), shade(gem, 0.35), top=0.6),
    ]


def mushroom(main: Vector, tone: int) -> list[Solid]:
    """A pale stem under a dotted cap."""
    spots = contrast(main, WHITE, (0.75, 0.2, 0.15))
    return [
        cone((0, 0, 0.26), (0.21, 0.21, 0.27), CREAM, top=0.75),
        cone((0, 0, 0.47), (0.47, 0.47, 0.03), shade(CREAM, -0.2), top=1),
        ball((0, 0, 0.48), (0.52, 0.52, 0.44), main, lo=(-1, -1, 0), texture=PATCHES,
             colour2=spots, parameters=(0.945, 0.0), turn=(0.35, 0.1, 0.6)),
    ]  # fmt: skip


def tree(main: Vector, tone: int) -> list[Solid]:
    """A fir of three tiers."""
    return [
        cone((0, 0, 0.12), (0.10, 0.10, 0.14), TWIG, top=0.9),
        cone((0, 0, 0.44), (0.46, 0.46, 0.24), main, top=0.25),
        cone((0, 0, 0.72), (0.37, 0.37, 0.22), shade(main, 0.08), top=0.2),
        cone((0, 0, 1.00), (0.26, 0.26, 0.22), shade(main, 0.16)),
    ]


def house(main: Vector, tone: int) -> list[Solid]:
    """Walls with a door and windows, a roof and a chimney."""
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


def snowman(main: Vector, tone: int) -> list[Solid]:
    """Three balls, a carrot, a scarf and a hat."""
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
    """A foot, a pole, and a shade with a rim."""
    return [
        cone((0, 0, 0.05), (0.26, 0.26, 0.05), GRAY, top=0.7),
        cone((0, 0, 0.38), (0.045, 0.045, 0.34), GRAY, top=1),
        ball((0, 0, 0.70), (0.12, 0.12, 0.12), LAMPLIGHT),
        cone((0, 0, 0.90), (0.42, 0.42, 0.23), main, top=0.52, texture=BAND,
             colour2=contrast(main, shade(main, 0.5), shade(main, -0.4)), parameters=(-0.9, 0.14)),
        ball((0, 0, 1.15), (0.05, 0.05, 0.05), GRAY),
    ]  # fmt: skip
