"""Region proposers by name: which networks of a model set each needs, and how it is made of them.

infer.py, the benchmarks and the comparison of region networks all choose from this one table.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lr_edit.models import ModelSet
from lr_edit.regions.fixed import WholeProposer
from lr_edit.regions.per_image import PerImageOptions, ShapeName, per_image_proposer
from lr_edit.regions.region import RegionProposer
from lr_edit.regions.segformer_clip import SegformerClipProposer


@dataclass(frozen=True)
class Way:
    """One way to find regions.

    needs: the entries of a model set that it uses. make: the proposer for a set; UserError where an
    entry is missing or cannot be loaded.
    """

    needs: tuple[str, ...]
    make: Callable[[ModelSet], RegionProposer]


def _entry(part: str) -> Way:
    """A proposer that is an entry of the model set itself."""
    return Way((part,), lambda models: models.part(part))


def _per_image(shape: ShapeName, apart: float = 0.0) -> Way:
    """Learnable Regions, trained on the picture that is asked about; apart: as PerImageOptions."""
    return Way(
        ("clip", "dino", "diffusion"),
        lambda models: per_image_proposer(
            models.clip, models.dino, models.diffusion, PerImageOptions(shape, apart=apart)
        ),
    )


FROM_MODELS: dict[str, Way] = {
    "learned": _entry("region"),
    "segformer_clip": Way(
        ("segmenter", "clip"), lambda models: SegformerClipProposer(models.segmenter, models.clip)
    ),
    "clipseg": _entry("clipseg"),
    "grounded_sam": _entry("grounded_sam"),
    "per_image": _per_image("boxes"),
    "per_image_masks": _per_image("masks", apart=0.1),
    "learnable_regions_as_released": _per_image("random"),
    "whole": Way((), lambda models: WholeProposer()),
}
