"""Learnable Regions on one picture (Lin et al., CVPR 2024): regions learned by the edits they give.

Anchor points come from DINO's attention; the region around each is trained on this picture and
prompt alone. The released code lost every gradient on that way: shape "random" is what it does.
"""

from dataclasses import dataclass
from typing import Literal, get_args
from zlib import crc32

import torch
from torch import Tensor

from lr_edit.backbones.base import Diffusion, ImageTextEncoder
from lr_edit.backbones.dino import DinoEncoder
from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.backbones.open_clip_dense import OpenClipDense
from lr_edit.errors import UserError
from lr_edit.images import to_uint8
from lr_edit.instruction import Reading
from lr_edit.regions.anchors import anchor_points, resampled
from lr_edit.regions.edit_losses import direction_loss, structure_loss, text_loss
from lr_edit.regions.region import Alternative, Region, RegionProposer, checked_phrase
from lr_edit.regions.rehearsal import rehearse
from lr_edit.regions.shapes import BoxSizes, FreeMasks, RandomSizes, Shape
from lr_edit.regions.views import random_views

ShapeName = Literal["boxes", "masks", "random"]
GRID = 32
"""Cells a side of the attention map, as published: with fewer, too few keep clear of the border by
the largest box's half."""

CAPTION = "a picture"
"""What the source is called, since nobody says: the directional loss needs a caption."""


@dataclass(frozen=True)
class PerImageOptions:
    """The published recipe, but for `views`, of which it has 16.

    Attributes:
        shape: "boxes" as published, "masks" with a mask head instead, "random": sizes as the
            released code has them, at random and without learning.
        anchors: how many points.
        apart: how far apart these are at least, a share of the picture; they may then come near to
            its border, which cuts larger boxes off. 0, as published: the most attended cells of
            those around which the largest box fits, which are all near the middle.
        halves: half the side of each box, as a share of the picture (cells of 32, as published).
        iterations: optimiser steps on the picture.
        learning_rate: of Adam.
        heat: temperature of the Gumbel-softmax.
        share: of the noise schedule that the source is noised by before an edit.
        views: through how many random views CLIP judges each edit while regions learn, the source
            through the same ones; 0: plainly.
        finalists: how many edits, the best by text, the ranking chooses from.
        seed: of all noise.
    """

    shape: ShapeName = "boxes"
    anchors: int = 9
    apart: float = 0.0
    halves: tuple[float, ...] = (4 / 32, 6 / 32, 8 / 32, 10 / 32, 12 / 32, 14 / 32)
    iterations: int = 10
    learning_rate: float = 5e-3
    heat: float = 1.0
    share: float = 0.7
    views: int = 0
    finalists: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.shape not in get_args(ShapeName):
            names = ", ".join(get_args(ShapeName))
            raise UserError(f"shape is {self.shape!r}: give one of {names}")
        if self.views < 0:
            raise UserError(f"views is {self.views}: give 0 (none) or more; 16 as published")
        if not 0 <= self.apart < 1:
            raise UserError(
                f"apart is {self.apart}: give a share of the picture from 0 (as published) to 1"
            )


@dataclass(frozen=True, eq=False)
class References:
    """What the edits of one picture and prompt are made from and compared with.

    image: [1, 3, H, W]. condition: [1, L, D], the prompt as the diffusion model takes it. source,
    prompt, caption: [1, D], CLIP's embeddings of picture, prompt and CAPTION. tokens: [1, C, h, w],
    CLIP's of the picture.
    """

    image: Tensor
    condition: Tensor
    source: Tensor
    prompt: Tensor
    caption: Tensor
    tokens: Tensor


