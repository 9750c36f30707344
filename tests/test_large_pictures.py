"""What finding a region in a large picture takes: memory that grows with its pixels alone."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import region_fakes
import torch
from test_proposers import ColourClip
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lr_edit.backbones.base import Segmentation, Segmenter
from lr_edit.backbones.segformer import most_likely
from lr_edit.regions.learned import LEAST_SHOWN, LearnedProposer, bicubic
from lr_edit.regions.segformer_clip import SegformerClipProposer
from lr_edit.regions.segments import segments_of
from lr_edit.regions.sharpen import sharpen, squared

LONG = [(100, 2000), (2000, 100)]


class Largest(TorchDispatchMode):
    """Notes the bytes of the largest tensor that is made."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        made = (one for one in tree_leaves(out) if isinstance(one, Tensor))
        self.bytes = max([self.bytes, *(one.untyped_storage().nbytes() for one in made)])
        return out


@contextmanager
def peak_of_arrays() -> Iterator[list[int]]:
    """The most bytes that arrays of NumPy have held inside, once it is over."""
    found = list[int]()
    tracemalloc.start()
    try:
        yield found
        found.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


def long_picture(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_logits_of_many_classes_are_never_all_large(monkeypatch: pytest.MonkeyPatch) -> None:
    size = (300, 400)
    monkeypatch.setattr("lr_edit.backbones.segformer._AT_ONCE", 2 * size[0] * size[1])
    coarse = torch.randn(1, 150, 16, 16, generator=torch.Generator().manual_seed(0))
    with Largest() as largest:
        labels = most_likely(coarse, size)
    assert labels.shape == (1, *size) and len(labels.unique()) > 100
    assert largest.bytes <= 8 * size[0] * size[1]  # 600 bytes a pixel, all at once


class Specks(Segmenter):
    """Every other pixel of every other row is a thing of its own, and a block in the middle."""

    def segment(self, images: Tensor) -> Segmentation:
        labels = torch.zeros(1, *images.shape[-2:], dtype=torch.long)
        labels[:, ::2, ::2] = 1
        labels[:, 100:200, 100:300] = 2
        return Segmentation(labels, ("table", "speck", "block"))


def test_specks_are_counted_before_they_are_cut_out() -> None:
    specks = Specks().segment(torch.empty(1, 3, 400, 400))
    with peak_of_arrays() as peak:
        segments = segments_of(specks)
    assert [segment.name for segment in segments] == ["table", "block"]
    assert peak[0] < 60 * 400 * 400
    with peak_of_arrays() as peak:
        every = segments_of(specks, minimum=0.0)
    assert len(every) == 35_002 and peak[0] < 60 * 400 * 400 + 1000 * len(every)
    assert all(segment.numbers is every[0].numbers for segment in every)


def test_only_one_segment_at_a_time_has_a_mask_of_floats() -> None:
    image, least = long_picture(400, 400), 1 / 400**2
    image[0, :, 100:200, 100:300] = torch.tensor([1.0, -1.0, -1.0]).view(3, 1, 1)
    proposer = SegformerClipProposer(Specks(), ColourClip(), crop=True, minimum=100 * least)
    with Largest() as largest:
        region = proposer.propose(image, "red")
        first, second = region.alternatives
    assert first.label == "block" and float(region.mask.sum()) == 100 * 200
    assert not any(isinstance(one, Tensor) for one in vars(first).values())
    assert torch.equal(first.mask + second.mask, (Specks().segment(image).labels != 1)[None])
    assert largest.bytes <= 4 * 3 * 400 * 400


@pytest.mark.parametrize("size", LONG)
def test_masks_of_a_long_picture_take_no_square(size: tuple[int, int]) -> None:
    logits = torch.randn(1, 5, 32, 32, generator=torch.Generator().manual_seed(0))
    image, pixels = long_picture(*size), size[0] * size[1]
    with Largest() as largest:
        assert sharpen(logits, image).shape == (1, 5, *size)
    assert largest.bytes <= 4 * 5 * pixels  # what it gives; its square has twenty times as much


@pytest.mark.parametrize("size", LONG)
def test_a_long_picture_is_squared_small(size: tuple[int, int]) -> None:
    image = long_picture(*size)
    with Largest() as largest:
        squared(image, 32, bicubic)
    assert largest.bytes <= 4 * image.numel() * 1.1


@pytest.mark.parametrize("size", [(220, 6000), (6000, 220)])
def test_a_proposal_for_a_long_picture_takes_no_square(size: tuple[int, int]) -> None:
    """Nothing is larger than what backbones are shown: three times its pixels, or a fixed size."""
    pixels = size[0] * size[1]
    proposer = LearnedProposer(region_fakes.network(), region_fakes.features(), bf16=False)
    with Largest() as largest:
        region = proposer.propose(long_picture(*size), "a cat")
    assert region.mask.shape == (1, 1, *size)
    assert largest.bytes <= 4 * 3 * max(3 * pixels, LEAST_SHOWN**2)  # a third of the square's
    assert proposer._last is not None and proposer._last[0].shape[-2:] == size
