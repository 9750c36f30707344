"""How an edit came about: what --trace notes of every step, and the sheet of it.

It knows the progress of an edit; nothing of models, files or phrases.
"""

from dataclasses import dataclass
from math import ceil
from typing import Any

from PIL import Image

from lr_edit.editors.editor import Progress
from lr_edit.evaluation.pictures import titled
from lr_edit.images import to_pil
from lr_edit.tabletop.sheet import Cell, Line, contact_sheet

_SHOWN = 8  # steps of each thing that stand on the sheet
_COLUMNS, _SIDE = 4, 224  # at most; pixels
_TITLE = "How it came about"
_NOTE = "The first seed's clean estimate after some of its steps, with its losses before weighting."


@dataclass(frozen=True)
class Moment:
    """One step, of all candidates.

    thing: which of several that are painted one by one, from 1. step: from 1, of that thing. t:
    the timestep just left. losses: the unweighted guidance losses by name, one for every candidate
    in the order of the seeds; none where the step was not guided. picture: the first candidate's
    clean estimate, None for steps that the sheet leaves out.
    """

    thing: int
    step: int
    t: int
    losses: dict[str, list[float]]
    picture: Image.Image | None


class Trace:
    """Listens to one edit by `on_step`, and tells what it heard as a sheet and as plain values.

    Several things that are painted one by one follow one another.
    """

    def __init__(self, steps: int) -> None:
        """steps: that each candidate takes at each thing."""
        self.steps = steps
        self.moments: list[Moment] = []
        self._shown = evenly_spaced(steps, _SHOWN)

    def on_step(self, progress: Progress) -> None:
        """Notes a step; later batches of candidates add their losses to those of the first."""
        step = (progress.step - 1) % self.steps + 1
        losses = {name: values.float().tolist() for name, values in progress.losses.items()}
        if progress.first == 0:
            thing = len(self.moments) // self.steps + 1
            picture = to_pil(progress.denoised[:1])[0] if step in self._shown else None
            self.moments.append(Moment(thing, step, progress.t, losses, picture))
            return
        for name, values in losses.items():
            self.moments[step - 1 - self.steps].losses[name] += values

    def sheet(self) -> Image.Image:
        """The first candidate's clean estimates in order, under each its step and its losses."""
        several = bool(self.moments) and self.moments[-1].thing > 1
        cells = [
            Cell((moment.picture,), self._lines(moment, several))
            for moment in self.moments
            if moment.picture is not None
        ]
        rows = ceil(len(self._shown) / _COLUMNS)  # of each thing
        columns = ceil(len(self._shown) / rows)
        return titled(contact_sheet(cells, columns, _SIDE), _TITLE, _NOTE)

    def report(self) -> list[dict[str, Any]]:
        """Every step as JSON values: thing, step, t, and losses by name for all candidates."""
        return [
            {"thing": one.thing, "step": one.step, "t": one.t, "losses": one.losses}
            for one in self.moments
        ]

    def _lines(self, moment: Moment, several: bool) -> tuple[Line, Line]:
        name = f"step {moment.step} of {self.steps}"
        losses = ", ".join(f"{name} {values[0]:.3g}" for name, values in moment.losses.items())
        return (
            Line(f"thing {moment.thing}, {name}" if several else name, margin=0),
            Line(losses or "not guided", faint=True, margin=0),
        )


def evenly_spaced(count: int, most: int) -> tuple[int, ...]:
    """At most `most` of the numbers 1 to count, ascending, the first and the last among them."""
    if count <= most:
        return tuple(range(1, count + 1))
    return tuple(1 + round(k * (count - 1) / (most - 1)) for k in range(most))
