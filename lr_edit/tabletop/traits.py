"""What every thing of a scene is and where its middle lies, pixel by pixel; it knows no phrases."""

import numpy as np

from lr_edit.tabletop.given_regions import mask_bounds
from lr_edit.tabletop.scene import COLOURS, MATERIALS, NOUNS, SIZES, Scene

# What a thing has one of each, and the values that it may take.
TRAITS = {"noun": NOUNS, "colour": COLOURS, "material": MATERIALS, "size": tuple(SIZES)}


def trait_maps(scene: Scene, instances: np.ndarray, colours: bool = True) -> np.ndarray:
    """uint8 [T, S, S], a map for each of TRAITS: k + 1 where a thing of its value k is seen, 0
    where none is, and, without colours, all over that of colours.

    instances: uint8 [S, S], 0 = none, k = thing k-1 of the scene.
    """
    values = np.zeros((len(TRAITS), 256), dtype=np.uint8)
    for row, (name, known) in zip(values, TRAITS.items(), strict=True):
        if name != "colour" or colours:
            row[1 : len(scene.things) + 1] = [
                known.index(getattr(t, name)) + 1 for t in scene.things
            ]
    return values[:, instances]


def middle_maps(instances: np.ndarray) -> np.ndarray:
    """float32 [2, S, S]: from every pixel of a thing right and down to the middle of the box around
    what is seen of it, in sides of the picture; 0 where no thing is. instances: see trait_maps."""
    side = len(instances)
    middles = np.zeros((2, 256), dtype=np.float32)
    for number in np.unique(instances[instances > 0]):
        x0, y0, x1, y1 = mask_bounds(instances == number)
        middles[:, number] = (x0 + x1 - 1) / (2 * side), (y0 + y1 - 1) / (2 * side)
    line = np.arange(side, dtype=np.float32) / side
    here = np.stack(np.meshgrid(line, line))
    return (middles[:, instances] - here) * (instances > 0)
