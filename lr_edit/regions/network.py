"""The trainable region network: frozen features and a phrase → ranked masks, and whether any fits.

What does not depend on the phrase (`look`) is kept apart from what does (`read`), so that a further
phrase on the same picture costs only the second.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lr_edit.errors import UserError
from lr_edit.regions.attention import Block, Round, positions
from lr_edit.regions.card import HubNetwork
from lr_edit.regions.detail import Climb, Stem
from lr_edit.regions.words import PAINT, Words

Lattice = tuple[slice, slice]
"""Which rows and columns of pixels are asked for."""

EVERY: Lattice = (slice(None), slice(None))


@dataclass(frozen=True)
class Seen:
    """What the network keeps of B pictures: cells [B, G², D], and an embedding of every pixel
    [B, C, S, S]."""

    cells: Tensor
    pixels: Tensor


@dataclass(frozen=True)
class Proposals:
    """K proposals for each of P phrases, as logits.

    thing: masks of what the phrase names [P, K, S, S], or of those pixels that were asked for;
    change: of all that an edit of it changes, the room of what it becomes included; score [P, K]:
    how well each proposal fits; presence [P]: whether anything does. coarse: what the cells said of
    the thing after every round of reading [P, R, K, G, G]. cells: of each round, the cells
    [P, G², D] that it left.
    """

    thing: Tensor
    change: Tensor
    score: Tensor
    presence: Tensor
    coarse: Tensor
    cells: tuple[Tensor, ...] = ()

    def best(self) -> tuple[Tensor, Tensor]:
        """The thing's mask [P, S, S] and the score [P] of each phrase's best, as logits."""
        score, chosen = self.score.max(1)
        return self.thing[torch.arange(len(chosen), device=chosen.device), chosen], score


class RegionNetwork(nn.Module, HubNetwork):
    """A text-conditioned mask decoder on frozen CLIP and DINO features, under 2 M parameters.

    The idea of Learnable Regions (Lin et al., 2024), with masks in place of boxes and the text read
    by the network itself. features: channels of the feature maps. words: channels of the phrase's
    token states. backbones: identities of the networks that these come from; they are kept with the
    weights, which are of no use on others. side: of the pictures it sees, a multiple of 8. fine:
    blocks of the stem, see there. wishes: whether it reads what a thing is to become, which tells
    how much room an edit needs; it learns that from data with "paints" alone.
    """

    def __init__(
        self,
        features: Sequence[int],
        words: int,
        backbones: Sequence[str] = (),
        width: int = 128,
        heads: int = 4,
        mixers: int = 2,
        rounds: int = 4,
        proposals: int = 3,
        side: int = 128,
        fine: int = 0,
        wishes: bool = False,
    ) -> None:
        super().__init__()
        _check_sizes(width, heads, mixers, rounds, proposals, side, fine)
        self.side, self.grid, self.proposals = side, side // Stem.STRIDE, proposals
        self.width, self.wishes = width, wishes
        self.features, self.backbones = tuple(features), tuple(backbones)
        self.stem = Stem(width, fine)
        self.project = nn.ModuleList(nn.Conv2d(c, width, 1) for c in features)
        self.norms = nn.ModuleList(nn.GroupNorm(1, c) for c in features)
        self.mixers = nn.Sequential(*(Block(width, heads) for _ in range(mixers)))
        self.words = nn.Sequential(nn.LayerNorm(words), nn.Linear(words, width))
        self.readings = nn.Embedding(3 if wishes else 2, width)
        self.queries = nn.Parameter(torch.randn(proposals + 1, width) * 0.5)
        self.rounds = nn.ModuleList(Round(width, heads) for _ in range(rounds))
        self.climb = Climb(width)
        self.last = nn.LayerNorm(width)
        self.where = nn.Linear(width, 2 * width)
        self.kernels = nn.Sequential(
            nn.Linear(width, width), nn.GELU(), nn.Linear(width, 2 * (Climb.OUT + 1))
        )
        self.fit = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, 1))
        self.presence = nn.Linear(width, 1)
        self.evidence = nn.Parameter(torch.tensor((0.1, 0.1)))
        self.register_buffer("places", positions(self.grid, width), persistent=False)
        self.register_buffer("rise", interpolation(self.grid, side), persistent=False)

    def look(self, images: Tensor, features: Sequence[Tensor]) -> Seen:
        """Pictures [B, 3, S, S] in [-1, 1] and their feature maps [B, C_i, h_i, w_i]."""
        cells, details = self.stem(images.contiguous(memory_format=torch.channels_last))
        size = (self.grid, self.grid)
        for norm, project, feature in zip(self.norms, self.project, features, strict=True):
            cells = cells + resize(project(norm(feature.to(cells.dtype))), size)
        places: Tensor = self.places  # type: ignore[assignment]
        mixed = self.mixers(cells.flatten(2).transpose(1, 2) + places)
        return Seen(mixed, self.climb(mixed, details))

    def read(self, seen: Seen, words: Words, lattice: Lattice = EVERY) -> Proposals:
        """The proposals of the P phrases of `words`, as many for each picture of `seen`, picture by
        picture; lattice: the pixels that masks are drawn at.

        Where the network reads no wishes, words of that role are not there for it.
        """
        count, queries = len(words), self.proposals + 1
        roles = self.readings(words.roles.clamp_max(self.readings.num_embeddings - 1))
        own = self.queries.expand(count, -1, -1) + roles[:, :1]
        tokens = torch.cat((own, self.words(words.states.to(own.dtype)) + roles), 1)
        known = words.known if self.wishes else words.known & (words.roles != PAINT)
        there = torch.cat((known.new_ones(count, queries), known), 1)
        cells = seen.cells.repeat_interleave(count // len(seen.cells), 0)
        coarse, passed = [], []
        for exchange in self.rounds:
            tokens, cells = exchange(tokens, cells, there)
            passed.append(cells)
            coarse.append(self.located(self.last(tokens[:, : self.proposals]), cells))
        heads = self.last(tokens[:, :queries])
        thing, change = self.masks(heads[:, :-1], coarse[-1], seen.pixels, lattice)
        score = self.fitness(heads[:, :-1], coarse[-1][:, 0].detach(), cells)
        best = torch.stack((coarse[-1][:, 0].amax((1, 2, 3)), score.amax(1)), 1)
        presence = self.presence(heads[:, -1])[..., 0] + (best * self.evidence).sum(1)
        rounds = torch.stack([c[:, 0] for c in coarse], 1)
        return Proposals(thing, change, score, presence, rounds, tuple(passed))

    def located(self, heads: Tensor, cells: Tensor) -> Tensor:
        """Where the proposals lie, cell by cell: logits [P, 2, K, G, G] of thing and change."""
        asked = self.where(heads).unflatten(-1, (2, -1)) / cells.shape[-1] ** 0.5
        return torch.einsum("pkmd,pnd->pmkn", asked, cells).unflatten(-1, (self.grid, self.grid))

    def fitness(self, heads: Tensor, coarse: Tensor, cells: Tensor) -> Tensor:
        """How well each proposal fits [P, K], from what it stands for and from the cells that it
        covers, by its logits coarse [P, K, G, G]."""
        share = coarse.float().sigmoid().flatten(2) + 1e-4
        share = (share / share.sum(2, keepdim=True)).to(cells.dtype)
        covered = self.last(share @ cells)
        return self.fit(torch.cat((heads, covered), 2))[..., 0]

    def masks(
        self, heads: Tensor, coarse: Tensor, pixels: Tensor, lattice: Lattice
    ) -> tuple[Tensor, Tensor]:
        """Logits [P, K, S, S] of thing and change: where it is, cell by cell, plus each proposal's
        own linear map of the pixel embeddings [B, C, S, S], which draws its edges."""
        pixels = pixels[:, :, lattice[0], lattice[1]]
        count = len(heads) // len(pixels)
        kernels = self.kernels(heads).unflatten(-1, (2, -1))
        weight = kernels[..., :-1].transpose(1, 2).unflatten(0, (len(pixels), count))
        fine = torch.einsum("bpmkc,bcyx->bpmkyx", weight, pixels).flatten(0, 1)
        fine = fine + kernels[..., -1].transpose(1, 2)[..., None, None]
        rise: Tensor = self.rise  # type: ignore[assignment]
        logits = fine + rise[lattice[0]] @ coarse @ rise[lattice[1]].T
        return logits[:, 0], logits[:, 1]

    def forward(
        self,
        images: Tensor,
        features: Sequence[Tensor],
        words: Words,
        lattice: Lattice = EVERY,
    ) -> Proposals:
        """`read` after `look`."""
        return self.read(self.look(images, features), words, lattice)


def _check_sizes(
    width: int, heads: int, mixers: int, rounds: int, proposals: int, side: int, fine: int
) -> None:
    """Raises UserError for sizes that no region network can have."""
    least = {
        "width": (width, 4), "heads": (heads, 1), "mixers": (mixers, 0), "rounds": (rounds, 1),
        "proposals": (proposals, 1), "side": (side, Stem.STRIDE), "fine": (fine, 0),
    }  # fmt: skip
    for name, (value, smallest) in least.items():
        if not isinstance(value, int) or value < smallest:
            raise UserError(f"{name} is {value!r}: give a whole number from {smallest} on")
    parts = (("width", width, 4), ("width", width, heads), ("side", side, Stem.STRIDE))
    for name, value, part in parts:
        if value % part:
            raise UserError(f"{name} is {value}: give a multiple of {part}")


def interpolation(grid: int, size: int) -> Tensor:
    """The matrix [size, grid] that brings a line of cells to pixels: A @ cells @ A.T interpolates a
    picture of cells bilinearly, and some rows of A alone give some pixels alone."""
    line = torch.eye(grid)[None]
    return F.interpolate(line, size, mode="linear", align_corners=False)[0].T.contiguous()


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Feature maps [B, C, h, w] at another grid: averaged down, or interpolated up."""
    if tuple(maps.shape[-2:]) == size:
        return maps
    if maps.shape[-1] > size[1] and maps.shape[-2] > size[0]:
        return F.adaptive_avg_pool2d(maps, size)
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)
