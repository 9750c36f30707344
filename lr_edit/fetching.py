"""What each entry of a model set needs before it can be loaded, and what of it is missing here.

One line a class that loads published weights; it knows no command line. Sizes are those published.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lr_edit.backbones import dino, segformer
from lr_edit.backbones.diffusion import FILES, UNetDiffusion
from lr_edit.backbones.either import Either
from lr_edit.backbones.folder_sources import ADM_FOLDER, ConvertedAdm, OwnFolder
from lr_edit.backbones.folders import hub_name, local_folder
from lr_edit.backbones.hub_files import HubFiles
from lr_edit.backbones.latent_diffusion import PARTS, StableDiffusion
from lr_edit.backbones.open_clip import OpenClipEncoder, tag_source
from lr_edit.backbones.open_clip_folder import HUB, LOCAL, hub_source
from lr_edit.backbones.perceptual import LpipsDistance, trunk_source
from lr_edit.backbones.pipeline import PipelineInpainter
from lr_edit.backbones.pipeline_files import hub_pipeline
from lr_edit.backbones.sources import Source, readable
from lr_edit.regions import learned
from lr_edit.regions.clipseg import ClipsegProposer
from lr_edit.regions.grounded_sam import GroundedSamProposer
from lr_edit.regions.published import PATTERNS
from lr_edit.regions.trained import TrainedProposer

Arguments = Mapping[str, Any]
EXPECTED = {
    "timm/vit_base_patch16_clip_224.openai": 598_600_000,
    "laion/CLIP-ViT-B-32-laion2B-s34B-b79K": 605_143_316,
    "nvidia/segformer-b5-finetuned-ade-640-640": 339_000_000,
    "stable-diffusion-v1-5/stable-diffusion-inpainting": 2_140_000_000,
    "madebyollin/taesd": 9_793_292,
    "CIDAS/clipseg-rd64-refined": 603_000_000,
    "IDEA-Research/grounding-dino-tiny": 689_359_096,
    "facebook/sam2.1-hiera-tiny": 155_908_064,
    "facebook/dinov2-base": 346_300_000,
}
"""Bytes of what is taken of a repository, roughly: parameters times bytes each."""


def needs(kind: type, arguments: Arguments) -> tuple[Source, ...]:
    """What an entry of that class needs, loaded with these init_args; () where that is not known.

    arguments: all of them, defaults too. Raises UserError for one that no source can be had for.
    """
    find = next((NEEDS[c] for c in kind.__mro__ if c in NEEDS), None)
    return () if find is None else tuple(map(_sized, find(arguments)))


def missing(kind: type, arguments: Arguments) -> list[Source]:
    """Those of `needs` that are not, or not wholly, on this machine, but can be fetched."""
    sources = (s for s in needs(kind, arguments) if not isinstance(s, OwnFolder))
    return [source for source in sources if not source.status().complete]


def lacking(entries: Mapping[str, tuple[type, Arguments]]) -> dict[Source, list[str]]:
    """What is `missing` of several entries, each source once, with the entries that need it.

    entries: class and init_args by name. Raises UserError as `needs`.
    """
    sources: dict[Source, list[str]] = {}
    for part, entry in entries.items():
        for source in missing(*entry):
            sources.setdefault(source, []).append(part)
    return sources


def described(source: Source) -> str:
    """A source with its files and its size, for a person."""
    size = "size unknown" if source.size is None else f"about {readable(source.size)}"
    return f"{source.title} ({source.files}; {size})"


def _weights(name: str, patterns: tuple[str, ...], revision: str | None = None) -> Source:
    """A folder by its name, which may be one on the hub."""
    if local_folder(name) is None and hub_name(name):
        return HubFiles(name, patterns, revision or "main")
    return OwnFolder(name)


def _clip(name: str, pretrained: str, revision: str | None = None) -> tuple[Source, ...]:
    if name.startswith(LOCAL):
        return (OwnFolder(name.removeprefix(LOCAL)),)
    if name.startswith(HUB):
        return (hub_source(name.removeprefix(HUB), revision),)
    source = tag_source(name, pretrained, revision)
    return () if source is None else (source,)


def _dino(name: str, revision: str | None = None) -> Source:
    return _weights(name, dino.FILES, revision)


def _pixels(folder: str, revision: str | None = None) -> Source:
    if local_folder(folder) is None and Path(folder).name == ADM_FOLDER:
        return ConvertedAdm.of(folder)
    return _weights(folder, FILES, revision)


def _pipeline(given: Arguments, parts: tuple[str, ...]) -> Source:
    if isinstance(_weights(given["name"], ()), OwnFolder):
        return OwnFolder(given["name"])
    return hub_pipeline(given["name"], given["revision"], given["variant"], parts)


def _stable_diffusion(given: Arguments) -> tuple[Source, ...]:
    tiny = given["tiny_decoder"]
    if not tiny:
        return (_pipeline(given, PARTS),)
    small = {"name": tiny, "revision": given["tiny_revision"], "variant": None}
    return (_pipeline(given, PARTS), _pipeline(small, ()))


def _grounded_sam(given: Arguments) -> tuple[Source, ...]:
    return (
        _weights(given["detector"], PATTERNS, given["detector_revision"]),
        _weights(given["segmenter"], PATTERNS, given["segmenter_revision"]),
    )


def _trained(given: Arguments) -> tuple[Source, ...]:
    words = _clip(given["clip"], given["pretrained"], given["clip_revision"])
    eyes = (_dino(given["dino"], given["dino_revision"]),) if given["dino"] else ()
    return (_weights(given["folder"], learned.FILES, given["revision"]), *words, *eyes)


def _lpips(given: Arguments) -> tuple[Source, ...]:
    return (_weights(given["folder"], ()) if given["folder"] else trunk_source(given["net"]),)


NEEDS: dict[type, Callable[[Arguments], tuple[Source, ...]]] = {
    OpenClipEncoder: lambda given: _clip(given["name"], given["pretrained"], given["revision"]),
    segformer.SegformerSegmenter: lambda given: (
        _weights(given["name"], segformer.FILES, given["revision"]),
    ),
    dino.DinoEncoder: lambda given: (_dino(given["name"], given["revision"]),),
    LpipsDistance: _lpips,
    UNetDiffusion: lambda given: (_pixels(given["folder"], given["revision"]),),
    StableDiffusion: _stable_diffusion,
    PipelineInpainter: lambda given: (_pipeline(given, ("*",)),),
    ClipsegProposer: lambda given: (_weights(given["name"], PATTERNS, given["revision"]),),
    GroundedSamProposer: _grounded_sam,
    TrainedProposer: _trained,
}
"""By class, what its init_args ask for."""


def _sized(source: Source) -> Source:
    """The source with its expected size, where that is known."""
    if isinstance(source, Either):
        return Either(tuple(map(_sized_files, source.choices)))
    return _sized_files(source) if isinstance(source, HubFiles) else source


def _sized_files(files: HubFiles) -> HubFiles:
    return replace(files, expected=files.expected or EXPECTED.get(files.repo))
