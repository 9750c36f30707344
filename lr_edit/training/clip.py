"""The recipe of the tabletop CLIP: OpenCLIP's own architecture, trained on views and captions."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lr_edit.backbones.open_clip import sequence_first
from lr_edit.backbones.tokenizer import CONTEXT_LENGTH, load_tokenizer, token_ids
from lr_edit.training.losses import soft_cross_entropy
from lr_edit.training.recipe import Recipe, Schedule, half_precision

PREPROCESS = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic"}


def model_config(vocabulary: int, width: int, layers: int, text_layers: int) -> dict[str, Any]:
    """OpenCLIP's `model_cfg` of a ViT with patches of 8 at 64 pixels."""
    return {
        "embed_dim": width,
        "vision_cfg": {
            "image_size": 64, "layers": layers, "width": width, "head_width": 48, "patch_size": 8,
        },
        "text_cfg": {
            "context_length": CONTEXT_LENGTH, "vocab_size": vocabulary, "width": width,
            "heads": width // 48, "layers": text_layers, "hf_tokenizer_name": "tokenizer",
            "pool_type": "last",
        },
    }  # fmt: skip


def truth(said: Tensor, facts: Tensor) -> Tensor:
    """bool [C, I]: whether caption c, stating [C, 3] with −1 open, is true of image i [I, 3]."""
    agree = (said[:, None] == facts[None]) | (said[:, None] < 0)
    return agree.all(-1)


class ClipRecipe(Recipe):
    """Contrast of every caption with every picture of the batch, all true pairs positive.

    The target of a row is uniform over the pairs that are true (as UniCL, Yang et al., 2022), since
    small vocabularies repeat themselves within a batch. start: a folder to go on from.
    """

    def __init__(
        self,
        width: int = 192,
        layers: int = 6,
        text_layers: int = 3,
        tokenizer: str = "lr_edit/tabletop/weights/tokenizer",
        start: str = "",
        schedule: Schedule = Schedule(learning_rate=1e-3, warmup=300, weight_decay=0.05),
        output: str = "",
    ) -> None:
        super().__init__(schedule, output)
        self.save_hyperparameters()
        from open_clip.model import CLIP

        self.tokenizer = load_tokenizer(tokenizer)
        self.config = model_config(len(self.tokenizer), width, layers, text_layers)
        text = {k: v for k, v in self.config["text_cfg"].items()}
        self.network = sequence_first(CLIP(width, self.config["vision_cfg"], text))
        self.network.attn_mask.clamp_(min=-1e4)  # infinities have no average
        if start:
            from safetensors.torch import load_file

            state = load_file(Path(start) / "open_clip_model.safetensors")
            self.network.load_state_dict({k: v.float() for k, v in state.items()})

    def logits(self, batch: dict[str, Any]) -> Tensor:
        """Scaled cosines [captions, images]."""
        ids = token_ids(self.tokenizer, batch["text"]).to(self.device)
        images = self.network.encode_image(batch["image"], normalize=True)
        texts = self.network.encode_text(ids, normalize=True)
        return self.network.logit_scale.exp().clamp_max(100) * texts.float() @ images.float().T

    def loss(self, batch: dict[str, Any]) -> Tensor:
        """Mean of the two directions' soft cross-entropies."""
        logits = self.logits(batch)
        target = truth(batch["said"], batch["is"]).float()
        rows = soft_cross_entropy(logits, target / target.sum(1, keepdim=True))
        columns = soft_cross_entropy(logits.T, target.T / target.T.sum(1, keepdim=True))
        return (rows.mean() + columns.mean()) / 2

    def training_step(self, batch: dict[str, Any], index: int) -> Tensor:
        return self.log_loss(self.loss(batch))

    def validation_step(self, batch: dict[str, Any], index: int) -> None:
        logits = self.logits(batch)
        right = truth(batch["said"], batch["is"])
        best = logits.argmax(0)
        hit = right[best, torch.arange(len(best), device=best.device)].float().mean()
        self.log("val_hit", hit, prog_bar=True, batch_size=len(best))

    def export(self, folder: Path) -> None:
        """An OpenCLIP `local-dir:` folder with its tokenizer."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        save_file(half_precision(self.network), folder / "open_clip_model.safetensors")
        config = {"model_cfg": self.config, "preprocess_cfg": PREPROCESS}
        (folder / "open_clip_config.json").write_text(json.dumps(config, indent=1) + "\n")
        self.tokenizer.save_pretrained(str(folder))
