"""The order of finished candidates, from how well they fit the text, whether what was painted is
found there, and how visible their seam is.

It knows neither pictures nor networks: `ranked` of lr_edit has them measured.
"""

from torch import Tensor

from lr_edit.guidance.options import RankingOptions

_LEAST_SPREAD = 0.01  # of cosines; candidates nearer than that agree equally well


def ranking_scores(
    seam: Tensor, options: RankingOptions, text: Tensor | None = None, found: Tensor | None = None
) -> Tensor:
    """The score [N] of N candidates, higher is better:

        options.text * (cos - mean cos) / max(std cos, 0.01) + options.found * found
        - options.seam * seam

    seam and found: [N] in [0, 1]; text: cosines [N] with the prompt; None where nothing measured
    them. Cosines count in standard deviations, since how far apart they lie differs from one
    encoder to another.
    """
    score = -options.seam * seam
    if found is not None:
        score = score + options.found * found
    if text is None:
        return score
    spread = text.std(correction=0).clamp(min=_LEAST_SPREAD)
    return score + options.text * (text - text.mean()) / spread
