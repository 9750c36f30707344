"""The trained region network as a proposer: a phrase → mask, what changes with it, alternatives."""

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from math import isqrt
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from lr_edit.backbones.devices import fast_bfloat16
from lr_edit.backbones.folders import loading, located
from lr_edit.errors import UserError
from lr_edit.instruction import Reading
from lr_edit.masks import large_pieces
from lr_edit.phrase import names_several, only_recoloured
from lr_edit.regions.features import FrozenFeatures
from lr_edit.regions.network import Proposals, RegionNetwork, Seen
from lr_edit.regions.region import (
    Alternative,
    Region,
    RegionProposer,
    checked_phrase,
)
from lr_edit.regions.sharpen import padded, sharpen, squared
from lr_edit.regions.strays import GONE, without_specks, without_strays
from lr_edit.regions.words import Words

FILES = ("*.json", "*.safetensors")
"""What is fetched from the hub for a region network."""
LEAST_SHOWN = 2048
"""A side in pixels at which backbones, which squeeze pictures to less, see all that they can."""


class LearnedProposer(RegionProposer):
    """Proposes what a trained RegionNetwork sees; the last picture's features are kept.

    threshold: least presence for a phrase to count as fitting. minimum: pieces of a mask under this
    share of the largest one are no alternatives of their own. bf16: run the backbones in bfloat16
    autocast; None where the device is fast at it.
    """

    def __init__(
        self,
        network: RegionNetwork,
        features: FrozenFeatures,
        threshold: float = 0.5,
        minimum: float = 0.1,
        bf16: bool | None = None,
    ) -> None:
        check_backbones(network.backbones, features.identities)
        self.network, self.features = network.eval().requires_grad_(False), features
        self.threshold, self.minimum, self.bf16 = threshold, minimum, bf16
        self._last: tuple[Tensor, Seen] | None = None

    @torch.no_grad()
    def propose(
        self, image: Tensor, phrase: str, reading: Reading = "refer", paint: str = ""
    ) -> Region:
        """The best proposal; K more and the pieces of the best are its alternatives.

        paint: a network that reads it gives `change` the room that this needs; whether and where
        the phrase fits does not depend on it. Raises UserError for a phrase that is empty or longer
        than CLIP reads.
        """
        words = self.words(checked_phrase(phrase), reading, paint.strip())
        found = self.network.read(self.seen(image), words)
        best = int(found.score[0].argmax())
        things, change = found.thing[0].float(), changed(found, best).float()
        kept = without_strays(things[best])
        # What changes along with a stray goes with it.
        change = without_strays(change.masked_fill(kept != things[best], GONE))
        things[best] = kept
        masks = sharpen(torch.cat((things, change[None]))[None], image)[0]
        things, change = masks[:-1], torch.maximum(masks[best], masks[-1])
        things[best] = without_specks(things[best])
        return self.region(found, things, without_specks(change))

    def words(self, phrase: str, reading: Reading, paint: str) -> Words:
        """What the network reads: the phrase and, where that tells of the room that is needed, the
        same again with what its thing becomes. An edit prompt says that itself; several things, and
        what only changes its colour, need no other room."""
        self.features.words.check_length(phrase)
        edit = torch.tensor([reading == "edit"])
        told = self.network.wishes and reading == "refer"
        told = told and not names_several(phrase) and not only_recoloured(phrase, paint)
        if not (paint and told and self.reads(paint)):
            return self.features.tokens([phrase], edit)
        return self.features.tokens([phrase] * 2, edit.repeat(2), ["", paint])

    def reads(self, text: str) -> bool:
        """Whether CLIP reads a text to its end."""
        try:
            self.features.words.check_length(text)
        except UserError:
            return False
        return True

    def seen(self, image: Tensor) -> Seen:
        """What the network keeps of image [1, 3, H, W], seen as a square; at once if it was the
        last one."""
        if self._last is None or self._last[0] is not image:
            small = squared(image, self.network.side, bicubic).clamp(-1, 1)
            # Of one phrase and a small network, autocast would cast the weights for longer than
            # it computes.
            with self._autocast(image.device):
                maps = self.features.maps(shown(image))
            self._last = image, self.network.look(small, maps)
        return self._last[1]

    def _autocast(self, device: torch.device) -> AbstractContextManager[None]:
        wanted = fast_bfloat16(device) if self.bf16 is None else self.bf16
        return torch.autocast(device.type, torch.bfloat16, enabled=wanted)

    def region(self, found: Proposals, masks: Tensor, change: Tensor) -> Region:
        """The region that the proposals of one phrase mean, as masks [K, H, W]; change [H, W]:
        all that the best one's edit changes."""
        presence = float(found.presence[0].float().sigmoid())
        scores = found.score[0].float().sigmoid()
        scores = presence * scores
        order = scores.argsort(descending=True, stable=True).tolist()
        ranked = [Alternative(masks[k][None, None], float(scores[k]), "proposal") for k in order]
        best = order[0]
        for piece in pieces(masks[best], self.minimum):
            ranked.append(Alternative(piece[None, None], float(scores[best]) / 2, "piece"))
        present = presence >= self.threshold
        return Region(
            mask=masks[best][None, None],
            alternatives=tuple(sorted(ranked, key=lambda one: -one.score)),
            confidence=float(scores[best]) if present else presence,
            present=present,
            change=torch.maximum(masks[best], change)[None, None],
        )


