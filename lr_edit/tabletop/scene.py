"""A tabletop scene as plain values, and how one is sampled; it knows nothing about pixels or words.

World units: a large figurine is about 1.3 high; the table is the plane z = 0, x points right and
y away from the camera when its azimuth is 0.
"""

import math
import random
from dataclasses import asdict, dataclass, replace
from typing import Any

NOUNS = (
    "apple", "orange", "lemon", "football", "mug", "bottle", "book", "box", "cone", "ring",
    "mushroom", "tree", "house", "truck", "camper van", "car", "boat", "cat", "dog", "duck",
    "girl", "boy", "snowman", "lamp",
)  # fmt: skip
COLOURS = (
    "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white",
)  # fmt: skip
MATERIALS = ("matte", "shiny")
SIZES = {"small": 0.98, "large": 1.32}
SURFACES = ("wood", "marble", "grass", "sand", "snow", "tiles", "checkered cloth", "blue felt")
BACKDROPS = (
    "gray wall", "blue sky", "brick wall", "pink wall", "green wall", "night sky", "sunset",
    "striped wallpaper",
)  # fmt: skip

# The colour a person expects when none is named.
NATURAL = {
    "apple": "red", "orange": "orange", "lemon": "yellow", "football": "white", "mug": "blue",
    "bottle": "green", "book": "red", "box": "brown", "cone": "orange", "ring": "yellow",
    "mushroom": "red", "tree": "green", "house": "white", "truck": "red", "camper van": "white",
    "car": "blue", "boat": "red", "cat": "orange", "dog": "brown", "duck": "yellow",
    "girl": "pink", "boy": "blue", "snowman": "white", "lamp": "purple",
}  # fmt: skip
# What would no longer be the thing in another colour.
ONLY = {"orange": ("orange",), "lemon": ("yellow", "green")}

# Colour and noun never seen together outside the test part "unseen".
UNSEEN_PAIRS = frozenset(
    {
        ("blue", "apple"), ("green", "mug"), ("purple", "car"), ("pink", "truck"),
        ("red", "duck"), ("yellow", "house"), ("white", "cone"), ("black", "boat"),
        ("brown", "bottle"), ("blue", "cat"), ("green", "book"), ("orange", "mushroom"),
    }
)  # fmt: skip


def allowed_colours(noun: str) -> tuple[str, ...]:
    """The colours a noun comes in."""
    return ONLY.get(noun, COLOURS)


@dataclass(frozen=True)
class Thing:
    """One figurine: what it is, where it stands (world units) and where it faces (radians)."""

    noun: str
    colour: str
    material: str
    size: str
    x: float
    y: float
    heading: float

    @property
    def scale(self) -> float:
        """World units per unit of the figurine's own coordinates."""
        return SIZES[self.size]


@dataclass(frozen=True)
class Camera:
    """A pinhole looking at TARGET; angles in radians, distance in world units."""

    azimuth: float
    elevation: float
    distance: float
    fov: float = 0.60

    TARGET = (0.0, 0.1, 0.42)

    def basis(self) -> tuple[tuple[float, ...], ...]:
        """Position, right, up and forward vectors in world coordinates."""
        ca, sa = math.cos(self.azimuth), math.sin(self.azimuth)
        ce, se = math.cos(self.elevation), math.sin(self.elevation)
        forward = (sa * ce, ca * ce, -se)
        position = tuple(t - self.distance * f for t, f in zip(self.TARGET, forward, strict=True))
        return position, (ca, -sa, 0.0), (sa * se, ca * se, ce), forward

    def project(self, point: tuple[float, float, float]) -> tuple[float, float, float]:
        """A world point as (u, v, depth): u right and v down in [-1, 1] inside the picture."""
        position, right, up, forward = self.basis()
        offset = [p - c for p, c in zip(point, position, strict=True)]
        x, y, depth = (
            sum(a * b for a, b in zip(axis, offset, strict=True)) for axis in (right, up, forward)
        )
        reach = depth * math.tan(self.fov / 2)
        return x / reach, -y / reach, depth


@dataclass(frozen=True)
class Light:
    """A distant lamp: where it shines from (radians), and its share of all light in [0, 1]."""

    azimuth: float
    elevation: float
    strength: float


