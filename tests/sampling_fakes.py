"""What tests of the sampling loop and of its denoisers share: a schedule, seeds, a loss, a run."""

import torch
from editor_fakes import GaussianDiffusion, cosine_schedule, picture
from torch import Generator, Tensor

from lr_edit.editors.denoisers import Denoise, model_denoiser
from lr_edit.editors.sampling import initial_noise, sample, unblended
from lr_edit.editors.schedulers import Solver

ABAR = cosine_schedule().double().tolist()
SOLVERS = ("ddpm", "ddim", "dpmsolver")


def seeded(*seeds: int) -> list[Generator]:
    return [Generator().manual_seed(seed) for seed in seeds]


def plain_denoiser(diffusion: GaussianDiffusion, cfg: float = 0.0) -> Denoise:
    condition, null = diffusion.embed(["a dog", ""]).split(1)
    size = diffusion.size
    return model_denoiser(
        diffusion, condition, null, cfg, picture(size, size), torch.ones(1, 1, size, size)
    )


def squared_distance_to(target: float):
    """A loss whose gradient is known: mean (x - target)^2."""

    def loss(x0: Tensor, seen: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        value = (seen - target).square().flatten(1).mean(1)
        return value, {"distance": value.detach()}

    return loss


def run(name: str, denoise: Denoise, timesteps, seeds=(1,), size: int = 16) -> Tensor:
    generators = seeded(*seeds)
    noise = initial_noise(generators, size, torch.device("cpu"))
    solver = Solver(name, cosine_schedule(), timesteps)
    return sample(denoise, solver, noise, unblended, generators).pictures
