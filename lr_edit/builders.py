"""Chosen options and a set of models => the editor and the critics; each network loaded if used."""

from typing import Protocol

from lr_edit.editors.editor import Editor
from lr_edit.editors.guided import GuidedEditor
from lr_edit.editors.inpainting import InpaintingEditor
from lr_edit.editors.options import SamplingOptions, WindowOptions
from lr_edit.guidance.options import (
    AugmentOptions,
    Distance,
    GuidanceWeights,
    RankingOptions,
    ViewOptions,
)
from lr_edit.models import ModelSet
from lr_edit.ranked import Critics


class Choices(Protocol):
    """How pictures are edited, wherever it was said."""

    @property
    def sampling(self) -> SamplingOptions: ...
    @property
    def weights(self) -> GuidanceWeights: ...
    @property
    def window(self) -> WindowOptions: ...
    @property
    def views(self) -> ViewOptions: ...
    @property
    def augment(self) -> AugmentOptions: ...
    @property
    def distance(self) -> Distance: ...
    @property
    def ranking(self) -> RankingOptions: ...


def build_editor(models: ModelSet, choices: Choices) -> Editor:
    """The guided editor, or the set's own inpainter; networks whose weight is 0 are not loaded."""
    if models.has("inpainter"):
        return InpaintingEditor(models.inpainter, choices.sampling, choices.window)
    weights = choices.weights
    return GuidedEditor(
        models.diffusion,
        models.clip if weights.clip > 0 else None,
        models.perceptual if weights.lpips > 0 else None,
        weights=weights,
        sampling=choices.sampling,
        window=choices.window,
        views=choices.views,
        augment=choices.augment,
        distance=choices.distance,
    )


def build_critics(models: ModelSet, choices: Choices, paints: bool = True) -> Critics:
    """What ranks candidates, as far as the set has it; paints: False where something is taken away,
    and nothing can be found again."""
    return Critics(
        models.scorer if models.has("scorer") or models.has("clip") else None,
        models.finder if finds_again(models, choices, paints) else None,
        choices.views,
        choices.ranking,
    )


def finds_again(models: ModelSet, choices: Choices, paints: bool = True) -> bool:
    """Whether what was painted is looked for; paints: as of `build_critics`."""
    return paints and choices.ranking.found > 0 and models.has("region")
