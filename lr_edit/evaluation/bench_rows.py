"""The configurations that bench_sizes measures, by name, and what one of them costs.

Each reads folders of `random_models`; nothing here knows tables or processes.
"""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lr_edit.backbones.base import Diffusion
from lr_edit.backbones.diffusion import UNetDiffusion
from lr_edit.backbones.latent_diffusion import StableDiffusion
from lr_edit.backbones.memory import MemoryOptions
from lr_edit.evaluation.bench import TwiceForward
from lr_edit.evaluation.bench_memory import peak_gib
from lr_edit.evaluation.bench_timing import (
    Load,
    Ready,
    editing,
    finding,
    import_libraries,
    parameters,
    wait,
)
from lr_edit.evaluation.random_latent import VARIANT, write_stable_diffusion, write_tiny_decoder
from lr_edit.evaluation.random_models import (
    Sizes,
    write_adm,
    write_clip,
    write_lpips,
    write_segformer,
)

WRITERS: dict[str, Callable[[Path, Sizes], None]] = {
    "adm256": lambda place, sizes: write_adm(place / "adm256", sizes.adm[0]),
    "adm512": lambda place, sizes: write_adm(place / "adm512", sizes.adm[1]),
    "sd": lambda place, sizes: write_stable_diffusion(
        place / "sd", sizes.unet, sizes.vae, sizes.text
    ),
    "tiny": lambda place, sizes: write_tiny_decoder(place / "tiny", sizes.tiny),
    "clip": lambda place, sizes: write_clip(place / "clip", sizes.clip),
    "lpips": lambda place, sizes: write_lpips(place, sizes.lpips),
    "segformer": lambda place, sizes: write_segformer(
        place / "segformer", sizes.segformer, sizes.segmented
    ),
}
"""What writes each of the weights that rows name."""


@dataclass(frozen=True)
class Row:
    """A configuration: its name in the table, the weights it reads (see WRITERS), its loading."""

    title: str
    weights: tuple[str, ...]
    load: Callable[[Path, Sizes, str], Ready]


@dataclass(frozen=True)
class Figures:
    """What a configuration costs: parameters of all its networks, seconds, GiB at most.

    side: as in `bench_timing.Ready`.
    """

    parameters: int
    load: float
    seconds: float
    side: int | None
    peak: float


def figures(name: str, place: Path, sizes: Sizes, device: str, rounds: int) -> Figures:
    """Loads and times the row of that name, for a process of its own.

    place: where its weights have been written. It sets TORCH_HOME, for LPIPS's.
    """
    import_libraries()
    os.environ["TORCH_HOME"] = str(place / "torch")
    began = time.perf_counter()
    ready = ROWS[name].load(place, sizes, device)
    wait(device)
    load = time.perf_counter() - began
    seconds = statistics.median(ready.seconds(rounds))
    return Figures(parameters(ready.networks), load, seconds, ready.side, peak_gib(device))


def adm(name: str, **options: Any) -> Load:
    """An ADM with those options of `UNetDiffusion`."""
    return lambda place, device: UNetDiffusion(str(place / name), device, **options)


def stable(tiny: bool = False, **memory: Any) -> Load:
    """Stable Diffusion as the model set photo_latent has it, with those levers of memory.

    tiny: guidance looks through the tiny decoder.
    """
    return lambda place, device: StableDiffusion(
        str(place / "sd"), device, "float16", variant=VARIANT,
        tiny_decoder=str(place / "tiny") if tiny else None, memory=MemoryOptions(**memory),
    )  # fmt: skip


def _twice(place: Path, device: str) -> Diffusion:
    return TwiceForward(adm("adm256")(place, device))


_SMALL, _LARGE, _LATENT = ((name, "clip", "lpips") for name in ("adm256", "adm512", "sd"))
ROWS: dict[str, Row] = {
    "adm256": Row("ADM 256", _SMALL, editing(adm("adm256"), "unet")),
    "adm256-twice": Row("ADM 256, forward twice", _SMALL, editing(_twice, "unet")),
    "adm256-straight": Row(
        "ADM 256, straight-through", _SMALL, editing(adm("adm256"), "straight")
    ),
    "adm256-bfloat16": Row(
        "ADM 256, bfloat16", _SMALL, editing(adm("adm256", dtype="bfloat16"), "unet", bf16=True)
    ),
    "adm256-checkpointing": Row(
        "ADM 256, checkpointing", _SMALL, editing(adm("adm256", checkpointing=True), "unet")
    ),
    "adm512-straight": Row(
        "ADM 512, straight-through", _LARGE, editing(adm("adm512"), "straight")
    ),
    "sd-checkpointing": Row(
        "SD 1.5 inpainting, checkpointing", _LATENT, editing(stable(checkpointing=True), "unet")
    ),
    "sd-straight": Row(
        "SD 1.5 inpainting, straight-through", _LATENT, editing(stable(), "straight")
    ),
    "sd-tiny": Row(
        "SD 1.5 inpainting, straight-through, tiny decoder", (*_LATENT, "tiny"),
        editing(stable(tiny=True), "straight"),
    ),
    "region": Row("SegFormer-B5 and CLIP: a region", ("segformer", "clip"), finding),
}  # fmt: skip