def changed(found: Proposals, best: int) -> Tensor:
    """Logits [S, S] of all that an edit of the phrase's thing changes: as its last reading has it,
    if that means the same thing as the first, whose best proposal is number `best`."""
    own, told = found.thing[0, best] > 0, int(found.score[-1].argmax())
    other = found.thing[-1, told] > 0
    same = 2 * (own & other).sum() >= (own | other).sum()
    return found.change[-1, told] if same else found.change[0, best]


def shown(image: Tensor) -> Tensor:
    """Image [1, 3, H, W] as backbones are shown it, which squeeze it as they like: `padded`.

    Where more than two thirds of that were padding, the picture is shrunk first, but to no less
    than they can use, so that the square has room for three times its pixels.
    """
    size = (image.shape[-2], image.shape[-1])
    side = max(LEAST_SHOWN, isqrt(3 * size[0] * size[1]))
    if side < max(size):
        height, width = (max(1, round(length * side / max(size))) for length in size)
        image = bicubic(image, (height, width))
    return padded(image)


def bicubic(images: Tensor, size: tuple[int, int]) -> Tensor:
    """[B, C, H, W] at another size, antialiased; values may leave their range."""
    return F.interpolate(images, size, mode="bicubic", antialias=True, align_corners=False)


def pieces(mask: Tensor, minimum: float) -> list[Tensor]:
    """The connected pieces of mask [H, W] in [0, 1], from left to right; none where it is in one.

    minimum: smaller ones, as a share of the largest, are left out.
    """
    numbered, large = large_pieces((mask > 0.5).cpu().numpy(), minimum)
    if len(large) < 2:
        return []
    return [mask * torch.from_numpy(numbered == k).to(mask) for k in large]


class OtherBackbones(UserError):
    """A network was trained on other frozen networks than it is given."""


def check_backbones(trained_on: Sequence[str], given: Sequence[str]) -> None:
    """Raises OtherBackbones unless a network's backbones are those that it is to read."""
    if tuple(trained_on) != tuple(given):
        raise OtherBackbones(
            f"the region network was trained on {' + '.join(trained_on) or 'no features'}, but is "
            f"given {' + '.join(given) or 'none'}: use it with the backbones it was trained on"
        )


def load_region_network(folder: str | Path, device: str = "cpu") -> RegionNetwork:
    """The network of a folder or hub name that `RegionNetwork.save_pretrained` wrote, float32.

    Raises UserError for missing or damaged weights, or for those of another network.
    """
    from safetensors.torch import load_file

    place = located(folder, FILES)
    with loading(str(folder)):
        network = RegionNetwork(**json.loads((place / "config.json").read_text()))
        state = load_file(place / "model.safetensors")
        network.load_state_dict({name: value.float() for name, value in state.items()})
    return network.to(device).eval()
