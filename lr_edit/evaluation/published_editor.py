"""One guided step of Blended Diffusion's own code, from a checkout of it, with random weights.

Avrahami et al. (CVPR 2022), https://github.com/omriav/blended-diffusion. Its `ImageEditor` loads
checkpoints and wants a GPU at once; here its UNet, its sampler, its augmentations, its losses and
its CLIP are put together as its `edit_image_by_prompt` does, with its own defaults.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lr_edit.errors import UserError

# model_config of optimization/image_editor.py; precision is the caller's.
_MODEL = {
    "attention_resolutions": "32, 16, 8", "class_cond": False, "diffusion_steps": 1000,
    "rescale_timesteps": True, "timestep_respacing": "100", "image_size": 256, "learn_sigma": True,
    "noise_schedule": "linear", "num_channels": 256, "num_head_channels": 64, "num_res_blocks": 2,
    "resblock_updown": True, "use_fp16": False, "use_scale_shift_norm": True,
}  # fmt: skip
# ViT-B/16 of OpenAI's CLIP, in the order of CLIP's arguments.
_VIT_B_16 = (512, 224, 12, 768, 16, 77, 49408, 512, 8, 12)
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)
_CLIP_LAMBDA, _RANGE_LAMBDA, _VIEWS, _STEP = 1000, 50, 8, 50


class PublishedStep:
    """Call it to take one guided step of one picture from the middle of its schedule.

    folder: the checkout. image: [1, 3, 256, 256] in [-1, 1]; mask: [1, 1, 256, 256], 1 = edit.
    Raises UserError where the folder is not such a checkout, or kornia is missing.
    """

    def __init__(self, folder: str | Path, image: Tensor, mask: Tensor) -> None:
        with importable(folder):
            # These modules are the checkout's.
            from CLIP.clip.model import CLIP  # type: ignore[import-not-found]
            from guided_diffusion.guided_diffusion import (  # type: ignore[import-not-found]
                script_util,
            )
            from optimization import augmentations, losses  # type: ignore[import-not-found]
        config = script_util.model_and_diffusion_defaults() | _MODEL
        model, self.diffusion = script_util.create_model_and_diffusion(**config)
        self.model = model.requires_grad_(False).eval().to(image.device)
        for name, parameter in self.model.named_parameters():
            if "qkv" in name or "norm" in name or "proj" in name:
                parameter.requires_grad_()
        self.clip = CLIP(*_VIT_B_16).eval().requires_grad_(False).to(image.device)
        self.views = augmentations.ImageAugmentations(224, _VIEWS)
        self.range_loss, self.clip_loss = losses.range_loss, losses.d_clip_loss
        self.image, self.mask = image, mask
        self.mean, self.std = (image.new_tensor(v).view(1, 3, 1, 1) for v in (_MEAN, _STD))
        self.text = self.clip.encode_text(torch.ones(1, 77, dtype=torch.long, device=image.device))
        self.when = torch.full((1,), _STEP, device=image.device)

    def __call__(self) -> Tensor:
        """The blended sample [1, 3, 256, 256] of the next step."""
        with torch.no_grad():
            noised = self.diffusion.q_sample(self.image, self.when)
            out = self.diffusion.p_sample(
                self.model, noised, self.when, clip_denoised=False, cond_fn=self.gradient,
                model_kwargs={},
            )  # fmt: skip
            background = self.diffusion.q_sample(self.image, self.when)
            blended: Tensor = out["sample"] * self.mask + background * (1 - self.mask)
        return blended.cpu()

    def gradient(self, x: Tensor, t: Tensor, y: Any = None) -> Tensor:
        """Its cond_fn, with CLIP and range loss as by default: minus the loss's gradient."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            t = (t * (self.diffusion.num_timesteps / 1000)).long()
            out = self.diffusion.p_mean_variance(
                self.model, x, t, clip_denoised=False, model_kwargs={"y": y}
            )
            share = self.diffusion.sqrt_one_minus_alphas_cumprod[t[0].item()]
            seen = out["pred_xstart"] * share + x * (1 - share)
            views = (self.views(seen * self.mask).add(1).div(2) - self.mean) / self.std
            distances = self.clip_loss(self.clip.encode_image(views).float(), self.text)
            loss = distances.mean() * _CLIP_LAMBDA
            loss = loss + self.range_loss(out["pred_xstart"]).sum() * _RANGE_LAMBDA
            return -torch.autograd.grad(loss, x)[0]


@contextmanager
def importable(folder: str | Path) -> Iterator[None]:
    """Modules of a checkout can be imported; UserError where it lacks them."""
    wanted = Path(folder) / "optimization" / "image_editor.py"
    if not wanted.is_file():
        raise UserError(
            f"{str(folder)!r} has no optimization/image_editor.py: give a checkout of "
            "https://github.com/omriav/blended-diffusion"
        )
    sys.path.insert(0, str(folder))
    try:
        yield
    except ImportError as error:
        raise UserError(
            f"the published code cannot be imported ({error}): install what its README names, "
            "kornia for one"
        ) from error
    finally:
        sys.path.remove(str(folder))
