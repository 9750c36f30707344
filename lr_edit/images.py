"""Pictures as tensors: THE convention, the only range conversions, and the final composite.

Images are float32 [B, 3, H, W] in [-1, 1], RGB; masks float32 [B, 1, H, W] in [0, 1], 1 = edit.
Colour profiles are kept but not applied: stored values are taken as they are. Nothing here knows of
files.
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

MODES = ("L", "LA", "RGB", "RGBA", "I;16")  # of Picture.original
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's conversion to L


def to_uint8(images: Tensor) -> Tensor:
    """[B, 3, H, W] in [-1, 1] => uint8 [B, H, W, 3], rounded; values outside are clamped."""
    levels = (images.detach().float() + 1) * 127.5
    return levels.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def from_uint8(images: Tensor) -> Tensor:
    """uint8 [B, H, W, 3] => float32 [B, 3, H, W] in [-1, 1]; `to_uint8` undoes it exactly."""
    return images.permute(0, 3, 1, 2).float() / 127.5 - 1


def to_unit(images: Tensor) -> Tensor:
    """[-1, 1] => [0, 1], any shape; differentiable."""
    return (images + 1) / 2


def from_unit(images: Tensor) -> Tensor:
    """[0, 1] => [-1, 1], any shape; differentiable."""
    return images * 2 - 1


def luma(images: Tensor) -> Tensor:
    """The brightness [B, 1, H, W] in [-1, 1] of images [B, 3, H, W]; differentiable."""
    weights = torch.tensor(LUMA, dtype=images.dtype, device=images.device)
    return (images * weights.view(1, 3, 1, 1)).sum(1, keepdim=True)


def to_pil(images: Tensor) -> list[Image.Image]:
    """[B, 3, H, W] in [-1, 1] => B pictures of mode RGB."""
    return [Image.fromarray(array) for array in to_uint8(images).cpu().numpy()]


def mask_to_pil(mask: Tensor) -> Image.Image:
    """A mask [1, 1, H, W] in [0, 1] => a picture of mode L, white = edit."""
    levels = (mask.detach().float() * 255).round().clamp(0, 255)
    return Image.fromarray(levels[0, 0].to(torch.uint8).cpu().numpy())


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture to edit: what the models see, beside what is kept.

    pixels: float32 [1, 3, H, W] in [-1, 1], the working copy: RGB, transparency laid over white.
    original: the picture upright, its mode one of MODES, its colour profile in `info`.
    notice: one line for a person where results have another mode than the file; "" where they have
    its own.
    """

    pixels: Tensor
    original: Image.Image
    notice: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.original.size

    @property
    def gray(self) -> bool:
        """Whether the mode has no colour, so that only the luma of an edit can be kept."""
        return self.original.mode in ("L", "LA", "I;16")

    @property
    def icc(self) -> bytes | None:
        """The embedded colour profile."""
        return self.original.info.get("icc_profile")


def picture_from_pil(original: Image.Image, notice: str = "") -> Picture:
    """The Picture of an upright image whose mode is one of MODES; ValueError for another mode.

    notice: see Picture.
    """
    if original.mode not in MODES:
        raise ValueError(f"mode {original.mode}: one of {', '.join(MODES)} is needed")
    colour, alpha = _unit_planes(_planes(np.asarray(original)), original.mode)
    seen = torch.from_numpy(_over_white(colour, alpha)).permute(2, 0, 1)
    pixels = from_unit(seen).expand(3, -1, -1).contiguous()[None]
    return Picture(pixels, original, notice)


def picture_from_tensor(pixels: Tensor) -> Picture:
    """The RGB Picture of pixels [1, 3, H, W] in [-1, 1], rounded to 8 bits as a file would be."""
    return Picture(from_uint8(to_uint8(pixels)), to_pil(pixels)[0])


def composite(picture: Picture, edited: Tensor, mask: Tensor) -> Image.Image:
    """The picture with `edited` laid over it: original * (1 - mask) + edited * mask.

    edited: [1, 3, H, W] in [-1, 1], of which a gray picture takes the luma; mask: [1, 1, H, W] in
    [0, 1]. The result has the mode and profile of picture.original. Where mask == 0 it is identical
    to it, whatever `edited` holds there. Alpha stays as it was everywhere: where the original is
    translucent, the colour is chosen so that it looks like `edited` on white, and what is invisible
    stays so.
    """
    width, height = picture.size
    if edited.shape != (1, 3, height, width) or mask.shape != (1, 1, height, width):
        raise ValueError(
            f"edited {tuple(edited.shape)} and mask {tuple(mask.shape)} "
            f"do not fit a picture of {width}x{height}"
        )
    weight = _array(mask)[..., 0]
    selected = weight > 0  # all else is never touched
    values = np.array(picture.original)
    planes = _planes(values)
    colour, alpha = _unit_planes(planes[selected], picture.original.mode)
    painted = _array(to_unit(luma(edited) if picture.gray else edited))[selected]
    new = np.where(alpha > 0, _under_white(painted, alpha), colour).clip(0, 1)
    mixed = colour + weight[selected][:, None] * (new - colour)
    levels = (mixed * np.iinfo(values.dtype).max).round()
    planes[selected, : colour.shape[-1]] = levels.astype(values.dtype)
    result = Image.fromarray(values)
    if picture.icc is not None:
        result.info["icc_profile"] = picture.icc
    return result


def _array(tensor: Tensor) -> np.ndarray:
    """[1, C, H, W] => float32 [H, W, C]."""
    return tensor[0].detach().permute(1, 2, 0).float().cpu().numpy()


def _planes(values: np.ndarray) -> np.ndarray:
    """A view of an image's values as [H, W, channels]."""
    return values.reshape(*values.shape[:2], -1)


def _unit_planes(planes: np.ndarray, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """Colour [..., 1 or 3] and alpha [..., 1] of stored values, float32 in [0, 1]."""
    unit = planes.astype(np.float32) / np.iinfo(planes.dtype).max
    if mode in ("LA", "RGBA"):
        return unit[..., :-1], unit[..., -1:]
    return unit, np.ones_like(unit[..., :1])


def _over_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """What a translucent colour looks like on white, all in [0, 1]."""
    if alpha.min(initial=1) == 1:
        return colour
    return colour * alpha + (1 - alpha)


def _under_white(seen: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The colour that looks like `seen` on white; anything where alpha is 0."""
    return (seen - (1 - alpha)) / np.where(alpha > 0, alpha, 1)
