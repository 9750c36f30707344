"""Real pictures with what their captions say of them: the samples of `CaptionedPictures`.

Masks are neither needed nor looked at.
"""

import random
from typing import Any

import torch

from lr_edit.data.nouns import noun_phrases
from lr_edit.data.opened import rgb
from lr_edit.data.records import Nothing, Phrase, Record, Unusable
from lr_edit.data.samples import PictureSamples, colourless, fitting, placeless
from lr_edit.data.windows import around, cut_picture, whole


class CaptionedSamples(PictureSamples):
    """Item k: "image" float32 [3, S, S] in [-1, 1]; "phrases": P texts; "edit": bool [P], False.

    The phrases are noun phrases of what is said of the picture. "prompts": P texts, what each
    might be turned into: phrases of other pictures. Little is cut off, as nobody knows where the
    things are.
    """

    def sample(self, record: Record, rng: random.Random) -> dict[str, Any]:
        said = spoken(record)
        if not said:
            raise Unusable("no phrase", record.name)
        cut, said = fitting(said, rng.random() < self.cropped, placeless)
        gray, said = fitting(said, rng.random() < self.gray_share, colourless)
        chosen = rng.sample(said, min(self.phrases, len(said)))
        chosen += [rng.choice(said) for _ in range(self.phrases - len(chosen))]
        texts = [phrase.text for phrase in chosen]
        image = rgb(record.picture.image(), record.name)
        window = around(rng, *image.size, None, 0.9) if cut else whole(*image.size)
        shown = self.shown(cut_picture(image, window, self.side), rng, gray)
        prompts = [self.foreign.any(rng) for _ in texts]
        edit = torch.zeros(len(texts), dtype=torch.bool)
        return {"image": shown, "phrases": texts, "prompts": prompts, "edit": edit}

    def blank(self) -> dict[str, Any]:
        words = ["nothing"] * self.phrases
        image = torch.zeros(3, self.side, self.side)
        edit = torch.zeros(self.phrases, dtype=torch.bool)
        return {"image": image, "phrases": words, "prompts": words, "edit": edit}


def spoken(record: Record) -> list[Phrase]:
    """The noun phrases of what is true of a picture, each once."""
    true = (
        phrase.text
        for phrase in record.phrases
        if not isinstance(phrase.mask, Nothing) and phrase.reading == "refer"
    )
    nouns = dict.fromkeys(noun for text in true for noun in noun_phrases(text))
    return [Phrase(noun) for noun in nouns]
