"""How well frozen features tell classes apart, asked of their nearest neighbours; no training."""

import torch
from torch import Tensor
from torch.nn.functional import normalize


def neighbour_labels(
    queries: Tensor,
    bank: Tensor,
    labels: Tensor,
    forbidden: Tensor | None = None,
    count: int = 20,
    temperature: float = 0.07,
) -> Tensor:
    """The label int64 [Q] that the most similar of the bank vote for (Wu et al., 2018, sec. 3.4).

    queries [Q, C] and bank [N, C] are features, labels int64 [N]; a vote weighs
    exp(cosine / temperature). forbidden: bool [Q, N], pairs that do not count.
    """
    cosines = normalize(queries.float(), dim=1) @ normalize(bank.float(), dim=1).T
    if forbidden is not None:
        cosines = cosines.masked_fill(forbidden, -torch.inf)
    best, index = cosines.topk(min(count, len(bank)), dim=1)
    votes = torch.zeros(len(queries), int(labels.max()) + 1, device=queries.device)
    # Less one, the greatest cosine, so that no weight overflows.
    votes.scatter_add_(1, labels[index], ((best - 1) / temperature).exp())
    return votes.argmax(1)
