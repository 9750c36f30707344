"""Several regions of one picture, each painted by itself and put together: "both mugs", say.

A model that paints what stands in a window paints one thing there. It knows no words.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from lr_edit.crop import Box
from lr_edit.editors.editor import Edit, Editor, OnStep, Progress


def edit_separately(
    editor: Editor,
    image: Tensor,
    regions: Sequence[Tensor],
    prompt: str,
    *,
    seeds: Sequence[int],
    gray: bool = False,
    complete: bool = False,
    recolour: bool = False,
    on_step: OnStep | None = None,
) -> Edit:
    """`Editor.edit` of every region [1, 1, H, W], all with the same prompt, as one edit.

    Every region is painted into the picture as it was. Where two meet, a pixel is that of the edit
    which repainted it more. Candidate k still depends on seeds[k] alone. Raises what the editor
    raises.
    """
    edits = [
        editor.edit(
            image, region, prompt, seeds=seeds, gray=gray, complete=complete, recolour=recolour,
            on_step=on_step and partial(_counted, on_step, number, len(regions)),
        )
        for number, region in enumerate(regions)
    ]  # fmt: skip
    return edits[0] if len(edits) == 1 else joined(edits)


def joined(edits: Sequence[Edit]) -> Edit:
    """Edits of one picture with the same seeds as one; losses are their means."""
    weights = torch.stack([edit.mask for edit in edits])
    strongest = weights.argmax(0).expand_as(edits[0].candidates)
    pictures = torch.stack([edit.candidates for edit in edits])
    names = edits[0].losses
    return Edit(
        candidates=pictures.gather(0, strongest[None])[0],
        seeds=edits[0].seeds,
        mask=weights.amax(0),
        box=_around([edit.box for edit in edits]),
        losses={n: torch.stack([edit.losses[n] for edit in edits]).mean(0) for n in names},
        seconds=sum(edit.seconds for edit in edits),
        parts=tuple(edit.mask for edit in edits),
    )


def _around(boxes: Sequence[Box]) -> Box:
    """The box around all boxes."""
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def _counted(on_step: OnStep, number: int, count: int, progress: Progress) -> None:
    """Passes on the progress of edit `number`, counted over all `count`."""
    done = number * progress.steps + progress.step
    on_step(replace(progress, step=done, steps=count * progress.steps))
