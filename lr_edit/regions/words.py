"""What a region network reads of phrases: token states, and the role that each of them has."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lr_edit.backbones.base import TokenEncoder

REFER, EDIT, PAINT = range(3)
"""Roles: of a phrase that names what is there, of an edit prompt ("a blue mug": the mug that is not
blue yet), and of what a thing that was named is to become."""


@dataclass(frozen=True)
class Words:
    """P phrases: token states float32 [P, L, C]; known: bool [P, L], False for padding; roles:
    int64 [P, L]. The phrase comes first, and after it what its thing is to become."""

    states: Tensor
    known: Tensor
    roles: Tensor

    def __len__(self) -> int:
        return len(self.states)

    def to(self, device: torch.device | str) -> "Words":
        """The same on another device."""
        return Words(self.states.to(device), self.known.to(device), self.roles.to(device))


def read_words(
    encoder: TokenEncoder,
    phrases: Sequence[str],
    edit: Tensor | None = None,
    paints: Sequence[str] | None = None,
) -> Words:
    """The words of P phrases, as a frozen text tower states them.

    edit: bool [P], whether each of them is an edit prompt; None: none is. paints: what the thing of
    each is to become, "" where that is not known; None: nowhere.
    """
    states, known = encoder.encode_tokens(list(phrases))
    roles = torch.zeros_like(known, dtype=torch.long)  # REFER
    if edit is not None:
        roles = roles.masked_fill(edit.to(known.device)[:, None], EDIT)
    if paints is None or not any(paints):
        return Words(states, known, roles)
    wished, real = encoder.encode_tokens(list(paints))
    said = torch.tensor([bool(paint) for paint in paints], device=real.device)[:, None]
    return Words(
        torch.cat((states, wished), 1),
        torch.cat((known, real & said), 1),
        torch.cat((roles, torch.full_like(real, PAINT, dtype=torch.long)), 1),
    )
