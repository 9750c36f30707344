"""What a folder of tabletop weights reaches on the test or validation split; it trains nothing.

Every function loads the folder as the program does. Figures of the test split are for its model
card; which of two sets of weights is better, those of the validation split decide.
"""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d
from torch.utils.data import Dataset

from lr_edit.backbones.dino import DinoEncoder
from lr_edit.backbones.judge import Judge
from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.backbones.perceptual import LpipsDistance, build_lpips
from lr_edit.backbones.perceptual_trunk import PerceptualTrunk
from lr_edit.backbones.segformer import SegformerSegmenter
from lr_edit.editors.guided import GuidedEditor
from lr_edit.editors.options import SamplingOptions
from lr_edit.images import from_uint8
from lr_edit.tabletop.cache import RenderedScenes, rendered
from lr_edit.tabletop.captions import attribute_variants
from lr_edit.tabletop.crops import InpaintingCrops, cut
from lr_edit.tabletop.distorted import DistortedPairs
from lr_edit.tabletop.judged import SPOILS, JudgedRegions
from lr_edit.tabletop.scene import COLOURS, NOUNS
from lr_edit.tabletop.segments import CLASS_NAMES
from lr_edit.tabletop.visible import visible_things
from lr_edit.tabletop.words import with_article
from lr_edit.training.measure_region import measure_region
from lr_edit.training.neighbours import neighbour_labels

Figures = dict[str, float]
SCENES = 512
BATCH = 64


def scenes_of(split: str) -> RenderedScenes:
    """The rendered scenes of a split, "test" or "validation"."""
    return rendered(split, SCENES)


def batches(dataset: Dataset[Any], count: int) -> list[dict[str, Any]]:
    """The first `count` items, collated."""
    return [
        torch.utils.data.default_collate([dataset[i] for i in range(k, min(k + BATCH, count))])
        for k in range(0, count, BATCH)
    ]


def measure_clip(
    folder: str, device: str = "cpu", split: str = "test", count: int = 1024
) -> Figures:
    """Crops of one thing: the right noun among all; the right phrase among 16 that differ in one
    attribute, on crops whose thing is not hidden behind others."""
    encoder, scenes = OpenClipEncoder(f"local-dir:{folder}", device=device), scenes_of(split)
    rng = random.Random("clip test")
    cuts = [
        cut(scenes, *place, rng, 64, grow=(1.05, 1.5))
        for place in rng.sample(visible_things(scenes, least=150), count)
    ]
    with torch.inference_mode():
        images = torch.cat(
            [
                encoder.encode_image(torch.stack([c.image for c in cuts[k : k + BATCH]]))
                for k in range(0, count, BATCH)
            ]
        )
        nouns = encoder.encode_text([with_article(noun) for noun in NOUNS])
        right = torch.tensor([NOUNS.index(c.thing.noun) for c in cuts])
        hits = []
        for image, piece in zip(images, cuts, strict=True):
            phrases, index = attribute_variants(piece.thing, rng)
            hits.append(int((encoder.encode_text(phrases) @ image).argmax()) == index)
    return {
        "noun_among_24": float((images @ nouns.T).argmax(1).eq(right).float().mean()),
        "phrase_among_16": float(np.mean(hits)),
        "crops": count,
    }


def measure_dino(
    folder: str, device: str = "cpu", split: str = "test", count: int = 1024, bank: int = 2048
) -> Figures:
    """Crops of one thing: the noun that the most similar crops of another split vote for, by
    the mean of all patch features; as a floor, by the colours of 8 x 8 pixels each. Whole pictures:
    which share of its attention the class token pays to things, and which share these cover."""
    encoder = DinoEncoder(folder, device=device)
    images, nouns = plain_crops(scenes_of(split), count)
    known, labels = plain_crops(scenes_of("validation" if split == "test" else "train"), bank)

    def right(describe: Callable[[Tensor], Tensor]) -> float:
        with torch.inference_mode():
            queries, others = (
                torch.cat([describe(part) for part in crops.split(BATCH)]).cpu()
                for crops in (images, known)
            )
        return float((neighbour_labels(queries, others, labels) == nouns).float().mean())

    return {
        "noun_by_neighbours": right(lambda part: encoder.patch_features(part)[-1].mean((2, 3))),
        "noun_by_colours": right(lambda part: avg_pool2d(part, 8).flatten(1)),
        **attention_to_things(folder, device, scenes_of(split)),
        "crops": count,
        "bank": bank,
    }


def attention_to_things(folder: str, device: str, scenes: RenderedScenes) -> Figures:
    """attention_to_things: the share of the class token's attention to patches that those with
    things have, a patch counting by how much of it they cover; area_of_things: their area's."""
    encoder = DinoEncoder(folder, side=scenes.images.shape[1], device=device)
    pictures = from_uint8(torch.from_numpy(scenes.images[:BATCH].copy()))
    with torch.inference_mode():
        attention = encoder.attention(pictures).mean(1).cpu()
    things = torch.from_numpy(scenes.instances[:BATCH] > 0).float()[:, None]
    cover = adaptive_avg_pool2d(things, attention.shape[-1])[:, 0]
    paid = (attention * cover).sum((1, 2)) / attention.sum((1, 2))
    return {"attention_to_things": float(paid.mean()), "area_of_things": float(cover.mean())}


def plain_crops(scenes: RenderedScenes, count: int) -> tuple[Tensor, Tensor]:
    """Crops [count, 3, 64, 64] of things that are not hidden, and their nouns int64 [count]."""
    rng, things = random.Random("plain crops"), visible_things(scenes, least=150)
    cuts = [cut(scenes, *rng.choice(things), rng, 64, grow=(1.05, 1.5)) for _ in range(count)]
    nouns = torch.tensor([NOUNS.index(c.thing.noun) for c in cuts])
    return torch.stack([c.image for c in cuts]), nouns


