"""The one interface of everything that edits a region, its result, and its progress record.

Nothing here knows how an edit is made.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from lr_edit.crop import Box
from lr_edit.errors import UserError

LARGEST_SEED = 2**32 - 1  # torch's CPU generator uses no more bits than that


@dataclass(frozen=True)
class Progress:
    """One step done, of one batch of candidates.

    step: 1 to steps, counted over all batches of the edit. t: the timestep just left. preview:
    makes `denoised`, which costs time where latents must be decoded. losses: the unweighted
    guidance losses [N] by name, on the models' device (empty when the step was not guided).
    seconds: since the batch began. first: the index of the first of the N candidates.
    """

    step: int
    steps: int
    t: int
    preview: Callable[[], Tensor]
    losses: dict[str, Tensor]
    seconds: float
    first: int = 0

    @property
    def denoised(self) -> Tensor:
        """The current clean estimate [N, 3, S, S] in [-1, 1], in its surroundings, at the model's
        size."""
        return self.preview()


OnStep = Callable[[Progress], None]


@dataclass(frozen=True)
class Edit:
    """Finished candidates, in the order of their seeds.

    candidates: float32 [N, 3, H, W] in [-1, 1] at the picture's size, equal to the picture
    wherever mask is 0. mask: float32 [1, 1, H, W] in [0, 1], how much of each pixel was repainted
    (grown and feathered; already applied: to lay a candidate over its picture, take `mask > 0`).
    box: the square that was edited, which may reach past the picture. losses: the guidance losses
    [N] of the last guided step, by name. seconds: wall time of the whole edit. parts: the masks of
    regions that were painted one by one, together `mask`; none where it was painted as one.
    """

    candidates: Tensor
    seeds: tuple[int, ...]
    mask: Tensor
    box: Box
    losses: dict[str, Tensor] = field(default_factory=dict)
    seconds: float = 0.0
    parts: tuple[Tensor, ...] = ()


class Editor(ABC):
    """Repaints a region of a picture so that it fits a prompt."""

    @abstractmethod
    def edit(
        self,
        image: Tensor,
        region: Tensor,
        prompt: str,
        *,
        seeds: Sequence[int],
        gray: bool = False,
        complete: bool = False,
        recolour: bool = False,
        on_step: OnStep | None = None,
    ) -> Edit:
        """One candidate for every seed; candidate k depends on seeds[k] alone.

        image [1, 3, H, W] in [-1, 1] and region [1, 1, H, W] in [0, 1], 1 = edit, on the models'
        device. gray keeps the result without colour. complete: the region holds all that
        changes, the old thing's shadow too, and is widened by window.margin alone. recolour: only
        the colour is to change; editors that can keep the thing's shape do. on_step is called after
        every step; whatever it raises, an interruption say, ends the edit and leaves the editor fit
        for the next.
        Raises UserError for an empty region, blank prompt or no seeds.
        """


def check_request(image: Tensor, region: Tensor, prompt: str, seeds: Sequence[int]) -> None:
    """Raises UserError for what no editor can work with."""
    if image.ndim != 4 or image.shape[:2] != (1, 3):
        raise UserError(f"the image has shape {tuple(image.shape)}; give [1, 3, H, W]")
    if region.shape != (1, 1, *image.shape[2:]):
        raise UserError(
            f"the region has shape {tuple(region.shape)}; give [1, 1, H, W] of the image's size, "
            f"{image.shape[3]}x{image.shape[2]}"
        )
    if not prompt.strip():
        raise UserError("the prompt is blank; say what the region should show")
    if not seeds:
        raise UserError("there are no seeds; give one for every candidate")
    if not all(0 <= seed <= LARGEST_SEED for seed in seeds):
        raise UserError(f"seeds are {list(seeds)}; give whole numbers from 0 to {LARGEST_SEED}")


def over_batches(on_step: OnStep, first: int, count: int, batch: int, progress: Progress) -> None:
    """Passes on the progress of the batch that begins at `first`, counted over all `count`."""
    batches = -(-count // batch)
    done = first // batch * progress.steps + progress.step
    on_step(replace(progress, step=done, steps=batches * progress.steps, first=first))
