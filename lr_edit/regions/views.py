"""Random views of a picture, through which CLIP sees more than one accident of it."""

import torch
from torch import Generator, Tensor
from torchvision import transforms  # version 1: the second turns hues in place, without gradients
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import resize

SMALLEST = 0.6  # share of a side that a view keeps at least


def random_views(images: Tensor, count: int, generator: Generator) -> Tensor:
    """Images [B, 3, H, W] in [-1, 1] through `count` views each, view by view [count · B, 3, H, W].

    Crops, flips, slight turns, perspectives and colours as in Text2LIVE (Bar-Tal et al., ECCV
    2022), whose settings Learnable Regions took over. All images of a view are seen alike, so that
    two of them differ by what they show alone. Differentiable; the first view crops nothing.
    """
    seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
    shown, warp = (images + 1) / 2, _warp()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        views = [warp(shown), *(warp(_cropped(shown)) for _ in range(count - 1))]
    return torch.cat(views) * 2 - 1


def _cropped(images: Tensor) -> Tensor:
    size = [images.shape[-2], images.shape[-1]]
    share = float(torch.empty(()).uniform_(SMALLEST, 1))
    crop = transforms.RandomCrop([max(1, int(length * share)) for length in size])
    return resize(crop(images), size, antialias=True)


def _warp() -> transforms.Compose:
    smooth = {"interpolation": InterpolationMode.BILINEAR, "fill": 1.0}
    return transforms.Compose(
        [
            transforms.RandomHorizontalFlip(0.5),
            transforms.RandomApply([transforms.RandomAffine(15, (0.1, 0.1), **smooth)], 0.8),
            transforms.RandomPerspective(0.4, 0.5, **smooth),
            transforms.RandomApply([transforms.ColorJitter(0.1, 0.1, 0.1, 0.1)], 0.7),
            transforms.RandomGrayscale(0.15),
        ]
    )
