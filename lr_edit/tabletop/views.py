"""Single things as contrastive training and classifiers see them; it knows no network.

A view is a crop of a thing whole, cut out by its mask, or cut out and left where it is in the
picture: the ways in which masked segments and half-made edits reach an image encoder.
"""

import random
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.transforms.v2.functional import gaussian_blur

from lr_edit.tabletop.captions import object_caption
from lr_edit.tabletop.crops import ThingSamples, cut, resize_image
from lr_edit.tabletop.given_regions import dilate, edit_region
from lr_edit.tabletop.scene import COLOURS, MATERIALS, NOUNS, Thing


def attributes(thing: Thing) -> Tensor:
    """int64 [3]: indices of noun, colour and material."""
    return torch.tensor(
        (NOUNS.index(thing.noun), COLOURS.index(thing.colour), MATERIALS.index(thing.material))
    )


def stated(thing: Thing, named: frozenset[str]) -> Tensor:
    """int64 [3]: as `attributes`, −1 where a caption leaves colour or material open."""
    values = attributes(thing)
    for position, name in ((1, "colour"), (2, "material")):
        if name not in named:
            values[position] = -1
    return values


class CaptionedViews(ThingSamples):
    """{"image", "text", "said", "is"}: a view of one thing and a caption that is true of it.

    image: float32 [3, S, S] in [-1, 1], what is cut away is gray (0). said, is: int64 [3], what the
    caption states and what is so, as `stated` and `attributes`.
    """

    salt = "views"

    def sample(self, rng: random.Random) -> dict[str, Any]:
        place = rng.choice(self.things)
        image, thing = self.view(*place, rng)
        if rng.random() < 0.5:
            image = image.flip(-1)
        text, named = object_caption(thing, rng)
        return {
            "image": spoil(image, rng),
            "text": text,
            "said": stated(thing, named),
            "is": attributes(thing),
        }

    def view(self, scene: int, instance: int, rng: random.Random) -> tuple[Tensor, Thing]:
        """A crop whole (half of the time), cut out, cut out loosely, or the masked picture."""
        kind = rng.random()
        if kind > 0.9:
            return self.masked_picture(scene, instance, rng)
        crop = cut(self.scenes, scene, instance, rng, self.side, grow=(1.02, 2.0))
        if kind < 0.5:
            return crop.image, crop.thing
        mask = dilate(crop.body, rng.randint(0, 2))
        if kind > 0.75:
            mask = edit_region(crop.footprint, crop.body, rng)
        return crop.image * mask, crop.thing

    def masked_picture(self, scene: int, instance: int, rng: random.Random) -> tuple[Tensor, Thing]:
        """The whole picture with everything but the thing in gray."""
        size = self.scenes.images.shape[1]
        image = resize_image(self.scenes.images[scene], (0, 0, size, size), self.side)
        body = torch.from_numpy(self.scenes.instances[scene] == instance)[None, None].float()
        mask = interpolate(body, size=(self.side, self.side), mode="bilinear", antialias=True)[0]
        return image * mask, self.scenes.scene(scene).things[instance - 1]


def spoil(image: Tensor, rng: random.Random) -> Tensor:
    """Now and then blurred or noisy, like the clean pictures that a sampler expects midway."""
    kind = rng.random()
    if kind < 0.2:
        return gaussian_blur(image, [9, 9], [rng.uniform(0.5, 2.2)] * 2)
    if kind < 0.3:
        generator = torch.Generator().manual_seed(rng.getrandbits(31))
        return image + rng.uniform(0.02, 0.2) * torch.randn(image.shape, generator=generator)
    return image
