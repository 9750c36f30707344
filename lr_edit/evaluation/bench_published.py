"""python -m lr_edit.evaluation.bench_published CHECKOUT: a guided step beside the published code's.

One step of one picture of 256 pixels, with random weights of the real sizes: ADM's unconditional
UNet, CLIP ViT-B/16 with eight views, CLIP and range loss, float32 on both sides. CHECKOUT is one of
https://github.com/omriav/blended-diffusion, which runs with its own defaults; kornia must be there.
Seconds are medians in turns within one run, memory the peak of a process of its own.
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from lr_edit.arguments import OneLineParser, at_least_one
from lr_edit.backbones.devices import device_named
from lr_edit.backbones.diffusion import UNetDiffusion
from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.editors.guided import GuidedEditor
from lr_edit.editors.options import SamplingOptions, WindowOptions
from lr_edit.errors import UserError
from lr_edit.evaluation.bench import Work, compare
from lr_edit.evaluation.bench_memory import alone, peak_gib
from lr_edit.evaluation.published_editor import PublishedStep
from lr_edit.evaluation.random_models import ADM_256, write_adm, write_clip
from lr_edit.guidance.options import AugmentOptions, GuidanceWeights, ViewOptions
from lr_edit.tabletop.render import render
from lr_edit.tabletop.scene import sample_scene

SIDE = 256
# As the published defaults have it: the whole picture, CLIP 1000, range 50, no background terms.
WEIGHTS = GuidanceWeights(clip=1000, lpips=0, l2=0, range=50)
WHOLE = WindowOptions(context=9, minimum=SIDE, grow=0, feather=0, match_color=False)
UNET = SamplingOptions(steps=1, strength=0.5, gradient="unet", bf16=False)
STRAIGHT = replace(UNET, gradient="straight")
WAYS = ("published", "unet", "straight")


def step_of(way: str, checkout: str, place: Path, device: str) -> Work:
    """One guided step that way, one of WAYS; place: where the random weights are."""
    picture = render([sample_scene("bench")], SIDE).images.to(device_named(device))
    region = torch.zeros_like(picture[:, :1])
    region[..., 96:160, 96:160] = 1
    if way == "published":
        return PublishedStep(checkout, picture, region)
    diffusion = UNetDiffusion(str(place / "adm"), device)
    editor = GuidedEditor(
        diffusion, OpenClipEncoder(f"local-dir:{place / 'clip'}", device=device), None, WEIGHTS,
        UNET if way == "unet" else STRAIGHT, WHOLE, ViewOptions(side=224), AugmentOptions(copies=8),
    )  # fmt: skip
    return lambda: editor.edit(picture, region, "a mug", seeds=[0]).candidates.cpu()


def peak(way: str, checkout: str, place: Path, device: str) -> float:
    """GiB that a process needs for one step that way, models and libraries included."""
    step_of(way, checkout, place, device)()
    return peak_gib(device)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit status, 2 for a user's mistake."""
    parser = OneLineParser(
        prog="python -m lr_edit.evaluation.bench_published", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("checkout", help="of the published code")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=at_least_one, default=3)
    values = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as name:
            measure(values.checkout, Path(name), values.device, values.rounds)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def measure(checkout: str, place: Path, device: str, rounds: int) -> None:
    """Times and peaks of the ways, each beside the published one's, printed as they come."""
    theirs = step_of("published", checkout, place, device)  # first: it may be no checkout
    write_adm(place / "adm", ADM_256)
    write_clip(place / "clip")
    threads = torch.get_num_threads()
    print(f"torch {torch.__version__}, {threads} threads, {device}, float32, {SIDE} pixels")
    for way in WAYS[1:]:
        ours, other = compare(step_of(way, checkout, place, device), theirs, rounds)
        line = f"{way:9} {ours:7.2f} s   published {other:7.2f} s   ratio {ours / other:.2f}"
        print(line, flush=True)
    del theirs
    for way in WAYS:
        used = alone(peak, way, checkout, place, device)
        print(f"{way:9} {used:7.2f} GiB at most", flush=True)


if __name__ == "__main__":
    sys.exit(main())
