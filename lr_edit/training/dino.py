"""The recipe of the tabletop DINO: a vision transformer that learns from crops without labels."""

from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from lr_edit.backbones.base import freeze
from lr_edit.backbones.dino import load_dino
from lr_edit.backbones.folders import located
from lr_edit.backbones.open_clip_dense import OpenClipDense
from lr_edit.backbones.pretrained import quiet
from lr_edit.tabletop.augmented_views import UNCHANGED, views
from lr_edit.training.imitation import Imitation
from lr_edit.training.losses import (
    across_views,
    balanced,
    cosine_path,
    no_loss,
    soft_cross_entropy,
)
from lr_edit.training.neighbours import neighbour_labels
from lr_edit.training.recipe import Recipe, Schedule, training_share

STUDENT_TEMPERATURE, TEACHER_TEMPERATURE = 0.1, 0.04
TUTOR_WEIGHT = 10.0  # at the start, when all else of the loss is about ten


class Projection(nn.Module):
    """DINO's head: an MLP, then cosines with prototypes (Caron et al., 2021, sec. 3.1)."""

    def __init__(self, width: int, hidden: int, bottleneck: int, prototypes: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(),
            nn.Linear(hidden, bottleneck),
        )  # fmt: skip
        self.prototypes = nn.Parameter(torch.randn(prototypes, bottleneck))

    def forward(self, tokens: Tensor) -> Tensor:
        """Cosines float32 [..., K] of tokens [..., C]."""
        points = normalize(self.mlp(tokens).float(), dim=-1)
        # In bfloat16 a cosine's last digit, over the temperature, would be a tenth.
        with torch.autocast(points.device.type, enabled=False):
            return points @ normalize(self.prototypes.float(), dim=-1).T


def random_patches(images: int, patches: int, generator: torch.Generator) -> Tensor:
    """bool [images, patches]: nothing for half of the images, else a tenth to a half at random.

    As iBOT masks (Zhou et al., 2022, sec. 4.1), without blocks.
    """
    device = generator.device
    share = 0.1 + 0.4 * torch.rand(images, 1, generator=generator, device=device)
    chosen = torch.rand(images, 1, generator=generator, device=device) < 0.5
    draw = torch.rand(images, patches, generator=generator, device=device)
    return (draw < share) & chosen


