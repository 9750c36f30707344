"""The order of finished candidates, from how well they fit the text and how visible their seam is.

It knows neither pictures nor networks: `score` and `seam` beside this file measure them.
"""

from torch import Tensor

from lr_edit.guidance.options import RankingOptions

_LEAST_SPREAD = 0.01  # of cosines; candidates nearer than that agree equally well


def ranking_scores(text: Tensor | None, seam: Tensor, options: RankingOptions) -> Tensor:
    """The score [N] of N candidates, higher is better:

        options.text * (cos - mean cos) / max(std cos, 0.01) - options.seam * seam

    text: cosines [N] with the prompt, or None where nothing scores it; seam: [N] in [0, 1].
    Cosines count in standard deviations, since how far apart they lie differs from one encoder to
    another.
    """
    score = -options.seam * seam
    if text is None:
        return score
    spread = text.std(correction=0).clamp(min=_LEAST_SPREAD)
    return score + options.text * (text - text.mean()) / spread
