"""One thread a test process: fastest for tiny tensors, and processes do not hinder each other.

Also what several files of tests share and takes long to make.
"""

from pathlib import Path

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)
# A busy machine is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def latent_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline of every kind that edits latents, saved."""
    import tiny_latent

    folder = tmp_path_factory.mktemp("latent")
    tiny_latent.stable_diffusion(folder / "inpainting")
    tiny_latent.stable_diffusion(folder / "plain", 4, "v_prediction")
    tiny_latent.stable_diffusion_xl(folder / "xl")
    tiny_latent.tiny_decoder(folder / "tiny")
    tiny_latent.flux_fill(folder / "flux")
    return folder