class DinoRecipe(Recipe):
    """A student matches, crop by crop, what its own moving average says of the other crops.

    Class tokens as DINO (Caron et al., 2021), hidden patches as iBOT (Zhou et al., 2022), one head
    for both, its word balanced as in DINOv2 (Oquab et al., 2023, sec. 4). The average, the teacher,
    is what is kept.

    width, layers, heads: of the transformer; side, patch: of its pictures. prototypes: what crops
    are told apart by. patch_weight: of iBOT's part of the loss. momentum: the teacher's at the
    start; it rises to one. frozen: steps for which the prototypes stay. start: a folder to go on
    from, with a new head. tutor: a CLIP whose maps and embeddings of large crops the student's
    patches and class tokens imitate, with a weight that falls to nothing by the time that the share
    `tutored` of the training is over; None: nothing but crops is learned from.
    """

    def __init__(
        self,
        width: int = 128,
        layers: int = 5,
        heads: int = 4,
        side: int = 48,
        patch: int = 8,
        prototypes: int = 256,
        patch_weight: float = 1.0,
        momentum: float = 0.98,
        frozen: int = 200,
        start: str = "",
        tutor: OpenClipDense | None = None,
        tutored: float = 1.0,
        schedule: Schedule = Schedule(learning_rate=1e-3, warmup=200, weight_decay=0.05),
        output: str = "",
    ) -> None:
        super().__init__(schedule, output)
        self.save_hyperparameters(ignore=["tutor"])
        from transformers import ViTConfig, ViTModel

        config = ViTConfig(
            image_size=side, patch_size=patch, hidden_size=width, num_hidden_layers=layers,
            num_attention_heads=heads, intermediate_size=4 * width,
        )  # fmt: skip
        self.network = (
            load_dino(located(start)) if start else ViTModel(config, add_pooling_layer=False)
        )
        # A few dozen tokens: plain products take half the time of fused attention on a CPU.
        self.network.set_attn_implementation("eager")
        width = self.network.config.hidden_size
        self.student: Any = deepcopy(self.network)
        self.student.embeddings.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.student_head = Projection(width, 2 * width, width // 2, prototypes)
        self.teacher_head = deepcopy(self.student_head)
        freeze(self.network)
        freeze(self.teacher_head)
        self.patch_weight, self.momentum, self.frozen = patch_weight, momentum, frozen
        self.imitation = Imitation(tutor, width) if tutor else None
        self.tutored, self.followed = tutored, -1

    def training_step(self, batch: dict[str, Any], index: int) -> Tensor:
        count, boxes, changes = len(batch["boxes"]), batch["boxes"], batch["changes"]
        large, small = (
            views(batch["picture"], boxes[:, which], changes[:, which], side).flatten(0, 1)
            for which, side in ((slice(2), self.side), (slice(2, None), self.side // 2))
        )
        hidden = random_patches(len(large), self.patches, self.generator())
        seen = self.student(large, bool_masked_pos=hidden).last_hidden_state
        part = self.student(small, interpolate_pos_encoding=True).last_hidden_state
        first = [x[:, 0].unflatten(0, (count, -1)) for x in (seen, part)]
        student = self.student_head(torch.cat(first, 1)) / STUDENT_TEMPERATURE
        classes, patches = self.targets(large, hidden)
        loss = across_views(student, classes.unflatten(0, (count, -1)))
        guess = self.student_head(seen[:, 1:][hidden]) / STUDENT_TEMPERATURE
        filled = soft_cross_entropy(guess, patches).sum() / max(1, len(guess))
        self.log("classes", loss.detach())
        self.log("patches", filled.detach())
        return self.log_loss(loss + self.patch_weight * filled + self.taught(large, seen))

    def taught(self, images: Tensor, states: Tensor) -> Tensor:
        """The tutor's part of the loss: what states [N, 1 + P, C] of images miss, weighted."""
        if self.imitation is None:
            return states.new_zeros(())
        weight = TUTOR_WEIGHT * (1 - training_share(self.trainer) / self.tutored)
        if weight <= 0:
            return no_loss(self.imitation)
        missed = self.imitation(images, states)
        self.log("tutor", missed.detach())
        return weight * missed

    @torch.no_grad()
    def targets(self, images: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """What the teacher says of class tokens [N, K] and of the patches in `hidden` [n, K].

        Class tokens are balanced over all processes, of patches each has enough.
        """
        states = self.network(images).last_hidden_state
        kinds = states[:, 0], states[:, 1:][hidden]
        classes, patches = (self.teacher_head(x) for x in kinds)
        gathered = cast("Tensor", self.all_gather(classes))  # of one process, without its number
        everyone = gathered.view(-1, *classes.shape)
        words = balanced(everyone.flatten(0, 1), TEACHER_TEMPERATURE).view_as(everyone)
        own = words[self.global_rank if len(words) > 1 else 0]
        return own, balanced(patches, TEACHER_TEMPERATURE)

    @property
    def patches(self) -> int:
        """How many patches a large crop has."""
        return self.network.embeddings.patch_embeddings.num_patches

    @property
    def side(self) -> int:
        """Pixels a side of a large crop; small ones have half as many."""
        size: int = self.student.config.image_size
        return size

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        if self.global_step < self.frozen:
            self.student_head.prototypes.grad = None

    def on_train_start(self) -> None:
        self.followed = self.global_step

    @torch.no_grad()
    def on_train_batch_end(self, *_: Any) -> None:
        """The teacher follows the student, once a step (Caron et al., 2021, sec. 3.1)."""
        if self.global_step == self.followed:  # gradients are still being added up
            return
        self.followed = self.global_step
        rest = 1 - cosine_path(self.momentum, 1.0, training_share(self.trainer))
        pairs = ((self.network, self.student), (self.teacher_head, self.student_head))
        for teacher, student in pairs:
            newest = dict(student.named_parameters())
            for name, value in teacher.named_parameters():
                value.lerp_(newest[name], rest)

    def on_validation_epoch_start(self) -> None:
        self.seen: list[tuple[Tensor, Tensor, Tensor]] = []

    def validation_step(self, batch: dict[str, Any], index: int) -> None:
        square = batch["plain"]
        whole = torch.tensor(UNCHANGED, device=square.device).expand(len(square), 1, -1)
        plain = views(batch["picture"], square, whole, self.side)[:, 0]
        features = self.network(plain).last_hidden_state[:, 1:].mean(1)
        self.seen.append((features, batch["noun"], batch["scene"]))

    def on_validation_epoch_end(self) -> None:
        features, nouns, scenes = (torch.cat(values) for values in zip(*self.seen, strict=True))
        same = scenes[:, None] == scenes
        right = neighbour_labels(features, features, nouns, same) == nouns
        self.log("val_knn", right.float().mean(), prog_bar=True)

    def export(self, folder: Path) -> None:
        """A transformers folder as facebook/dino-vits16 is one: a ViTModel and its processor."""
        from transformers import ViTImageProcessor

        side = self.side
        with quiet():
            deepcopy(self.network).half().cpu().save_pretrained(folder)
        ViTImageProcessor(
            size={"height": side, "width": side}, image_mean=[0.5] * 3, image_std=[0.5] * 3
        ).save_pretrained(folder)
