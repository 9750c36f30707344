"""Reliability diagrams: how often answers of each confidence are right; it knows no regions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lr_edit.evaluation.calibration import Bin, calibration_error

_BAR, _COUNT, _DOT, _LINE = "#3b82b8", "#9a9a94", "#d9534f", "#444444"
_WIDTH, _HEIGHT = 3.2, 3.9  # of a panel, in inches
_DPI = 130
_COLUMNS = 4  # panels in a row


def draw_reliability(bins: Mapping[str, Sequence[Bin]], path: Path) -> None:
    """A PNG with one panel for each name: accuracy by confidence, below it how many answers.

    Bars are the share of answers that is right; a dot stands at a bin's mean confidence, so that a
    calibrated proposer's dots lie on the diagonal (Guo et al., 2017, figure 1).
    """
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, len(bins))
    rows = -(-len(bins) // columns)
    figure = Figure(figsize=(_WIDTH * columns, _HEIGHT * rows), layout="constrained")
    panels = figure.subfigures(rows, columns, squeeze=False).flatten()
    for panel, (name, part) in zip(panels, bins.items(), strict=False):
        upper, lower = panel.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        _accuracy(upper, part, name)
        _counts(lower, part)
    figure.savefig(path, dpi=_DPI, format="png")


def _accuracy(axes: Any, bins: Sequence[Bin], name: str) -> None:
    some = [b for b in bins if b.count]
    middles = [(b.low + b.high) / 2 for b in some]
    axes.plot((0, 1), (0, 1), color=_LINE, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.bar(
        middles,
        [b.accuracy for b in some],
        width=0.92 / len(bins),
        color=_BAR,
        alpha=0.75,
        zorder=2,
    )
    axes.plot(
        [b.confidence for b in some], [b.accuracy for b in some],
        linestyle="", marker="o", markersize=4, color=_DOT, zorder=3, clip_on=False,
    )  # fmt: skip
    error = calibration_error(bins)
    axes.set_title(f"{name}   ECE {error:.3f}" if error is not None else name, fontsize=10)
    axes.set(xlim=(0, 1), ylim=(0, 1.03), ylabel="share that is right")
    _plain(axes)


def _counts(axes: Any, bins: Sequence[Bin]) -> None:
    middles = [(b.low + b.high) / 2 for b in bins]
    axes.bar(middles, [b.count for b in bins], width=0.92 / len(bins), color=_COUNT)
    axes.set(xlabel="confidence of the answer", ylabel="answers")
    _plain(axes)


def _plain(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.xaxis.label.set_size(9)
    axes.yaxis.label.set_size(9)
