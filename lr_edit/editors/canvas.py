"""What a diffusion model paints on: the pixels of a window, or their latents.

A canvas is all that the guided editor must know of the difference. Nothing here samples or guides.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from lr_edit.editors.denoisers import Loss, clamped, gray_projection
from lr_edit.editors.evenness import colours_evened
from lr_edit.editors.lightness import lightness_kept
from lr_edit.editors.sampling import Blend, background, unchanged
from lr_edit.editors.window import Window

Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Canvas:
    """One window as its model sees it; s is the side of a sample and C its channels.

    source: [1, C, s, s], the clean sample of the picture, from which backgrounds come. shown:
    [1, C, s, s], what inpainting models are told of the picture. hole: [1, 1, s, s], where they
    are told to paint. free: the mask [1, 1, s, s] of what may change, by the share of the run, 0 to
    1, that is done. picture: clean samples [N, C, s, s] as pictures [N, 3, S, S], as good as they
    get. view: the same for guidance, differentiable. limits: what every estimate x0 is held to.
    """

    source: Tensor
    shown: Tensor
    hole: Tensor
    free: Callable[[float], Tensor]
    picture: Map = unchanged
    view: Map = unchanged
    limits: tuple[Map, ...] = ()


def pixel_canvas(
    window: Window, clamp: bool, gray: bool = False, lightness: float = 0.0, evenness: float = 0.0
) -> Canvas:
    """The window itself. lightness: x0 keeps that of the source as far as it is finer than this
    share of the side, see `lightness_kept`; 0: the thing is painted anew. evenness: how near two
    colours were that become one, see `colours_evened`; 0: none. clamp: x0 is kept within [-1, 1];
    gray: and without colour."""
    limits: list[Map] = []
    if lightness and evenness:
        limits.append(colours_evened(window.source, window.thing, evenness, lightness))
    if lightness:
        limits.append(lightness_kept(window.source, window.thing, lightness))
    limits += [limit for limit, on in ((clamped, clamp), (gray_projection, gray)) if on]
    return Canvas(
        source=window.source,
        shown=window.source,
        hole=window.hole,
        free=lambda done: window.mask,
        limits=tuple(limits),
    )


def canvas_background(canvas: Canvas, noise: Tensor, levels: Sequence[float]) -> Blend:
    """The blend of `sampling.background`, whose mask may change while the run goes on.

    noise [N, C, s, s]; levels: every abar that a sample will have, in order. At the last the mask
    is that of the finished run.
    """
    done = {level: i / max(len(levels) - 1, 1) for i, level in enumerate(levels)}

    def blend(x: Tensor, abar: float) -> Tensor:
        return background(canvas.source, canvas.free(done[abar]), noise)(x, abar)

    return blend


def seen_on(canvas: Canvas, loss: Loss, needs_clean: bool) -> Loss:
    """A loss of pictures as a loss of samples: it is shown what the canvas makes of them.

    needs_clean: whether the loss looks at x0 beside what it is shown; without, x0 is not decoded.
    """
    if canvas.view is unchanged:
        return loss

    def decoded(x0: Tensor, seen: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        shown = canvas.view(seen)
        clean = canvas.view(x0) if needs_clean and seen is not x0 else shown
        return loss(clean, shown)

    return decoded
