"""The recipe of one picture and prompt: Learnable Regions as published, trained by Lightning."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lr_edit.backbones.base import Diffusion
from lr_edit.backbones.devices import plain_attention
from lr_edit.backbones.dino import DinoEncoder
from lr_edit.backbones.open_clip_dense import OpenClipDense
from lr_edit.errors import UserError
from lr_edit.files import load_picture, save_image
from lr_edit.images import mask_to_pil, to_pil
from lr_edit.output import made_folder, replacing
from lr_edit.regions.per_image import PerImageOptions, PerImageProposer, References
from lr_edit.sheet import Tile, marked, sheet
from lr_edit.training.pictures import draw_curves
from lr_edit.training.recipe import Recipe, Schedule


class PerImageRecipe(Recipe):
    """Trains the regions around a picture's anchor points; `fit` ends with the best one.

    image: a file. prompt: what the edit should show. output: a folder for region.png (fit for
    --mask), sheet.png, the regions in the order of their ranking, and loss.png, the loss and its
    terms by step. The schedule is constant, as published; its learning rate stands in `options`, as
    do the steps (`iterations`).
    """

    def __init__(
        self,
        image: str,
        prompt: str,
        clip: OpenClipDense,
        dino: DinoEncoder,
        diffusion: Diffusion,
        options: PerImageOptions = PerImageOptions(),
        output: str = "runs/region_per_image",
    ) -> None:
        schedule = Schedule(
            options.learning_rate, warmup=1, decay=0.0, weight_decay=0.0, seed=options.seed
        )
        super().__init__(schedule, output)
        if options.shape == "random":
            raise UserError("shape is 'random': nothing is learned there; give boxes or masks")
        self.proposer = PerImageProposer(clip, dino, diffusion, options)
        self.picture, self.prompt = load_picture(image).pixels, prompt
        self.shape = self.proposer.shape(self.picture)
        self.references: References | None = None
        self.curves: dict[str, list[tuple[int, float]]] = {}

    def train_dataloader(self) -> DataLoader[Any]:
        """One item an optimiser step: the picture is the data."""
        return DataLoader(range(self.proposer.options.iterations))  # type: ignore[arg-type]

    def training_step(self, batch: Any, index: int) -> Tensor:
        generator = self.generator()
        with plain_attention(self.device):
            if self.references is None:
                image = self.picture.to(self.device)
                self.references = self.proposer.references(image, self.prompt)
            masks = self.shape.draw(generator)
            terms = self.proposer.terms(self.references, masks, generator)
        loss = torch.stack(tuple(terms.values())).sum()
        for name, value in {"loss": loss, **terms}.items():
            self.curves.setdefault(name, []).append((self.global_step, float(value.detach())))
        return self.log_loss(loss)

    def export(self, folder: Path) -> None:
        with torch.no_grad():
            generator = self.generator()
            masks = self.shape.final(generator)
            picture = self.picture.to(self.device)
            region = self.proposer.ranked(picture, self.prompt, masks, generator)
        place, source = made_folder(folder), to_pil(self.picture)[0]
        save_image(mask_to_pil(region.mask.cpu()), place / "region.png")
        tiles = [Tile(source, "source")]
        for rank, one in enumerate(region.alternatives, 1):
            mask = mask_to_pil((one.mask > 0.5).float().cpu())
            tiles.append(Tile(marked(source, mask, mask), f"rank {rank}", f"{one.score:.3f}"))
        save_image(sheet(f"“{self.prompt}”", tiles, columns=5), place / "sheet.png")
        with replacing(place / "loss.png") as temporary:
            draw_curves(self.curves, temporary)
