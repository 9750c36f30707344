"""Tileable pictures of the eight surfaces and the eight backdrops; it knows no scene and no ray.

Each is an RGB tile [3, S, S] in [0, 1], made of noise from a fixed seed, the same on every machine.
"""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from lr_edit.tabletop.scene import BACKDROPS, SURFACES

SIDE = 256


def noise(cells: tuple[int, int], seed: int, octaves: int = 4) -> Tensor:
    """Tileable value noise [S, S] in [0, 1]; cells: (rows, columns) of the coarsest octave."""
    generator = torch.Generator().manual_seed(seed)
    total, amplitude, norm = torch.zeros(SIDE, SIDE), 1.0, 0.0
    for octave in range(octaves):
        rows, columns = (min(SIDE, n * 2**octave) for n in cells)
        grid = torch.rand(1, 1, rows, columns, generator=generator)
        grid = torch.nn.functional.pad(grid, (2, 2, 2, 2), mode="circular")
        fine = interpolate(
            grid,
            size=((rows + 4) * SIDE // rows, (columns + 4) * SIDE // columns),
            mode="bicubic",
        )[0, 0]
        top, left = 2 * SIDE // rows, 2 * SIDE // columns
        total += amplitude * fine[top : top + SIDE, left : left + SIDE]
        norm, amplitude = norm + amplitude, amplitude * 0.5
    return (total / norm).clamp(0, 1)


def ramp(value: Tensor, dark: tuple[float, ...], light: tuple[float, ...]) -> Tensor:
    """value [S, S] in [0, 1] as a mix of two RGB colours: [3, S, S]."""
    start, end = torch.tensor(dark)[:, None, None], torch.tensor(light)[:, None, None]
    return start + (end - start) * value.clamp(0, 1)


def coordinates() -> tuple[Tensor, Tensor]:
    """Rows and columns of a tile, each [S, S] in [0, 1)."""
    line = torch.arange(SIDE) / SIDE
    rows, columns = torch.meshgrid(line, line, indexing="ij")
    return rows, columns


def wood() -> Tensor:
    """Four planks with grain along x and dark joints."""
    rows, _ = coordinates()
    plank = (rows * 4).floor()
    tone = torch.tensor([0.55, 0.4, 0.62, 0.48])[plank.long() % 4]
    grain = noise((32, 3), 11)
    joint = ((rows * 4) % 1 < 0.035).float()
    return ramp(tone + 0.55 * (grain - 0.5), (0.36, 0.22, 0.11), (0.84, 0.62, 0.40)) * (
        1 - 0.45 * joint
    )


def marble() -> Tensor:
    """White stone with gray veins."""
    vein = (1 - (noise((3, 3), 21) - 0.5).abs() * 14).clamp(0, 1)
    cloud = noise((4, 4), 22)
    return ramp(0.75 * cloud + 0.25 - 0.5 * vein, (0.55, 0.56, 0.60), (0.93, 0.93, 0.91))


def grass() -> Tensor:
    """Green with short blades."""
    return ramp(
        0.7 * noise((48, 64), 31, 3) + 0.3 * noise((5, 5), 32),
        (0.10, 0.28, 0.08),
        (0.48, 0.68, 0.26),
    )


def sand() -> Tensor:
    """Warm grains over soft ripples."""
    rows, columns = coordinates()
    ripple = 0.5 + 0.5 * torch.sin(
        2 * torch.pi * (6 * rows + 1.2 * noise((3, 3), 41) + 0 * columns)
    )
    return ramp(
        0.5 * noise((64, 64), 42, 2) + 0.35 * ripple, (0.66, 0.53, 0.34), (0.95, 0.85, 0.64)
    )


def snow() -> Tensor:
    """Almost white, softly uneven."""
    return ramp(noise((6, 6), 51), (0.78, 0.83, 0.92), (0.99, 0.99, 1.0))


def tiles() -> Tensor:
    """Terracotta squares with light joints."""
    rows, columns = coordinates()
    joint = (((rows * 4) % 1 < 0.06) | ((columns * 4) % 1 < 0.06)).float()
    clay = ramp(noise((8, 8), 61), (0.60, 0.30, 0.20), (0.80, 0.47, 0.33))
    return clay * (1 - joint) + 0.82 * joint


def checkered_cloth() -> Tensor:
    """Red and white gingham."""
    rows, columns = coordinates()
    across = ((rows * 8) % 2 < 1).float()
    along = ((columns * 8) % 2 < 1).float()
    weave = 0.94 + 0.06 * noise((64, 64), 71, 1)
    return ramp((across + along) / 2, (0.93, 0.92, 0.90), (0.76, 0.16, 0.18)) * weave


def blue_felt() -> Tensor:
    """A card table's cloth."""
    return ramp(noise((40, 40), 81, 3), (0.12, 0.24, 0.44), (0.22, 0.38, 0.62))


def sky(top: tuple[float, ...], bottom: tuple[float, ...], clouds: float, seed: int) -> Tensor:
    """A vertical ramp with clouds of the given strength."""
    rows, _ = coordinates()
    cloud = ((noise((5, 3), seed) - 0.52) * 4).clamp(0, 1) * clouds
    return ramp(rows, top, bottom) * (1 - cloud) + cloud


def brick_wall() -> Tensor:
    """Running bond in dark red."""
    rows, columns = coordinates()
    course = (rows * 10).floor()
    shifted = columns * 5 + 0.5 * (course % 2)
    joint = (((rows * 10) % 1 < 0.14) | (shifted % 1 < 0.07)).float()
    clay = ramp(noise((20, 10), 91), (0.42, 0.20, 0.16), (0.64, 0.34, 0.27))
    return clay * (1 - joint) + 0.66 * joint


def plaster(colour: tuple[float, float, float], seed: int) -> Tensor:
    """A painted wall, slightly uneven."""
    shade = 0.94 + 0.10 * (noise((6, 6), seed) - 0.5)
    return torch.tensor(colour)[:, None, None] * shade


def striped_wallpaper() -> Tensor:
    """Broad cream and blue-green stripes."""
    _, columns = coordinates()
    return ramp(((columns * 10) % 1 < 0.5).float(), (0.86, 0.83, 0.72), (0.52, 0.66, 0.68))


MAKERS: dict[str, Callable[[], Tensor]] = {
    "wood": wood,
    "marble": marble,
    "grass": grass,
    "sand": sand,
    "snow": snow,
    "tiles": tiles,
    "checkered cloth": checkered_cloth,
    "blue felt": blue_felt,
    "gray wall": lambda: plaster((0.62, 0.63, 0.65), 101),
    "blue sky": lambda: sky((0.42, 0.62, 0.88), (0.80, 0.89, 0.96), 0.8, 102),
    "brick wall": brick_wall,
    "pink wall": lambda: plaster((0.88, 0.68, 0.70), 103),
    "green wall": lambda: plaster((0.56, 0.70, 0.56), 104),
    "night sky": lambda: sky((0.05, 0.06, 0.16), (0.20, 0.21, 0.38), 0.12, 105),
    "sunset": lambda: sky((0.45, 0.38, 0.60), (0.98, 0.66, 0.42), 0.25, 106),
    "striped wallpaper": striped_wallpaper,
}


@lru_cache(maxsize=8)
def atlas(device: str) -> tuple[Tensor, Tensor]:
    """All surfaces [8, 3, S, S] and all backdrops [8, 3, S, S], in their declared order."""
    surfaces = torch.stack([MAKERS[name]().clamp(0, 1) for name in SURFACES])
    backdrops = torch.stack([MAKERS[name]().clamp(0, 1) for name in BACKDROPS])
    return surfaces.to(device), backdrops.to(device)


def sample_tiles(tiles: Tensor, index: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Colours [N, 3] of tiles [K, 3, S, S] number `index` [N] at (u, v) [N], repeating every 1.

    Bilinear between texels; u runs along columns and v along rows.
    """
    side = tiles.shape[-1]
    flat = tiles.permute(0, 2, 3, 1).reshape(-1, 3)
    x, y = u * side, v * side
    x0, y0 = x.floor(), y.floor()
    fx, fy = (x - x0)[:, None], (y - y0)[:, None]
    x0, y0 = x0.long() % side, y0.long() % side
    x1, y1 = (x0 + 1) % side, (y0 + 1) % side
    base = index * side * side

    def texel(row: Tensor, column: Tensor) -> Tensor:
        return flat[base + row * side + column]

    upper = texel(y0, x0) * (1 - fx) + texel(y0, x1) * fx
    lower = texel(y1, x0) * (1 - fx) + texel(y1, x1) * fx
    return upper * (1 - fy) + lower * fy
