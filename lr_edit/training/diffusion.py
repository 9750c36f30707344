"""The recipe of the text-conditional inpainting diffusion model; it knows no scene."""

from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler
from torch import Tensor

from lr_edit.backbones.devices import plain_attention
from lr_edit.backbones.diffusion import to_prediction
from lr_edit.backbones.diffusion_network import build_diffusion, save_diffusion
from lr_edit.backbones.perceptual import LpipsDistance
from lr_edit.backbones.text_tower import load_text_tower
from lr_edit.backbones.tokenizer import load_tokenizer, token_ids
from lr_edit.explain import check_names
from lr_edit.training.losses import (
    add_noise,
    noisy_times,
    region_distance,
    region_mse,
    velocity,
)
from lr_edit.training.recipe import Recipe, Schedule


class DiffusionRecipe(Recipe):
    """v-prediction on noised crops, with the region and its surroundings as further inputs.

    network: keyword arguments of `build_diffusion`. start: a folder of trained weights to go on
    from ("" = random). clip: the OpenCLIP folder whose text tower and tokenizer it begins with.
    outside: loss weight outside the region. bias: how much more often noisy pictures are seen than
    nearly clean ones, see `noisy_times`; 1 learns first what stands where. taper: how much more
    seldom the noisiest; 1 with a bias of 1 then learns the middle, where it is drawn in detail.
    perceptual: weight of the LPIPS between the x0 predicted in the region and the true one (after
    Lin and Yang, 2024, whose distance is the diffusion model's own), which wants edges where the
    squared error is content with their average; 0 for none. trunk: the folder of that LPIPS.
    """

    def __init__(
        self,
        network: dict[str, Any] | None = None,
        start: str = "",
        clip: str = "lr_edit/tabletop/weights/clip",
        outside: float = 0.05,
        bias: float = 1.0,
        taper: float = 0.0,
        perceptual: float = 0.0,
        trunk: str = "lr_edit/tabletop/weights/perceptual",
        schedule: Schedule = Schedule(learning_rate=4e-4, decay=0.3),
        output: str = "",
    ) -> None:
        super().__init__(schedule, output)
        self.save_hyperparameters()
        self.tokenizer = load_tokenizer(f"{start}/tokenizer" if start else clip)
        tower = load_text_tower(clip)
        check_names(network or {}, build_diffusion, "model.init_args.network", own=1)
        self.network = build_diffusion(tower, **(network or {}))
        if start:
            self.network.load_folder(start)
        self.outside, self.bias, self.taper = outside, bias, taper
        self.perceptual, self.trunk = perceptual, trunk
        # Not a submodule: it is neither learned nor part of a checkpoint.
        self.distance = LpipsDistance(folder=trunk) if perceptual > 0 else None
        scheduler: Any = DDPMScheduler(
            1000, beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction",
            clip_sample=False,
        )  # fmt: skip
        self.scheduler = scheduler
        self.alphas: Tensor
        self.register_buffer("alphas", scheduler.alphas_cumprod.clone(), persistent=False)

    def setup(self, stage: str) -> None:
        device = self.trainer.strategy.root_device
        if self.distance is not None and device.type != "cpu":
            self.distance = LpipsDistance(folder=self.trunk, device=str(device))

    def loss(self, batch: dict[str, Any], generator: torch.Generator) -> Tensor:
        """The error of v in the region [B], LPIPS with it where asked for; noises at random."""
        image, mask = batch["image"], batch["mask"]
        size = len(image)
        t = noisy_times(size, 1000, generator, self.bias, self.taper)
        noise = torch.randn(image.shape, generator=generator, device=self.device)
        alpha_bar = self.alphas[t][:, None, None, None]
        x_t = add_noise(image, noise, alpha_bar)
        ids = token_ids(self.tokenizer, batch["text"], self.network.context_length)
        with plain_attention(self.device):
            condition = self.network.encode_tokens(ids.to(self.device))
            predicted = self.network(x_t, t, condition, image, mask).float()
        error = region_mse(predicted, velocity(image, noise, alpha_bar), mask, self.outside)
        if self.distance is None:
            return error
        x0 = to_prediction(predicted, x_t, alpha_bar, "v_prediction").x0
        return error + self.perceptual * region_distance(self.distance, x0, image, mask)

    def training_step(self, batch: dict[str, Any], index: int) -> Tensor:
        return self.log_loss(self.loss(batch, self.generator()).mean())

    def validation_step(self, batch: dict[str, Any], index: int) -> None:
        generator = torch.Generator(self.device).manual_seed(index)
        loss = self.loss(batch, generator).mean()
        self.log("val_loss", loss, prog_bar=True, batch_size=len(batch["image"]))

    def export(self, folder: Path) -> None:
        """A diffusers-layout folder: unet, text_encoder, tokenizer, scheduler."""
        save_diffusion(folder, self.network, self.tokenizer, self.scheduler)