class PerImageProposer(RegionProposer):
    """Regions that are learned on the picture that is asked about.

    What the thing becomes is the editing prompt; where that is not said, the phrase is, whatever
    its reading: the method knows no other. clip: judges the edits. dino: anchors and features.
    diffusion: edits. curve: losses of the last one.
    """

    def __init__(
        self,
        clip: OpenClipDense,
        dino: DinoEncoder,
        diffusion: Diffusion,
        options: PerImageOptions | None = None,
    ) -> None:
        self.clip, self.dino, self.diffusion = clip, dino, diffusion
        self.options = options or PerImageOptions()
        self.curve: list[float] = []

    def propose(
        self, image: Tensor, phrase: str, reading: Reading = "refer", paint: str = ""
    ) -> Region:
        """The region whose edit ranks best; the others, best first, are alternatives."""
        prompt = checked_phrase(paint.strip() or phrase)
        self.clip.encoder.check_length(prompt)
        generator = torch.Generator(image.device).manual_seed(self.seed(image))
        shape = self.shape(image)
        with torch.enable_grad():
            self.learn(shape, self.references(image, prompt), generator)
        with torch.no_grad():
            return self.ranked(image, prompt, shape.final(generator), generator)

    def seed(self, image: Tensor) -> int:
        """Of all noise on this picture: another for every picture, always the same for one."""
        return self.options.seed * 2**32 + crc32(to_uint8(image).cpu().numpy().tobytes())

    def shape(self, image: Tensor) -> Shape:
        """Fresh regions around the anchor points of image [1, 3, H, W]."""
        options, halves = self.options, torch.tensor(self.options.halves)
        with torch.no_grad():
            attention = resampled(self.dino.attention(image)[0].mean(0), GRID)
            features = self.dino.patch_features(image)[-1]
        reach = float(halves.max())
        margin = 0.0 if options.apart else reach
        points = anchor_points(attention, options.anchors, margin, options.apart)
        size = (image.shape[-2], image.shape[-1])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            if options.shape == "masks":
                return FreeMasks(features, points, reach, size).to(image.device)
            kind = BoxSizes if options.shape == "boxes" else RandomSizes
            return kind(features, points, halves, size, options.heat).to(image.device)

    @torch.no_grad()
    def references(self, image: Tensor, prompt: str) -> References:
        """All that stays the same while the regions of image [1, 3, H, W] learn."""
        encoder = self.clip.encoder
        maps, source = self.clip.patches_and_whole(image)
        wanted, said = encoder.encode_text([prompt, CAPTION]).split(1)
        return References(image, self.diffusion.embed([prompt]), source, wanted, said, maps[-1])

    def learn(self, shape: Shape, references: References, generator: torch.Generator) -> None:
        """Trains the regions on the three losses of the edits that they give."""
        self.curve = []
        if isinstance(shape, RandomSizes):
            return
        optimiser = torch.optim.Adam(shape.parameters(), lr=self.options.learning_rate)
        for _ in range(self.options.iterations):
            loss = self.loss(references, shape.draw(generator), generator)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            self.curve.append(float(loss.detach()))

    def edited(
        self, image: Tensor, condition: Tensor, masks: Tensor, generator: torch.Generator
    ) -> Tensor:
        """The picture once for every mask [A, 1, H, W], that region repainted to the condition."""
        count, side = len(masks), self.diffusion.size
        noise = torch.randn(count, 3, side, side, generator=generator, device=image.device)
        conditions = condition.expand(count, -1, -1)
        pictures = image.expand(count, -1, -1, -1)
        return rehearse(self.diffusion, pictures, masks, conditions, noise, self.options.share)

    def loss(self, references: References, masks: Tensor, generator: torch.Generator) -> Tensor:
        """The sum of `terms`: weights 1, 1, 1 as published."""
        return torch.stack(tuple(self.terms(references, masks, generator).values())).sum()

    def terms(
        self, references: References, masks: Tensor, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """text, direction and structure: means over the edits that masks [A, 1, H, W] give."""
        same = references
        edited = self.edited(same.image, same.condition, masks, generator)
        maps, whole = self.clip.patches_and_whole(edited)
        embedded, source = whole, same.source.expand(len(edited), -1)
        if self.options.views:
            embedded, source = self.viewed(edited, same.image, generator)
        return {
            "text": text_loss(embedded, same.prompt).mean(),
            "direction": direction_loss(embedded, source, same.prompt, same.caption).mean(),
            "structure": structure_loss(maps[-1], same.tokens).mean(),
        }

    def viewed(
        self, edited: Tensor, source: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """CLIP's embeddings [views · A, D] of every view of edits [A, 3, H, W], and of the same
        views of their source [1, 3, H, W]."""
        views, both = self.options.views, torch.cat((edited, source.to(edited)))
        seen = self.clip.encoder.encode_image(random_views(both, views, generator))
        seen = seen.unflatten(0, (views, len(both)))
        before = seen[:, -1:].detach().expand(-1, len(edited), -1)
        return seen[:, :-1].flatten(0, 1), before.flatten(0, 1)

    def ranked(
        self, image: Tensor, prompt: str, masks: Tensor, generator: torch.Generator
    ) -> Region:
        """The regions of masks [A, 1, H, W], ordered by `published_ranking` of their edits."""
        encoder, condition = self.clip.encoder, self.diffusion.embed([prompt])
        embedded = encoder.encode_image(self.edited(image, condition, masks, generator))
        text = (embedded @ encoder.encode_text([prompt])[0]).float()
        alike = (embedded @ encoder.encode_image(image)[0]).float()
        order, scores = published_ranking(text, alike, self.options.finalists)
        ranked = tuple(
            Alternative(masks[k : k + 1].to(image), score, "region")
            for k, score in zip(order.tolist(), scores.tolist(), strict=True)
        )
        return Region(ranked[0].mask, ranked, confidence=ranked[0].score)


def published_ranking(text: Tensor, alike: Tensor, finalists: int) -> tuple[Tensor, Tensor]:
    """The order [A] of edits, best first, and their scores [A] in that order, in [0, 1].

    text, alike: [A], cosines of the edits with the prompt and with the source picture. As in the
    released code, the best `finalists` by text stand before all others, and among each of the two
    2 · softmax(text) + 1 · softmax(alike) decides. A score is a third of that sum, and never above
    one before it.
    """
    total = 2 * text.softmax(0) + alike.softmax(0)
    finalist = text.argsort(descending=True, stable=True).argsort() < finalists
    order = (total + 4 * finalist).argsort(descending=True, stable=True)  # no total is above 3
    return order, (total[order] / 3).cummin(0).values


def per_image_proposer(
    clip: ImageTextEncoder,
    dino: DinoEncoder,
    diffusion: Diffusion,
    options: PerImageOptions | None = None,
) -> PerImageProposer:
    """The proposer for a model set's networks; UserError for a CLIP that gives no patch tokens."""
    if not isinstance(clip, OpenClipEncoder):
        raise UserError(
            f"regions cannot be learned per image with {type(clip).__name__}: its patch tokens are "
            "needed; use a CLIP of lr_edit.backbones.open_clip"
        )
    return PerImageProposer(OpenClipDense(clip), dino, diffusion, options)
