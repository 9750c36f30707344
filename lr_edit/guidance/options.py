"""The choices of guidance as frozen, checked records; their defaults live here alone.

What is done with them: `terms`, `views` and `augment`, beside this file.
"""

import math
from dataclasses import dataclass, fields
from typing import Literal

from lr_edit.errors import UserError

Distance = Literal["spherical", "cosine"]
Fill = Literal["gray", "source"]


@dataclass(frozen=True)
class GuidanceWeights:
    """The factors in L = clip * L_CLIP + lpips * L_LPIPS + l2 * L_2 + range * L_range.

    The defaults are those of the Columbia report (1000 each, no range loss). A term of weight 0
    is not computed at all. Raises UserError on a negative or non-finite weight.

    Attributes:
        clip: pulls what stands in the region towards the prompt.
        lpips: keeps the background as it looks.
        l2: keeps the background pixel by pixel.
        range: keeps the picture within the colours there are.
    """

    clip: float = 1000.0
    lpips: float = 1000.0
    l2: float = 1000.0
    range: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value >= 0):
                raise UserError(
                    f"weights.{field.name} is {value}; give a finite number, 0 (term off) or more"
                )

    @property
    def active(self) -> bool:
        """Whether any term is on."""
        return any(getattr(self, field.name) > 0 for field in fields(self))


NO_GUIDANCE = GuidanceWeights(clip=0, lpips=0, l2=0, range=0)


@dataclass(frozen=True)
class ViewOptions:
    """What CLIP is shown of a region.

    Attributes:
        side: resolution of the view in pixels; best CLIP's own input size.
        context: side of the square over the longer side of the region.
        fill: what stands outside the region, "gray" for x0 * m as in the Columbia report, or
            "source" for the picture's own surroundings, as the finished edit will show them.
    """

    side: int = 64
    context: float = 1.2
    fill: Fill = "gray"

    def __post_init__(self) -> None:
        if self.side < 8:
            raise UserError(f"views.side is {self.side} pixels; give 8 or more")
        if not 0 < self.context < math.inf:
            raise UserError(f"views.context is {self.context}; give a positive number, say 1.2")
        if self.fill not in ("gray", "source"):
            raise UserError(f"views.fill is {self.fill!r}; give gray or source")


@dataclass(frozen=True)
class AugmentOptions:
    """How the views that guide are varied, after Blended Diffusion, section 3.3.

    Attributes:
        copies: views a candidate, the first of them plain.
        degrees: largest rotation.
        translate: largest shift as a share of the view's side.
        perspective: largest change of scale between centre and edge, as a share.
        probability: how often the affine and, independently, the perspective part is applied.
    """

    copies: int = 2
    degrees: float = 15.0
    translate: float = 0.1
    perspective: float = 0.2
    probability: float = 0.7

    def __post_init__(self) -> None:
        if self.copies < 1:
            raise UserError(
                f"augment.copies is {self.copies}; give 1 (only the plain view) or more"
            )
        for name in ("degrees", "translate"):
            if not math.isfinite(getattr(self, name)):
                raise UserError(
                    f"augment.{name} is {getattr(self, name)}; give a finite number, 0 for none"
                )
        if not 0 <= self.perspective <= 0.4:
            raise UserError(f"augment.perspective is {self.perspective}; give a value in [0, 0.4]")
        if not 0 <= self.probability <= 1:
            raise UserError(f"augment.probability is {self.probability}; give a value in [0, 1]")


@dataclass(frozen=True)
class RankingOptions:
    """How finished candidates are put in order; see `ranking.ranking_scores`.

    Attributes:
        text: weight of the text agreement, counted in standard deviations among the candidates.
        found: weight of how surely the region network finds what was painted, in [0, 1], where the
            model set has such a network.
        seam: weight of the seam, in [0, 1].
        copies: views of each candidate, other ones than those that guided.
        blur: of those views, as a standard deviation in their pixels; 0 for none.
    """

    text: float = 1.0
    found: float = 24.0
    seam: float = 40.0
    copies: int = 8
    blur: float = 0.0

    def __post_init__(self) -> None:
        for name in ("text", "found", "seam", "blur"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise UserError(f"ranking.{name} is {value}; give a finite number, 0 (off) or more")
        if self.copies < 1:
            raise UserError(
                f"ranking.copies is {self.copies}; give 1 (only the plain view) or more"
            )
