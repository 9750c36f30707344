"""Pictures with phrases and what each of them means there: what a region network learns from.

Everything is a function of the index asked for, so that an interrupted training continues with the
samples it would have seen. It knows no network.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lr_edit.images import from_uint8
from lr_edit.photometry import as_shown
from lr_edit.tabletop.cache import RenderedScenes
from lr_edit.tabletop.language import EDIT_KINDS, Phrase, phrase_for, referring
from lr_edit.tabletop.pairs import RenderedPairs
from lr_edit.tabletop.scene import Scene
from lr_edit.tabletop.traits import middle_maps, trait_maps
from lr_edit.tabletop.wishes import some_wish

# How often each kind of phrase is tried.
WEIGHTS = {
    "noun": 1.0, "attribute": 3.0, "relation": 3.0, "ordinal": 2.0, "several": 3.0, "absent": 4.0,
    "contradiction": 0.7, "edit_prompt": 2.0, "edit_absent": 1.5,
}  # fmt: skip
# How often attributes, relations and ranks are to be needed to tell a thing from others.
NEEDED = dict.fromkeys(("attribute", "relation", "ordinal"), 0.7)


@dataclass(frozen=True, eq=False)
class Asked:
    """A picture uint8 [S, S, 3], P phrases, and their masks bool [P, S, S]; known: bool [P].

    paints: what the things of each phrase are to become. mentions: bool [P, M, S, S]. scene,
    instances: what the picture shows, and which of its things every pixel does. See
    `ReferringSamples` for what the masks are.
    """

    pixels: np.ndarray
    phrases: list[Phrase]
    paints: list[str]
    objects: np.ndarray
    change: np.ndarray
    known: np.ndarray
    mentions: np.ndarray
    scene: Scene
    instances: np.ndarray


def mixed_phrases(
    scene: Scene,
    rng: random.Random,
    count: int,
    colours: bool = True,
    first: tuple[Phrase, ...] = (),
) -> list[Phrase]:
    """`count` phrases of mixed kinds, see WEIGHTS, no two alike; `first` are the first of them.

    Kinds that the scene does not admit give way to the others. Without colours there are no edit
    prompts. Several phrases may mean the same thing.
    """
    found = {(phrase.text, phrase.reading): phrase for phrase in first}
    weights = {kind: w for kind, w in WEIGHTS.items() if colours or kind not in EDIT_KINDS}
    while len(found) < count:
        (kind,) = rng.choices(tuple(weights), tuple(weights.values()))
        needed = rng.random() < NEEDED.get(kind, 0)
        phrase = referring(scene, rng, kind, needed=needed, colours=colours)
        if phrase is None and needed:
            phrase = referring(scene, rng, kind, colours=colours)
        if phrase is not None:
            found.setdefault((phrase.text, phrase.reading), phrase)
        elif kind != "absent":  # something is always absent
            del weights[kind]
    return list(found.values())


def selected(numbers: np.ndarray, things: Sequence[Sequence[int]]) -> np.ndarray:
    """bool [P, S, S]: where `numbers` [S, S] (0 = none, k = thing k-1) holds any of each row's
    things."""
    chosen = np.zeros((len(things), 256), dtype=bool)
    for row, indices in zip(chosen, things, strict=True):
        row[[index + 1 for index in indices]] = True
    return chosen[:, numbers]


def meant(numbers: np.ndarray, phrases: Sequence[Phrase]) -> np.ndarray:
    """bool [P, S, S]: where `numbers` holds the targets of each phrase."""
    return selected(numbers, [phrase.targets for phrase in phrases])


def mentions(numbers: np.ndarray, phrases: Sequence[Phrase]) -> np.ndarray:
    """bool [P, M, S, S]: where `numbers` holds what each of MENTIONS in a phrase fits."""
    rows = selected(numbers, [things for phrase in phrases for things in phrase.mentions])
    return rows.reshape(len(phrases), -1, *numbers.shape)


def ask_scene(
    scenes: RenderedScenes,
    rng: random.Random,
    count: int,
    colours: bool = True,
    wish_share: float = 0.0,
) -> Asked:
    """`count` phrases about a random scene."""
    index = rng.randrange(len(scenes))
    scene, instances = scenes.scene(index), scenes.instances[index]
    phrases = mixed_phrases(scene, rng, count, colours)
    objects = meant(instances, phrases)
    refer = np.array([phrase.reading == "refer" for phrase in phrases])
    cast = meant(scenes.shadows[index], phrases) & refer[:, None, None]
    paints, stays = wished(scene, phrases, rng, wish_share, colours)
    known = stays | np.array([not paint for paint in paints])
    change = objects | (cast & ~stays[:, None, None])
    picture, named = scenes.images[index], mentions(instances, phrases)
    return Asked(picture, phrases, paints, objects, change, known, named, scene, instances)


def wished(
    scene: Scene, phrases: Sequence[Phrase], rng: random.Random, share: float, colours: bool
) -> tuple[list[str], np.ndarray]:
    """What the things of P phrases are to become, see `some_wish`; and bool [P], whether they keep
    their shapes and shadows in that."""
    paints, stays = zip(*(some_wish(scene, p, rng, share, colours) for p in phrases), strict=True)
    return list(paints), np.array(stays)


def ask_pair(
    pairs: RenderedPairs,
    rng: random.Random,
    count: int,
    colours: bool = True,
    wish_share: float = 0.0,
) -> Asked | None:
    """`count` phrases about the source of a random pair; some, the first of all, name the thing
    that is edited, and say what it becomes.

    None where no phrase for it is found, as may happen without colours.
    """
    index = rng.randrange(len(pairs))
    edit = pairs.edit(index)
    assert edit.source_index is not None  # every pair replaces or removes a thing
    again = range(count // 3 + 1)
    tried = (phrase_for(edit.source, rng, edit.source_index, colours) for _ in again)
    first = tuple(phrase for phrase in tried if phrase is not None)
    if not first:
        return None
    phrases = mixed_phrases(edit.source, rng, count, colours, first)
    instances = pairs.instances[index]
    objects, named = meant(instances, phrases), mentions(instances, phrases)
    paints, known = wished(edit.source, phrases, rng, wish_share, colours)
    change = objects.copy()
    for k, phrase in enumerate(phrases):
        if phrase.reading == "refer" and phrase.targets == (edit.source_index,):
            paints[k], change[k], known[k] = edit.paint, pairs.change[index] > 0, True
    picture = pairs.images[index]
    return Asked(picture, phrases, paints, objects, change, known, named, edit.source, instances)


def collated(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Samples as a batch: tensors [..] of B samples stacked to [B, ..], lists of texts flat, sample
    by sample."""
    return {
        name: [text for item in items for text in item[name]]
        if isinstance(items[0][name], list)
        else torch.stack([item[name] for item in items])
        for name in items[0]
    }


