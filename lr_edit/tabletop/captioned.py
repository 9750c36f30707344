"""Pictures with phrases that are true of them and nothing else: what is learned from captions.

No mask is ever handed out. Everything is a function of the index asked for; it knows no network.
"""

import random
from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import Dataset

from lr_edit.images import from_uint8
from lr_edit.photometry import jittered, nearly_true
from lr_edit.tabletop.cache import RenderedScenes
from lr_edit.tabletop.language import phrase_for, referring
from lr_edit.tabletop.scene import NOUNS, UNSEEN_PAIRS, Scene, allowed_colours
from lr_edit.tabletop.words import with_article

KINDS = ("attribute", "attribute", "noun", "several")


class CaptionedPictures(Dataset[dict[str, Any]]):
    """Item k: "image" float32 [3, S, S] in [-1, 1]; "phrases": P texts; "edit": bool [P], False.

    The phrases are the noun phrases that a caption of the picture would hold: each names things
    that are there. "prompts": P texts, what each might be turned into. length: how many items.
    phrases: P. jitter: as of ReferringSamples.
    """

    def __init__(
        self, scenes: RenderedScenes, length: int, phrases: int = 2, jitter: float = 0.12
    ) -> None:
        self.scenes, self.length, self.phrases, self.jitter = scenes, length, phrases, jitter

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = random.Random(f"captioned {index}")
        number = rng.randrange(len(self.scenes))
        scene = self.scenes.scene(number)
        while not scene.things:
            number = rng.randrange(len(self.scenes))
            scene = self.scenes.scene(number)
        image = from_uint8(torch.from_numpy(self.scenes.images[number].copy())[None])[0]
        if self.jitter > 0:
            image = nearly_true(jittered(image, rng, self.jitter), rng)
        texts = true_phrases(scene, rng, self.phrases)
        edit = torch.zeros(len(texts), dtype=torch.bool)
        return {"image": image, "phrases": texts, "prompts": wishes(rng, len(texts)), "edit": edit}

    @staticmethod
    def collate(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """A batch: tensors stacked to [B, …]; texts as flat lists, picture by picture."""
        return {
            name: [text for item in items for text in item[name]]
            if isinstance(items[0][name], list)
            else torch.stack([item[name] for item in items])
            for name in items[0]
        }


def wishes(rng: random.Random, count: int) -> list[str]:
    """Prompts of an editor: things in colours of their own, or in others."""
    found = []
    for _ in range(count):
        noun = rng.choice(NOUNS)
        colours = allowed(noun)
        coloured = bool(colours) and rng.random() < 0.5
        found.append(with_article(f"{rng.choice(colours)} {noun}" if coloured else noun))
    return found


def allowed(noun: str) -> list[str]:
    """Colours that a thing may have, its name's own left out."""
    pairs = ((colour, noun) for colour in allowed_colours(noun) if colour != noun)
    return [colour for colour, name in pairs if (colour, name) not in UNSEEN_PAIRS]


def true_phrases(scene: Scene, rng: random.Random, count: int) -> list[str]:
    """`count` phrases for things of the scene, of different things as far as there are enough."""
    things: Sequence[int] = rng.sample(range(len(scene.things)), len(scene.things))
    found: list[str] = []
    for k in range(count):
        target = things[k % len(things)]
        kind = rng.choice(KINDS)
        chosen = None if kind == "several" else target
        phrase = referring(scene, rng, kind, target=chosen) or phrase_for(scene, rng, target)
        found.append(phrase.text if phrase else f"the {scene.things[target].noun}")
    return found