@dataclass(frozen=True)
class Scene:
    """Things on a surface before a backdrop, seen by a camera under a light."""

    things: tuple[Thing, ...]
    surface: str
    backdrop: str
    camera: Camera
    light: Light

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; `scene_from_dict` is the inverse."""
        return asdict(self)


def scene_from_dict(values: dict[str, Any]) -> Scene:
    """The scene that `Scene.to_dict` gave."""
    return Scene(
        things=tuple(Thing(**thing) for thing in values["things"]),
        surface=values["surface"],
        backdrop=values["backdrop"],
        camera=Camera(**values["camera"]),
        light=Light(**values["light"]),
    )


def screen_position(scene: Scene, thing: Thing) -> tuple[float, float, float]:
    """Where a thing's middle appears: (u, v, depth) as `Camera.project` gives them."""
    return scene.camera.project((thing.x, thing.y, 0.45 * thing.scale))


def sample_camera(rng: random.Random) -> Camera:
    """A view from the front, slightly turned, between table height and half above."""
    return Camera(rng.uniform(-0.35, 0.35), rng.uniform(0.38, 0.72), rng.uniform(6.3, 7.5))


def sample_light(rng: random.Random) -> Light:
    """A lamp well above the table, never from straight behind the things."""
    return Light(rng.uniform(-1.9, 1.9), rng.uniform(0.75, 1.2), rng.uniform(0.5, 0.68))


def sample_attributes(rng: random.Random, noun: str, unseen: bool = False) -> tuple[str, str, str]:
    """Colour (often the natural one), material and size; `unseen` admits the held-out pairs."""
    colours = [c for c in allowed_colours(noun) if unseen or (c, noun) not in UNSEEN_PAIRS]
    natural = NATURAL[noun]
    colour = natural if rng.random() < 0.25 and natural in colours else rng.choice(colours)
    return colour, rng.choice(MATERIALS), rng.choice(tuple(SIZES))


def is_clear(scene: Scene, candidate: Thing, spacing: float) -> bool:
    """Whether the candidate stands inside the picture and apart from every other thing.

    spacing is the least distance on the screen, in units of the two things' mean apparent width;
    things also never touch on the table.
    """
    u, v, depth = screen_position(scene, candidate)
    width = 0.62 * candidate.scale / (depth * math.tan(scene.camera.fov / 2))
    if abs(u) > 0.98 - width or abs(v) > 0.95 - width:
        return False
    for other in scene.things:
        ou, ov, odepth = screen_position(scene, other)
        other_width = 0.62 * other.scale / (odepth * math.tan(scene.camera.fov / 2))
        if math.hypot(u - ou, 0.8 * (v - ov)) < spacing * (width + other_width):
            return False
        reach = 0.56 * (candidate.scale + other.scale)
        if math.hypot(candidate.x - other.x, candidate.y - other.y) < reach:
            return False
    return True


def sample_place(
    rng: random.Random, scene: Scene, thing: Thing, spacing: float = 0.8
) -> Thing | None:
    """The thing moved to a free place of the scene, or None where there is none."""
    for _ in range(60):
        placed = replace(
            thing,
            x=rng.uniform(-1.8, 1.8),
            y=rng.uniform(-1.5, 2.0),
            heading=rng.uniform(-0.9, 0.9),
        )
        if is_clear(scene, placed, spacing):
            return placed
    return None


def sample_thing(rng: random.Random, noun: str, unseen: bool = False) -> Thing:
    """A thing of random attributes, not yet placed."""
    colour, material, size = sample_attributes(rng, noun, unseen)
    return Thing(noun, colour, material, size, 0.0, 0.0, 0.0)


def sample_scene(
    seed: int | str, count: int | None = None, spacing: float = 0.8, unseen: bool = False
) -> Scene:
    """A scene that depends on the seed alone.

    count: things wanted, 1 to 6 (drawn when None); fewer stand there only if they find no room.
    spacing: see `is_clear`. unseen: admit held-out colour–noun pairs.
    """
    rng = random.Random(f"scene {seed}")
    scene = Scene(
        (), rng.choice(SURFACES), rng.choice(BACKDROPS), sample_camera(rng), sample_light(rng)
    )
    wanted = count or rng.choice((1, 2, 3, 3, 4, 4, 5, 6))
    # A second thing of a kind already there makes attributes and relations matter.
    for index in range(wanted):
        repeat = index > 0 and rng.random() < 0.3
        noun = rng.choice(scene.things).noun if repeat else rng.choice(NOUNS)
        placed = sample_place(rng, scene, sample_thing(rng, noun, unseen), spacing)
        if placed is not None:
            scene = replace(scene, things=(*scene.things, placed))
    return scene
