"""The tabletop as a Hugging Face dataset: for people who look at it or train elsewhere."""

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from lr_edit.images import to_uint8
from lr_edit.tabletop.cache import WORLD_VERSION
from lr_edit.tabletop.captions import caption
from lr_edit.tabletop.language import Phrase, phrases
from lr_edit.tabletop.region_cases import PHRASES_VERSION
from lr_edit.tabletop.render import render
from lr_edit.tabletop.scene import Scene
from lr_edit.tabletop.splits import part_phrase, scene_for

if TYPE_CHECKING:
    from datasets import Dataset, Features

BATCH = 16


def build(
    split: str,
    count: int,
    size: int = 128,
    cache_dir: str | os.PathLike[str] = ".cache/datasets",
    part: str | None = None,
) -> "Dataset":
    """The first `count` scenes of a split, or of one part of it, as an Arrow dataset.

    Columns: image (RGB, gray in part "grayscale"); instances (8 bit, 0 = none, k = thing k-1 of the
    scene); masks (8 bit, 255 where a phrase refers, one a phrase); phrases (text, kind, targets);
    caption; scene (JSON for `scene_from_dict`). Pictures are decoded on access. A part asks one
    phrase a scene, the split at large one of every kind. Raises UserError as `scene_for` does.
    """
    from datasets import Features, Image, Sequence, Value

    scene_for(split, part, 0)
    phrase = {"text": Value("string"), "kind": Value("string"), "targets": Sequence(Value("int64"))}
    features = Features(
        image=Image(),
        instances=Image(),
        masks=Sequence(Image()),
        phrases=[phrase],
        caption=Value("string"),
        scene=Value("string"),
    )
    arguments = {"split": split, "count": count, "size": size, "part": part}
    return stored(rows, features, arguments, cache_dir)


def stored(
    rows: Callable[..., Iterator[dict[str, Any]]],
    features: "Features",
    arguments: dict[str, Any],
    cache_dir: str | os.PathLike[str],
) -> "Dataset":
    """The rows that a generator gives for the arguments, in Arrow files that are kept."""
    from datasets import Dataset

    # What `datasets` knows old rows by are generator and arguments alone.
    place = Path(cache_dir) / f"tabletop-v{WORLD_VERSION}.{PHRASES_VERSION}"
    return Dataset.from_generator(
        rows, features=features, gen_kwargs=arguments, cache_dir=str(place)
    )


def rows(split: str, count: int, size: int, part: str | None) -> Iterator[dict[str, Any]]:
    """The rows that `build` stores, with PIL pictures."""
    for start in range(0, count, BATCH):
        indices = range(start, min(start + BATCH, count))
        scenes = [scene_for(split, part, index) for index in indices]
        result = render(scenes, size)
        pixels = to_uint8(result.images).numpy()
        maps = result.instances.byte().numpy()
        for index, scene, image, instances in zip(indices, scenes, pixels, maps, strict=True):
            yield row(scene, image, instances, asked(split, part, scene, index), part, index)


def asked(split: str, part: str | None, scene: Scene, index: int) -> list[Phrase]:
    """The phrases of scene number `index`: the part's one, or one of every kind."""
    if part is None:
        return phrases(scene, random.Random(f"phrases {split} {index}"))
    phrase = part_phrase(part, scene, index)
    return [] if phrase is None else [phrase]


def row(
    scene: Scene,
    image: np.ndarray,
    instances: np.ndarray,
    said: list[Phrase],
    part: str | None,
    index: int,
) -> dict[str, Any]:
    """One row: image uint8 [H, W, 3] and instances uint8 [H, W] as PIL pictures, with all words."""
    picture = Image.fromarray(image)
    if part == "grayscale":
        picture = picture.convert("L").convert("RGB")
    return {
        "image": picture,
        "instances": Image.fromarray(instances),
        "masks": [Image.fromarray(phrase_mask(instances, phrase)) for phrase in said],
        "phrases": [{"text": p.text, "kind": p.kind, "targets": list(p.targets)} for p in said],
        "caption": caption(scene, random.Random(f"caption {index}")),
        "scene": json.dumps(scene.to_dict()),
    }


def phrase_mask(instances: np.ndarray, phrase: Phrase) -> np.ndarray:
    """uint8 [H, W], 255 where the instances [H, W] show a thing that the phrase refers to."""
    return np.isin(instances, [i + 1 for i in phrase.targets]).astype(np.uint8) * 255
