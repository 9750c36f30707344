"""python -m lr_edit.evaluation.bench: how long things take, as ratios within one run.

Every row times two ways of the same work in turns, A B A B …, and gives medians and their ratio,
so that a machine whose speed drifts does not decide. Nothing here is a test.
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch

from lr_edit.arguments import OneLineParser, at_least_one
from lr_edit.backbones.base import Diffusion, Prediction
from lr_edit.editors.guided import GuidedEditor
from lr_edit.editors.options import SamplingOptions
from lr_edit.errors import UserError
from lr_edit.guidance.options import NO_GUIDANCE, GuidanceWeights
from lr_edit.models import ModelSet, load_models
from lr_edit.tabletop.render import render
from lr_edit.tabletop.scene import sample_scene

Work = Callable[[], object]
GUIDED = SamplingOptions(steps=4, cfg=1.0, gradient="unet")
PLAIN = SamplingOptions(steps=8, cfg=1.0)
SCENES = 8
RENDERING = f"{SCENES} scenes: 64 pixels / 128 pixels"


class TwiceForward(Diffusion):
    """A diffusion model that runs every forward twice, as code does that does not share it."""

    def __init__(self, diffusion: Diffusion) -> None:
        self.diffusion = diffusion

    size = property(lambda self: self.diffusion.size)
    alphas_cumprod = property(lambda self: self.diffusion.alphas_cumprod)
    text_conditional = property(lambda self: self.diffusion.text_conditional)

    def embed(self, prompts: object) -> torch.Tensor:
        return self.diffusion.embed(prompts)  # type: ignore[arg-type]

    def predict(self, x_t: torch.Tensor, *rest: torch.Tensor) -> Prediction:
        with torch.no_grad():
            self.diffusion.predict(x_t.detach(), *rest)
        return self.diffusion.predict(x_t, *rest)


def compare(first: Work, second: Work, rounds: int) -> tuple[float, float]:
    """Median seconds of both, measured in turns after one round that does not count."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 1):
        for work, kept in zip((first, second), times, strict=True):
            began = time.perf_counter()
            work()
            if turn:
                kept.append(time.perf_counter() - began)
    return statistics.median(times[0]), statistics.median(times[1])


def editing(models: ModelSet, options: SamplingOptions, guided: bool, count: int = 4) -> Work:
    """An edit of the middle of a fixed scene with these options, `count` candidates at once."""
    picture = render([sample_scene("bench")], 128).images
    region = torch.zeros(1, 1, 128, 128)
    region[..., 50:80, 48:82] = 1
    editor = GuidedEditor(
        models.diffusion, models.clip, models.perceptual,
        GuidanceWeights() if guided else NO_GUIDANCE, options,
    )  # fmt: skip
    return partial(editor.edit, picture, region, "a blue mug", seeds=list(range(count)))


def one_by_one(work_of: Callable[[int], Work], count: int) -> Work:
    """The work of one candidate, `count` times."""
    single = work_of(1)
    return lambda: [single() for _ in range(count)]


def rows(models: ModelSet) -> dict[str, tuple[Work, Work]]:
    """What is compared: name => (ours, the other way)."""
    twice = ModelSet.of(
        clip=models.clip, perceptual=models.perceptual, diffusion=TwiceForward(models.diffusion)
    )
    unet, straight = GUIDED, replace(GUIDED, gradient="straight")
    scenes = [sample_scene(f"bench {k}") for k in range(SCENES)]
    plain = partial(editing, models, PLAIN, False)
    return {
        "guided step: shared forward / forward twice": (
            editing(models, unet, True), editing(twice, unet, True),
        ),
        "guided step: straight-through / through the UNet": (
            editing(models, straight, True), editing(models, unet, True),
        ),
        "plain step: guidance 1 / classifier-free guidance": (
            editing(models, PLAIN, False), editing(models, replace(PLAIN, cfg=3.0), False),
        ),
        "four candidates: one batch / one by one": (plain(4), one_by_one(plain, 4)),
        RENDERING: (lambda: render(scenes, 64), lambda: render(scenes, 128)),
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit status, 2 for a user's mistake."""
    parser = OneLineParser(
        prog="python -m lr_edit.evaluation.bench", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--models", default="tabletop")
    parser.add_argument("--rounds", type=at_least_one, default=5)
    values = parser.parse_args(arguments)
    try:
        models = load_models(values.models)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for name, (ours, other) in rows(models).items():
        a, b = compare(ours, other, values.rounds)
        print(f"{name:52} {a:8.3f} s {b:8.3f} s   ratio {a / b:.2f}", flush=True)
        if name == RENDERING:
            speeds = f"{SCENES / a:8.1f}   {SCENES / b:8.1f}"
            print(f"{'pictures rendered per second':52} {speeds}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
