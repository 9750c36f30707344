"""python -m lr_edit.backbones.adm CHECKPOINT.pt OUTPUT: OpenAI's ADM as a folder of diffusers.

For 256x256_diffusion_uncond.pt, 512x512_diffusion.pt with one label of its thousand, and fine-tunes
of them such as 512x512_diffusion_uncond_finetune_008100.pt (Dhariwal and Nichol, 2021). The folder,
unet/ and scheduler/, is what `UNetDiffusion` loads; the checkpoint is needed no more.
"""

import re
import sys
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from lr_edit.arguments import OneLineParser
from lr_edit.backbones.adm_keys import Architecture, architecture_of
from lr_edit.backbones.adm_tensors import Watch, renamed, with_label, with_time_table
from lr_edit.backbones.folders import replacing_folder
from lr_edit.errors import UserError


def convert(
    checkpoint: str | Path,
    output: str | Path,
    *,
    float16: bool = False,
    label: int | None = None,
    head_channels: int = 64,
    watch: Watch = iter,
) -> Architecture:
    """Write the folder `output`, whole or not at all, from an ADM checkpoint; tells what it was.

    float16: store half precision, for half the size. label: the one label, 0 to 999 for ImageNet,
    that a class-conditional network will paint from then on. head_channels: of its attention, which
    the file does not tell; 64 in all ADM for 256 and 512 pixels. watch: sees each tensor's name.

    Raises UserError for an output that exists or cannot be written, and for a file that is missing,
    damaged, holds code, or is not such a network: it then names what is missing, unknown or
    misshapen.
    """
    if Path(output).exists():
        raise UserError(f"the output {str(output)!r} exists already: choose another place")
    state = with_label(read_state(checkpoint), label)
    architecture = architecture_of(state)
    if architecture.tabled:
        state = with_time_table(state, architecture.widths[0])
    network = empty_unet(architecture, head_channels)
    dtype = torch.float16 if float16 else torch.float32
    tensors = renamed(state, network.state_dict(), architecture, head_channels, dtype, watch)
    network.load_state_dict(tensors, assign=True)
    write_folder(output, network)
    return architecture


def read_state(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a .pt file by name; no code in it is ever run. UserError for anything else."""
    if not Path(path).is_file():
        raise UserError(f"there is no file {str(path)!r}: give the path of an ADM checkpoint (.pt)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old formats
            mmap = zipfile.is_zipfile(path)  # the format before torch 1.6 cannot be mapped
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except (UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        code = re.search(r"GLOBAL (\S+)", str(error))
        if code:
            raise UserError(
                f"{str(path)!r} holds code ({code[1]}) and was refused, none of it run: expected "
                "tensors alone"
            ) from error
        raise UserError(
            f"{str(path)!r} is damaged, cut short or no PyTorch checkpoint: get a whole copy of it"
        ) from error
    if not isinstance(state, dict) or not all(map(torch.is_tensor, state.values())):
        raise UserError(f"{str(path)!r} is no state dict: expected tensors by name, nothing else")
    return dict(state)


def empty_unet(architecture: Architecture, head_channels: int = 64) -> Any:
    """The UNet2DModel of that architecture, in eval mode, its weights without memory yet.

    Raises UserError where a width is no multiple of 32, or, with attention, of head_channels.
    """
    from diffusers import UNet2DModel

    widths = architecture.widths
    attended = {w for w, a in zip(widths, architecture.attention, strict=True) if a} | {widths[-1]}
    if head_channels < 1 or any(width % head_channels for width in attended):
        raise UserError(
            f"attention over {', '.join(map(str, sorted(attended)))} channels has no heads of "
            f"{head_channels}: give --head-channels with the channels of one head"
        )
    if any(width % 32 for width in widths):
        raise UserError(
            f"the checkpoint has levels of {', '.join(map(str, widths))} channels: expected "
            "multiples of 32"
        )
    with torch.device("meta"):
        network: Any = UNet2DModel(**architecture.unet_config(head_channels))
    return network.eval()


def write_folder(folder: str | Path, network: Any) -> None:
    """The folder of a network and of ADM's noise schedule; UserError where it cannot be written."""
    from diffusers import DDPMScheduler
    from safetensors import SafetensorError

    scheduler: Any = DDPMScheduler(
        1000, beta_start=1e-4, beta_end=0.02, beta_schedule="linear", prediction_type="epsilon",
        variance_type="learned_range", timestep_spacing="linspace", clip_sample=False,
    )  # fmt: skip
    with replacing_folder(folder) as place:
        try:
            network.save_pretrained(str(place / "unet"))
        except SafetensorError as error:
            raise UserError(f"{str(folder)!r} cannot be written ({error}): make room") from error
        scheduler.save_pretrained(str(place / "scheduler"))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    from rich.console import Console
    from rich.progress import track

    parser = OneLineParser(prog="python -m lr_edit.backbones.adm", description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="an ADM checkpoint (.pt)")
    parser.add_argument("output", type=Path, help="the folder to write; it must not exist yet")
    parser.add_argument("--float16", action="store_true", help="store half precision")
    parser.add_argument("--label", type=int, help="of a class-conditional network: what it paints")
    parser.add_argument("--head-channels", type=int, default=64, help="default: %(default)s")
    values = vars(parser.parse_args(arguments))
    console = Console(stderr=True)
    silent = not console.is_interactive
    try:
        built = convert(
            **values,
            watch=lambda names: track(list(names), "converting", console=console, disable=silent),
        )
    except UserError as error:
        print(f"adm: {error}", file=sys.stderr)
        return error.status
    widths = ", ".join(map(str, built.widths))
    print(f"{values['output']}: an ADM of {built.size} pixels, {widths} channels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
