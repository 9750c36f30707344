"""Pictures with phrases that are true of them and nothing else: what is learned from captions.

No mask is ever handed out. Everything is a function of the index asked for; it knows no network.
"""

import random
from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import Dataset

from lr_edit.images import from_uint8
from lr_edit.photometry import as_shown
from lr_edit.tabletop.cache import RenderedScenes
from lr_edit.tabletop.captions import describe
from lr_edit.tabletop.language import EDIT_KINDS, Phrase, phrase_for, referring
from lr_edit.tabletop.referring import collated
from lr_edit.tabletop.scene import Scene
from lr_edit.tabletop.wishes import any_wish

KINDS = ("attribute", "attribute", "noun", "several")


class CaptionedPictures(Dataset[dict[str, Any]]):
    """Item k: "image" float32 [3, S, S] in [-1, 1]; "phrases": P texts; "edit": bool [P].

    The phrases are what a caption of the picture would say of things that are there. "meant": for
    each, the plain words of the caption for those things, one text a thing: "the mug left of the
    lamp" is "a red mug". "edit": whether the phrase is an edit prompt, "a blue mug" for that one.
    "clear": the picture as it is, where "image" is jittered and may be gray. "prompts": P texts,
    what each might be turned into, which an edit prompt says itself. "captions": P texts, what is
    there now: the phrase, or for an edit prompt the plain words.

    length: how many items. phrases: P. kinds: of phrases that something fits, each as often as it
    is named. gray_share: how many pictures are gray, whose phrases name no colour. jitter: as of
    ReferringSamples.
    """

    def __init__(
        self,
        scenes: RenderedScenes,
        length: int,
        phrases: int = 2,
        kinds: Sequence[str] = KINDS,
        gray_share: float = 0.0,
        jitter: float = 0.12,
    ) -> None:
        self.scenes, self.length, self.phrases, self.jitter = scenes, length, phrases, jitter
        self.kinds, self.gray_share = tuple(kinds), gray_share

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = random.Random(f"captioned {index}")
        number = rng.randrange(len(self.scenes))
        scene = self.scenes.scene(number)
        while not scene.things:
            number = rng.randrange(len(self.scenes))
            scene = self.scenes.scene(number)
        clear = from_uint8(torch.from_numpy(self.scenes.images[number].copy())[None])[0]
        gray = rng.random() < self.gray_share
        said = true_phrases(scene, rng, self.phrases, self.kinds, not gray)
        meant = [plain_words(scene, phrase) for phrase in said]
        shown = as_shown(clear, rng, self.jitter, gray)
        rows = zip(said, meant, [any_wish(rng) for _ in said], strict=True)
        turned = [before_and_after(*row) for row in rows]
        return {
            "image": shown,
            "clear": clear,
            "phrases": [phrase.text for phrase in said],
            "meant": meant,
            "prompts": [after for _, after in turned],
            "captions": [before for before, _ in turned],
            "edit": torch.tensor([phrase.reading == "edit" for phrase in said]),
        }

    @staticmethod
    def collate(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """A batch: tensors stacked to [B, …]; texts as flat lists, picture by picture."""
        return collated(items)


def true_phrases(
    scene: Scene,
    rng: random.Random,
    count: int,
    kinds: Sequence[str] = KINDS,
    colours: bool = True,
) -> list[Phrase]:
    """`count` phrases for things of the scene, of different things as far as there are enough.

    Without colours there are no edit prompts.
    """
    things: Sequence[int] = rng.sample(range(len(scene.things)), len(scene.things))
    kinds = [kind for kind in kinds if colours or kind not in EDIT_KINDS]
    found: list[Phrase] = []
    for k in range(count):
        target = things[k % len(things)]
        kind = rng.choice(kinds)
        free = kind == "several" or kind in EDIT_KINDS
        phrase = (
            referring(scene, rng, kind, target=None if free else target, colours=colours)
            or phrase_for(scene, rng, target, colours)
            or Phrase(f"the {scene.things[target].noun}", (target,), "noun")
        )
        found.append(phrase)
    return found


def plain_words(scene: Scene, phrase: Phrase) -> tuple[str, ...]:
    """What a caption calls the things that a phrase speaks of, each text once."""
    return tuple(dict.fromkeys(describe(scene.things[k], ("colour",)) for k in phrase.targets))


def before_and_after(phrase: Phrase, plain: Sequence[str], wish: str) -> tuple[str, str]:
    """What a caption says of the things of a phrase, and what they are turned into: an edit prompt
    says that itself, and the plain words what is there; what any other names becomes the wish."""
    if phrase.reading == "edit":
        return " and ".join(plain), phrase.text
    return phrase.text, wish