def measure_segformer(folder: str, device: str = "cpu", split: str = "test") -> Figures:
    """Mean IoU over the classes, at 128 pixels, and the share of right pixels."""
    segmenter, scenes = SegformerSegmenter(folder, device=device), scenes_of(split)
    both, either, right = torch.zeros(len(CLASS_NAMES)), torch.zeros(len(CLASS_NAMES)), 0.0
    for start in range(0, len(scenes), BATCH):
        images = from_uint8(torch.from_numpy(scenes.images[start : start + BATCH].copy()))
        truth = torch.from_numpy(scenes.classes[start : start + BATCH].copy()).long()
        with torch.inference_mode():
            labels = segmenter.segment(images).labels
        right += float((labels == truth).float().mean()) * len(truth) / len(scenes)
        for k in range(len(CLASS_NAMES)):
            both[k] += ((labels == k) & (truth == k)).sum()
            either[k] += ((labels == k) | (truth == k)).sum()
    return {"miou": float((both / either).mean()), "pixels_right": right, "scenes": len(scenes)}


def measure_perceptual(
    folder: str, device: str = "cpu", split: str = "test", count: int = 1024
) -> Figures:
    """Pairs of distortions put in the right order, by the trained network and by a random one."""
    trained = LpipsDistance(folder=folder, device=device).distance
    torch.manual_seed(0)
    random_model = build_lpips(PerceptualTrunk()).eval()
    pairs = batches(DistortedPairs(scenes_of(split), count), count)

    def ordered(distance: Callable[[Tensor, Tensor], Tensor]) -> float:
        with torch.inference_mode():
            hits = [
                distance(b["image"], b["strong"]).flatten()
                > distance(b["image"], b["weak"]).flatten()
                for b in pairs
            ]
        return float(torch.cat(hits).float().mean())

    return {
        "ordered": ordered(trained), "ordered_random_trunk": ordered(random_model), "pairs": count,
    }  # fmt: skip


def measure_judge(
    folder: str, device: str = "cpu", split: str = "test", count: int = 3000
) -> Figures:
    """Right noun and colour on true renders; share of each kind of negative that is rejected."""
    judge = Judge(folder, device=device)
    hits: dict[str, list[bool]] = {}
    for batch in batches(JudgedRegions(scenes_of(split), count, spoiled=0.6), count):
        nouns, colours = judge.judge(batch["image"], batch["mask"])
        noun_hit, colour_hit = (
            nouns.argmax(1) == batch["noun"],
            colours.argmax(1) == batch["colour"],
        )
        for kind, noun_right, colour_right in zip(
            batch["kind"], noun_hit.tolist(), colour_hit.tolist(), strict=True
        ):
            hits.setdefault(kind, []).append(noun_right)
            if kind == "true":
                hits.setdefault("true_colour", []).append(colour_right)
    figures = {f"right_{k}": float(np.mean(v)) for k, v in sorted(hits.items())}
    rejected = [h for kind in SPOILS for h in hits[kind]]
    return {**figures, "rejected_negatives": float(np.mean(rejected)), "regions": count}


def measure_diffusion(
    folder: str, device: str = "cpu", split: str = "test", count: int = 96
) -> Figures:
    """Regions of true pictures painted anew: how often the judge names the wanted noun and colour
    at the first try, by default sampling without CLIP."""
    from lr_edit.backbones.diffusion import UNetDiffusion
    from lr_edit.guidance.options import GuidanceWeights

    judge = Judge("lr_edit/tabletop/weights/judge", device=device)
    editor = GuidedEditor(
        UNetDiffusion(folder, device=device),
        weights=GuidanceWeights(clip=0, lpips=0, l2=0, range=0),
        sampling=SamplingOptions(),
    )
    crops, rng = InpaintingCrops(scenes_of(split), count), random.Random(5)
    hits, colour_hits = [], []
    for index in range(count):
        item = crops[index]
        noun, colour = rng.choice(NOUNS), rng.choice(COLOURS)
        wanted = noun if noun in ("orange", "lemon") else f"{colour} {noun}"
        mask: Any = item["mask"]
        image: Any = item["image"]
        edit = editor.edit(image[None], mask[None], with_article(wanted), seeds=[index])
        nouns, colours = judge.judge(edit.candidates, mask[None])
        hits.append(int(nouns.argmax()) == NOUNS.index(noun))
        if wanted != noun:
            colour_hits.append(int(colours.argmax()) == COLOURS.index(colour))
    return {
        "noun_painted": float(np.mean(hits)), "colour_painted": float(np.mean(colour_hits)),
        "crops": count,
    }  # fmt: skip


MEASURES: dict[str, Callable[..., Figures]] = {
    "clip": measure_clip, "dino": measure_dino, "segformer": measure_segformer,
    "perceptual": measure_perceptual, "judge": measure_judge, "diffusion": measure_diffusion,
    "region": measure_region, "region_captions": measure_region,
}  # fmt: skip
# The figure by which one set of weights is better than another.
DECISIVE = {
    "clip": "phrase_among_16", "dino": "noun_by_neighbours", "segformer": "miou",
    "perceptual": "ordered", "judge": "right_true", "diffusion": "noun_painted",
    "region": "miou", "region_captions": "miou",
}  # fmt: skip


def describe_figures(figures: Figures) -> str:
    """The figures on one line."""
    return ", ".join(f"{k} {v:.4g}" for k, v in figures.items())