class ReferringSamples(Dataset[dict[str, Any]]):
    """Item k is one picture with P different phrases, a function of k and the scenes alone.

    "image": float32 [3, S, S] in [-1, 1]. "phrases": P texts. "edit": bool [P], whether the text is
    an edit prompt. "present": bool [P], False where the text fits nothing: its masks are empty.
    "paints": P texts, what the things meant are to become, "" where that is not said. "object":
    bool [P, S, S], the things meant. "change": bool [P, S, S], what an edit of them changes, and
    "change_known": bool [P], False where "change" says nothing. "mentions": bool
    [P, M, S, S], what the single words of a phrase fit, see MENTIONS. "traits": uint8 [T, S, S] and
    "middle": float32 [2, S, S], see `lr_edit.tabletop.traits`; no colours where the picture is
    gray.

    In a scene, `change` is what taking the things away would change: their silhouettes and the
    shadows they cast. For an edit prompt, and for things that are to have another colour, it is the
    silhouettes, since what is recoloured keeps its shadow. Both lack pixels that a rim covers in
    part. In a pair, `change` of the phrases that name the thing that is replaced or removed is the
    exact difference, and they say what it becomes; of the other phrases there it is known where a
    thing is to have another colour. What anything else would change is not known.

    length: how many items. phrases: P. pairs, pair_share: how many pictures come from edit pairs,
    where there are any. crowded, crowded_share: how many of the others come from these scenes,
    where there are any. wish_share: how many of the phrases say what their things are to become,
    beside those of pairs; 0 for networks that do not read it. gray_share: how many are gray; no
    colour is said there, and nothing asked for by an edit prompt. jitter: the largest relative
    change of brightness, of contrast and of saturation, with which slight blur and noise come; 0
    gives the pictures as they are. Nothing is flipped, since phrases speak of left and right.
    """

    def __init__(
        self,
        scenes: RenderedScenes,
        length: int,
        phrases: int = 4,
        pairs: RenderedPairs | None = None,
        pair_share: float = 0.3,
        gray_share: float = 0.25,
        jitter: float = 0.12,
        crowded: RenderedScenes | None = None,
        crowded_share: float = 0.4,
        wish_share: float = 0.0,
    ) -> None:
        self.scenes, self.length, self.phrases = scenes, length, phrases
        self.pairs, self.pair_share = pairs, pair_share
        self.gray_share, self.jitter = gray_share, jitter
        self.crowded, self.crowded_share = crowded, crowded_share
        self.wish_share = wish_share

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = random.Random(f"referring {index}")
        gray = rng.random() < self.gray_share
        asked = None
        if self.pairs is not None and rng.random() < self.pair_share:
            asked = ask_pair(self.pairs, rng, self.phrases, not gray, self.wish_share)
        if asked is None:
            full = self.crowded is not None and rng.random() < self.crowded_share
            scenes = self.crowded if full and self.crowded is not None else self.scenes
            asked = ask_scene(scenes, rng, self.phrases, not gray, self.wish_share)
        return {
            "image": self.picture(asked.pixels, rng, gray),
            "phrases": [phrase.text for phrase in asked.phrases],
            "paints": asked.paints,
            "edit": torch.tensor([phrase.reading == "edit" for phrase in asked.phrases]),
            "present": torch.tensor([bool(phrase.targets) for phrase in asked.phrases]),
            "object": torch.from_numpy(asked.objects),
            "change": torch.from_numpy(asked.change),
            "change_known": torch.from_numpy(asked.known),
            "mentions": torch.from_numpy(asked.mentions),
            "traits": torch.from_numpy(trait_maps(asked.scene, asked.instances, not gray)),
            "middle": torch.from_numpy(middle_maps(asked.instances)),
        }

    def picture(self, pixels: np.ndarray, rng: random.Random, gray: bool) -> Tensor:
        """uint8 [S, S, 3] as it is shown: float32 [3, S, S], jittered, gray if so wanted."""
        image = from_uint8(torch.from_numpy(pixels.copy())[None])[0]
        return as_shown(image, rng, self.jitter, gray)

    @staticmethod
    def collate(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """A batch: tensors stacked to [B, …]; texts as flat lists of B * P, picture by picture."""
        return collated(items)
