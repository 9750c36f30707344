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
    edit: Sequence[bool] | None = None,
    paints: Sequence[str] | None = None,
) -> Words:
    """The words of P phrases, as a frozen text tower states them.

    edit: whether each of them is an edit prompt; None: none is. paints: what the thing of each is
    to become, "" where that is not known; None: nowhere.
    """
    edit = [False] * len(phrases) if edit is None else list(edit)
    words = spoken(encoder, phrases, [EDIT if prompt else REFER for prompt in edit])
    if paints is None or not any(paints):
        return words
    wishes = spoken(encoder, paints, [PAINT] * len(paints))
    said = torch.tensor([bool(paint) for paint in paints], device=wishes.known.device)
    return Words(
        torch.cat((words.states, wishes.states), 1),
        torch.cat((words.known, wishes.known & said[:, None]), 1),
        torch.cat((words.roles, wishes.roles), 1),
    )


def spoken(encoder: TokenEncoder, phrases: Sequence[str], roles: Sequence[int]) -> Words:
    """The words of P phrases, each with one role for all of its tokens."""
    states, known = encoder.encode_tokens(list(phrases))
    column = torch.tensor(list(roles), device=known.device)[:, None]
    return Words(states, known, column.expand_as(known))
