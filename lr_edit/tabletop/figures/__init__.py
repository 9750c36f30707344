"""The twenty-four figurines: lists of solids about one unit high, on z = 0, facing −y.

It knows no camera, light or place. The thing's colour is `main`; what makes it recognisable (a
stem, wheels, eyes) has colours of its own, and others where these would not show on `main`.
"""

from collections.abc import Callable
from functools import lru_cache

from lr_edit.tabletop.figures import creatures, things, vehicles
from lr_edit.tabletop.figures.parts import PALETTE
from lr_edit.tabletop.primitives import Solid, Vector

Maker = Callable[[Vector, int], list[Solid]]
"""A colour in RGB and a tone, 0 to 3, of skin and hair => the solids."""

MAKERS: dict[str, Maker] = {
    "apple": things.apple,
    "orange": things.orange,
    "lemon": things.lemon,
    "football": things.football,
    "mug": things.mug,
    "bottle": things.bottle,
    "book": things.book,
    "box": things.box,
    "cone": things.traffic_cone,
    "ring": things.ring,
    "mushroom": things.mushroom,
    "tree": things.tree,
    "house": things.house,
    "truck": vehicles.truck,
    "camper van": vehicles.camper_van,
    "car": vehicles.car,
    "boat": vehicles.boat,
    "cat": creatures.cat,
    "dog": creatures.dog,
    "duck": creatures.duck,
    "girl": creatures.girl,
    "boy": creatures.boy,
    "snowman": things.snowman,
    "lamp": things.lamp,
}


@lru_cache(maxsize=2048)
def figure(noun: str, colour: str, tone: int) -> tuple[Solid, ...]:
    """The solids of a noun in a colour; tone 0 to 3 picks skin and hair of people."""
    return tuple(MAKERS[noun](PALETTE[colour], tone))
