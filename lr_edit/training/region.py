"""The recipe of the region network; how it learns is an objective, chosen by class path."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lr_edit.backbones.folders import hub_name, local_folder
from lr_edit.data.module import PhraseData
from lr_edit.errors import UserError
from lr_edit.explain import check_names
from lr_edit.regions.features import FrozenFeatures
from lr_edit.regions.learned import LearnedProposer, check_backbones, load_region_network
from lr_edit.regions.network import RegionNetwork
from lr_edit.training.calibrate import presences, shift_presence
from lr_edit.training.comparison import Comparison, compare
from lr_edit.training.feature_noise import FeatureNoise
from lr_edit.training.heads import save_head, take_head
from lr_edit.training.losses import no_loss
from lr_edit.training.objectives.base import Learner, Objective
from lr_edit.training.recipe import Recipe, Schedule, training_share


class RegionRecipe(Recipe):
    """A RegionNetwork on frozen features, taught by an objective.

    network: keyword arguments of RegionNetwork but its channels. start: a folder to go on from, of
    the same network on the same features, with the objective's head where it keeps one. shipped:
    what `validate`, `test` and `predict` ask when no --ckpt_path is given. comparison: what `test`
    measures. target: the share of validation phrases that fit something which the network exported
    at the end finds to fit; 0 leaves its presence as it was learned. word_noise, map_noise: noise
    on what is learned from, see `FeatureNoise`. The frozen networks are no part of checkpoints.
    """

    def __init__(
        self,
        objective: Objective,
        features: FrozenFeatures,
        network: dict[str, Any] | None = None,
        start: str = "",
        schedule: Schedule = Schedule(learning_rate=1e-3, warmup=200, decay=0.6),
        shipped: str = "lr_edit/tabletop/weights/region",
        comparison: Comparison = Comparison(),
        target: float = 0.0,
        word_noise: float = 0.0,
        map_noise: float = 0.0,
        output: str = "",
    ) -> None:
        super().__init__(schedule, output)
        self.save_hyperparameters(ignore=["objective", "features"])
        self.shipped, self.comparison, self.trained = shipped, comparison, bool(start)
        self.target, self.word_noise, self.map_noise = target, word_noise, map_noise
        self.frozen, self.objective = [features], objective
        check_names(network or {}, RegionNetwork, "model.init_args.network", own=3)
        if start:
            self.network = load_region_network(start).train().requires_grad_(True)
            check_backbones(self.network.backbones, features.identities)
            check_same(self.network, network or {}, start)
        else:
            self.network = RegionNetwork(
                features.channels, features.words.token_channels, features.identities,
                **(network or {}),
            )  # fmt: skip
        self.head = objective.head(self.network.width)
        folder = local_folder(start)
        if self.head is not None and folder is not None:
            take_head(self.head, folder)

    @property
    def learner(self) -> Learner:
        """The network with what it reads, and the objective's head."""
        fits = self._trainer is not None and self.trainer.state.fn == "fit"
        share = training_share(self.trainer) if fits and not self.hparams["start"] else 1.0
        return Learner(self.network, self.frozen[0], self.head, share)

    def on_fit_end(self) -> None:
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if isinstance(data, PhraseData):
            data.check()  # nothing is exported that was learned from broken data
        super().on_fit_end()

    def on_fit_start(self) -> None:
        super().on_fit_start()
        cache = self.frozen[0].cache
        if cache is None:
            return
        count = pictures_shown(self.trainer.datamodule)  # type: ignore[attr-defined]
        # A picture of nothing, from which the size of all others is known.
        self.frozen[0].maps(torch.zeros(1, 3, self.network.side, self.network.side))
        if self.trainer.is_global_zero:
            print(cache.estimate(count), file=sys.stderr)

    def training_step(self, batch: dict[str, Any], index: int) -> Tensor:
        generator = self.generator()
        noise = FeatureNoise(self.word_noise, self.map_noise, generator)
        terms = self.objective.terms(replace(self.learner, noise=noise), batch, generator)
        for name, value in terms.items():
            self.log(f"loss_{name}", value.detach())
        loss = torch.stack(list(terms.values())).sum()
        if self.trainer.world_size > 1:
            loss = loss + no_loss(self)
        return self.log_loss(loss)

    def validation_step(self, batch: dict[str, Any], index: int) -> None:
        if self.learner.share < self.objective.alone:
            return  # an early stop would count what cannot have got better
        found = self.learner.answers(batch)
        present = batch["present"].flatten()
        truth = batch["object"].flatten(0, 1)
        drawn = found.best()[0] > 0
        overlap = (drawn & truth).sum((1, 2)) / (drawn | truth).sum((1, 2)).clamp_min(1)
        right = (found.presence > 0) == present
        count = int(present.sum())
        if count:
            self.log(
                "val_miou", overlap[present].mean(), prog_bar=True, batch_size=count, sync_dist=True
            )
            self.log("val_target", right[present].float().mean(), batch_size=count, sync_dist=True)
        if count < len(present):
            absent = right[~present].float().mean()
            self.log(
                "val_absent", absent, prog_bar=True, batch_size=len(present) - count, sync_dist=True
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["backbones"] = list(self.network.backbones)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if "backbones" not in checkpoint:
            raise UserError(
                "the checkpoint does not say which backbones its network reads, as those of region "
                "networks do: give --ckpt_path one that this recipe wrote"
            )
        check_backbones(checkpoint["backbones"], self.frozen[0].identities)
        super().on_load_checkpoint(checkpoint)
        self.trained = True

    def on_test_start(self) -> None:
        if not self.trained:
            if local_folder(self.shipped) is None and not hub_name(self.shipped):
                raise UserError(
                    f"there is no trained network in {self.shipped!r}: give a checkpoint of this "
                    "recipe with --ckpt_path, or a folder of weights with --model.init_args.shipped"
                )
            shipped = load_region_network(self.shipped)
            check_backbones(shipped.backbones, self.frozen[0].identities)
            self.network = shipped.to(self.device)

    on_predict_start = on_test_start

    def on_validation_start(self) -> None:
        if self.trainer.state.fn == "validate":
            self.on_test_start()

    test_step = validation_step

    def predict_step(self, batch: dict[str, Any], index: int) -> dict[str, Any]:
        """Of every phrase: the best mask [P, 1, S, S], its score and its presence [P]."""
        found = self.learner.answers(batch)
        masks, score = found.best()
        return {
            "phrases": batch["phrases"],
            "masks": masks.float().sigmoid()[:, None].cpu(),
            "score": score.sigmoid(),
            "presence": found.presence.sigmoid(),
        }

    def on_test_end(self) -> None:
        proposer = LearnedProposer(self.network, self.frozen[0])
        weights = self.trainer.ckpt_path or self.hparams["start"] or self.shipped
        compare(self.comparison, proposer, str(weights), str(self.device))

    def export(self, folder: Path) -> None:
        """What RegionNetwork.from_pretrained loads, float16, its presence calibrated; beside it the
        objective's head."""
        from copy import deepcopy

        network = deepcopy(self.network).eval()
        if self.target:
            loader = self.trainer.datamodule.val_dataloader()  # type: ignore[attr-defined]
            logits = presences(Learner(network, self.frozen[0]), loader, self.device)
            shift_presence(network, logits, self.target)
        network.half().save_pretrained(folder)
        if self.head is not None:
            save_head(self.head, folder)


def check_same(network: RegionNetwork, wanted: dict[str, Any], start: str) -> None:
    """Raises UserError where a network that is gone on with is not as the recipe wants it."""
    has = network.settings
    for name, value in wanted.items():
        if has[name] != value:
            raise UserError(
                f"the network of {start!r} has {name}: {has[name]}, but model.init_args.network "
                f"says {value}: say the same, or begin without model.init_args.start"
            )


def pictures_shown(data: Any) -> int:
    """How many different pictures a data module shows in all of a training, at most.

    Raises UserError where it shows others every time: their features would be kept for nothing.
    """
    if isinstance(data, PhraseData):
        return data.pictures()
    raise UserError(
        f"a feature cache keeps nothing of {type(data).__name__}, whose pictures are others every "
        "time: take PhraseData, or leave --model.init_args.features.init_args.cache out"
    )
