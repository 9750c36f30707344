"""What a region around an anchor point can be while it is learned on one picture: a box of some
size, as published, or a free mask."""

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lr_edit.regions.anchors import box_masks, boxes_around, pooled_boxes


class Shape(nn.Module):
    """Regions around A points; its parameters are trained on the picture."""

    @abstractmethod
    def draw(self, generator: torch.Generator) -> Tensor:
        """Masks [A, 1, H, W] in [0, 1] to try in this step; gradients reach the parameters."""

    @abstractmethod
    def final(self, generator: torch.Generator) -> Tensor:
        """The masks [A, 1, H, W] once learned; the generator is for what learns nothing."""


class BoxSizes(Shape):
    """Boxes that choose their size by Gumbel-softmax (Jang et al., 2017), the draw being hard.

    features: DINO's map [1, C, h, w]. points [A, 2] and halves [S], shares of the picture. size:
    (H, W) of the masks.
    """

    def __init__(
        self, features: Tensor, points: Tensor, halves: Tensor, size: tuple[int, int], heat: float
    ) -> None:
        super().__init__()
        boxes = boxes_around(points, halves)
        self.shape, self.heat = (len(points), len(halves)), heat
        self.register_buffer("masks", box_masks(boxes, size))
        self.register_buffer("features", features)
        self.register_buffer("boxes", boxes.flatten(0, 1))
        self.narrow = nn.Conv2d(features.shape[1], 12, 1)
        self.layers = nn.Sequential(
            nn.Conv2d(12, 8, 3, stride=2, padding=1), nn.GELU(),
            nn.Conv2d(8, 4, 3, stride=2, padding=1), nn.GELU(), nn.Flatten(),
            nn.Linear(16, 1, bias=False),  # one constant for all sizes would choose none of them
        )  # fmt: skip

    def logits(self) -> Tensor:
        """How much each size [A, S] is liked, from what DINO sees in each box."""
        features, boxes = self.get_buffer("features"), self.get_buffer("boxes")
        return self.layers(pooled_boxes(self.narrow(features), boxes, 8)).view(self.shape)

    def draw(self, generator: torch.Generator) -> Tensor:
        logits = self.logits()
        uniform = torch.rand(logits.shape, generator=generator, device=generator.device)
        gumbel = -(-uniform.clamp(1e-9, 1 - 1e-7).log()).log()
        soft = ((logits + gumbel.to(logits)) / self.heat).softmax(1)
        hard = F.one_hot(soft.argmax(1), self.shape[1]).to(soft)
        return self._mixed(hard + soft - soft.detach())

    def final(self, generator: torch.Generator) -> Tensor:
        return self._mixed(F.one_hot(self.logits().argmax(1), self.shape[1]).float())

    def _mixed(self, weights: Tensor) -> Tensor:
        return (weights[..., None, None] * self.get_buffer("masks")).sum(1, keepdim=True)


class RandomSizes(BoxSizes):
    """What the released code does in effect: a size at random, and nothing is learned."""

    def draw(self, generator: torch.Generator) -> Tensor:
        count, sizes = self.shape
        chosen = torch.randint(sizes, (count,), generator=generator, device=generator.device)
        return self._mixed(F.one_hot(chosen, sizes).float().to(self.get_buffer("masks").device))

    def final(self, generator: torch.Generator) -> Tensor:
        return self.draw(generator)


class FreeMasks(Shape):
    """A mask head in place of boxes: cells that are like the anchor's own, within reach of it.

    What counts as alike is a learned linear map of DINO's features, one threshold a point, and one
    contrast; reach: half the side of the largest region, a share of the picture.
    """

    def __init__(
        self, features: Tensor, points: Tensor, reach: float, size: tuple[int, int]
    ) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("features", F.normalize(features, dim=1))
        self.register_buffer("points", points)
        window = box_masks(boxes_around(points, torch.tensor([reach])), size)
        self.register_buffer("window", window)
        self.map = nn.Conv2d(features.shape[1], 32, 1, bias=False)
        nn.init.orthogonal_(self.map.weight)
        self.threshold = nn.Parameter(torch.full((len(points),), 0.5))
        self.contrast = nn.Parameter(torch.tensor(8.0))

    def draw(self, generator: torch.Generator) -> Tensor:
        mapped = F.normalize(self.map(self.get_buffer("features")), dim=1)
        grid = self.get_buffer("points")[None, :, None] * 2 - 1
        own = F.grid_sample(mapped, grid, align_corners=False)[0, :, :, 0]  # [32, A]
        alike = torch.einsum("chw,ca->ahw", mapped[0], own)[:, None]
        logits = self.contrast * (alike - self.threshold[:, None, None, None])
        full = F.interpolate(logits, self.size, mode="bilinear", align_corners=False)
        return full.sigmoid() * self.get_buffer("window")

    def final(self, generator: torch.Generator) -> Tensor:
        return self.draw(generator)
