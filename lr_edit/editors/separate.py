"""Several regions of one picture, each painted by itself and put together: "both mugs", say.

A model that paints what stands in a window paints one thing there. It knows no words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from lr_edit.crop import Box, mask_box
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
    edits = (
        editor.edit(
            image, region, prompt, seeds=seeds, gray=gray, complete=complete, recolour=recolour,
            on_step=on_step and partial(_counted, on_step, number, len(regions)),
        )
        for number, region in enumerate(regions)
    )  # fmt: skip
    return next(edits) if len(regions) == 1 else joined(edits)


def joined(edits: Iterable[Edit]) -> Edit:
    """Edits of one picture with the same seeds as one; losses are their means.

    Each is let go before the next is asked for: at a photograph's size the candidates of several
    fill the memory.
    """
    several = iter(edits)
    edit = next(several)
    pictures, weight = edit.candidates.clone(), edit.mask.clone()
    parts = [_without_candidates(edit)]
    del edit
    for edit in several:
        _lay_over(pictures, weight, edit)
        parts.append(_without_candidates(edit))
        del edit
    names = parts[0].losses
    return Edit(
        candidates=pictures,
        seeds=parts[0].seeds,
        mask=weight,
        box=_around([part.box for part in parts]),
        losses={n: torch.stack([part.losses[n] for part in parts]).mean(0) for n in names},
        seconds=sum(part.seconds for part in parts),
        parts=tuple(part.mask for part in parts),
    )


def _lay_over(pictures: Tensor, weight: Tensor, edit: Edit) -> None:
    """Puts an edit into pictures [N, 3, H, W], and its mask into weight [1, 1, H, W], wherever it
    repainted more."""
    if not (edit.mask > 0).any():
        return
    x0, y0, x1, y1 = mask_box(edit.mask)
    area = (..., slice(y0, y1), slice(x0, x1))
    mask, before = edit.mask[area], weight[area]
    pictures[area] = torch.where(mask > before, edit.candidates[area], pictures[area])
    weight[area] = torch.maximum(mask, before)


def _without_candidates(edit: Edit) -> Edit:
    """All else of an edit."""
    return replace(edit, candidates=edit.candidates.new_empty(0))


def _around(boxes: Sequence[Box]) -> Box:
    """The box around all boxes."""
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def _counted(on_step: OnStep, number: int, count: int, progress: Progress) -> None:
    """Passes on the progress of edit `number`, counted over all `count`."""
    done = number * progress.steps + progress.step
    on_step(replace(progress, step=done, steps=count * progress.steps))
