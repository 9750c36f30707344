"""Which things of rendered scenes are to be seen, and how often each is shown in training."""

from collections.abc import Mapping, Sequence

import numpy as np

from lr_edit.errors import UserError
from lr_edit.tabletop.cache import RenderedScenes
from lr_edit.tabletop.scene import NOUNS
from lr_edit.tabletop.segments import CLASS_NAMES

LEAST_PIXELS = 60


def visible_things(scenes: RenderedScenes, least: int = LEAST_PIXELS) -> list[tuple[int, int]]:
    """(scene, instance) of every thing with at least `least` visible pixels."""
    found = []
    for index in range(len(scenes)):
        counts = np.bincount(scenes.instances[index].reshape(-1))
        found += [(index, k) for k in range(1, len(counts)) if counts[k] >= least]
    return found


def noun_at(scenes: RenderedScenes, index: int, instance: int) -> str:
    """The noun of a thing of which at least a pixel is seen."""
    return CLASS_NAMES[scenes.classes[index][scenes.instances[index] == instance][0]]


def repeated(
    scenes: RenderedScenes, things: Sequence[tuple[int, int]], often: Mapping[str, int]
) -> list[tuple[int, int]]:
    """The things (scene, instance), those of the nouns in `often` so many times.

    Raises UserError for what is no noun, and for less than once.
    """
    for noun, times in often.items():
        if noun not in NOUNS or times < 1:
            raise UserError(
                f"got {noun!r} {times} times as often, expected a whole number from 1 on of one of "
                f"{', '.join(NOUNS)}"
            )
    if not often:
        return list(things)
    return [place for place in things for _ in range(often.get(noun_at(scenes, *place), 1))]
