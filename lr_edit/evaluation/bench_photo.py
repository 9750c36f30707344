"""python -m lr_edit.evaluation.bench_photo: what guiding an ADM of full size costs, as ratios.

The UNet of 256 pixels has its real architecture and random weights, so nothing need be fetched. The
loss is L2 alone: CLIP and LPIPS would add the same to both sides of a row. Nothing here is a test.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from lr_edit.arguments import OneLineParser, at_least_one
from lr_edit.backbones.base import Diffusion
from lr_edit.backbones.diffusion import UNetDiffusion
from lr_edit.editors.guided import GuidedEditor
from lr_edit.editors.options import SamplingOptions
from lr_edit.evaluation.bench import TwiceForward, Work, compare
from lr_edit.evaluation.random_models import ADM_256, NARROW, write_adm
from lr_edit.guidance.options import GuidanceWeights
from lr_edit.tabletop.render import render
from lr_edit.tabletop.scene import sample_scene

UNET = SamplingOptions(steps=1, strength=0.5, gradient="unet")
STRAIGHT = replace(UNET, gradient="straight")


def one_step(diffusion: Diffusion, options: SamplingOptions, device: str) -> Work:
    """One guided step of one candidate, in the middle of a fixed scene."""
    picture = render([sample_scene("bench")], 256).images.to(device)
    region = torch.zeros(1, 1, 256, 256, device=device)
    region[..., 96:160, 96:160] = 1
    weights = GuidanceWeights(clip=0, lpips=0)
    editor = GuidedEditor(diffusion, weights=weights, sampling=options)
    edit = partial(editor.edit, picture, region, "a mug", seeds=[0])

    def finished() -> None:
        edit().candidates.cpu()  # a GPU is waited for

    return finished


def rows(folder: Path, device: str) -> dict[str, tuple[Work, Work]]:
    """What is compared: name => (the first named, the second)."""
    plain = UNetDiffusion(str(folder), device)
    spare = UNetDiffusion(str(folder), device, checkpointing=True)
    half = UNetDiffusion(str(folder), device, dtype="bfloat16")
    unet = one_step(plain, UNET, device)
    return {
        "shared forward / forward twice": (unet, one_step(TwiceForward(plain), UNET, device)),
        "straight-through / through the UNet": (one_step(plain, STRAIGHT, device), unet),
        "bfloat16 / float32": (one_step(half, UNET, device), unet),
        "checkpointing / keeping everything": (one_step(spare, UNET, device), unet),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = OneLineParser(
        prog="python -m lr_edit.evaluation.bench_photo", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--narrow", action="store_true", help="a quarter of the channels")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=at_least_one, default=3)
    values = parser.parse_args(arguments)
    architecture = NARROW if values.narrow else ADM_256
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {values.device}")
    with tempfile.TemporaryDirectory() as place:
        write_adm(Path(place) / "adm", architecture)
        for name, (first, second) in rows(Path(place) / "adm", values.device).items():
            a, b = compare(first, second, values.rounds)
            print(f"{name:38} {a:8.3f} s {b:8.3f} s   ratio {a / b:.2f}", flush=True)


if __name__ == "__main__":
    main()
