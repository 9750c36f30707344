"""Colour of a point on a solid, and how lamp and sky light it; it traces no ray."""

import math

import torch
from torch import Tensor

from lr_edit.tabletop.assembly import Assembly
from lr_edit.tabletop.primitives import BAND, PAGES, PATCHES, SPECKLE, TAPE, to_own

AMBIENT = 0.48
SKY = (0.86, 0.91, 1.0)
GOLDEN = (1 + math.sqrt(5)) / 2
ICOSAHEDRON = [
    *[(0.0, s, t * GOLDEN) for s in (-1, 1) for t in (-1, 1)],
    *[(s, t * GOLDEN, 0.0) for s in (-1, 1) for t in (-1, 1)],
    *[(t * GOLDEN, 0.0, s) for s in (-1, 1) for t in (-1, 1)],
]


def solid_albedo(assembly: Assembly, solid: Tensor, points: Tensor) -> Tensor:
    """Colours [N, 3] in [0, 1] at world points on solids [N]: or the texture's second."""
    p = to_own(assembly.solids[solid], points)
    u, v = assembly.parameters[solid].unbind(-1)
    x, y, z = p.unbind(-1)
    corners = torch.tensor(ICOSAHEDRON, device=p.device) / math.sqrt(1 + GOLDEN**2)
    direction = torch.nn.functional.normalize(p, dim=-1)
    marks = {
        PATCHES: (direction @ corners.T).amax(-1) > u,
        BAND: (z - u).abs() < v,
        TAPE: (x - u).abs() < v,
        PAGES: torch.sin(40 * z) > 0.2,
        SPECKLE: torch.sin(31 * x + 3 * y) * torch.sin(29 * y - 4 * z) * torch.sin(30 * z) > 0.25,
    }
    texture = assembly.texture[solid]
    marked = torch.zeros_like(texture, dtype=torch.bool)
    for kind, mask in marks.items():
        marked |= (texture == kind) & mask
    return torch.where(marked[:, None], assembly.colour2[solid], assembly.colour[solid])


def lit(
    albedo: Tensor,
    normal: Tensor,
    view: Tensor,
    light: Tensor,
    shadowed: Tensor,
    shiny: Tensor,
    strength: Tensor,
) -> Tensor:
    """Colours [N, 3] under a lamp and a sky, with Blinn–Phong highlights on shiny things.

    normal, view (from the eye) and light (to the lamp) are unit [N, 3]; shadowed, shiny and the
    lamp's strength are [N].
    """
    facing = (normal * light).sum(-1).clamp_min(0) * (~shadowed)
    ambient = AMBIENT * (0.72 + 0.28 * normal[:, 2])
    diffuse = albedo * (ambient + 1.12 * strength * facing)[:, None]
    half = torch.nn.functional.normalize(light - view, dim=-1)
    glint = (normal * half).sum(-1).clamp_min(0) ** 48 * (~shadowed) * 0.75
    mirrored = view - 2 * (view * normal).sum(-1, keepdim=True) * normal
    grazing = (1 + (view * normal).sum(-1)).clamp(0, 1) ** 3
    sheen = (0.10 + 0.35 * grazing) * (mirrored[:, 2] * 0.6 + 0.4).clamp(0, 1)
    sky = torch.tensor(SKY, device=albedo.device)
    return diffuse + (shiny * (glint + sheen))[:, None] * sky
