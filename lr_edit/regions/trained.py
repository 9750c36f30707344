"""A trained region network from its folder, together with the frozen networks that it reads."""

from lr_edit.backbones.devices import device_named
from lr_edit.backbones.dino import DinoEncoder
from lr_edit.backbones.folders import located
from lr_edit.backbones.open_clip import OpenClipEncoder
from lr_edit.backbones.open_clip_dense import OpenClipDense
from lr_edit.regions.features import FrozenFeatures
from lr_edit.regions.learned import FILES, LearnedProposer, load_region_network


class TrainedProposer(LearnedProposer):
    """The learned proposer of a model set.

    folder: where `RegionNetwork.save_pretrained` wrote, or owner/name on the hub. clip: an OpenCLIP
    name as of OpenClipEncoder, `pretrained` its tag. clip_layers, clip_side, clip_stride,
    dino, dino_layers, dino_side: as in training; dino "" = none. clip_maps: False where CLIP only
    reads the words. revision, clip_revision, dino_revision: of `folder`, `clip` and `dino` on the
    hub, a commit, branch or tag; None for the newest.

    Raises UserError for missing or damaged weights, and for a network trained on other backbones.
    """

    def __init__(
        self,
        folder: str,
        clip: str,
        pretrained: str = "",
        clip_layers: tuple[int, ...] = (),
        clip_side: int = 0,
        clip_stride: int = 0,
        clip_maps: bool = True,
        dino: str = "",
        dino_layers: tuple[int, ...] = (),
        dino_side: int = 0,
        threshold: float = 0.5,
        device: str = "cpu",
        revision: str | None = None,
        clip_revision: str | None = None,
        dino_revision: str | None = None,
    ) -> None:
        encoder = OpenClipEncoder(clip, pretrained, device, clip_revision)
        features = FrozenFeatures(
            OpenClipDense(encoder, clip_layers, clip_side, clip_stride),
            DinoEncoder(dino, dino_layers, dino_side, device, dino_revision) if dino else None,
            clip_maps,
        )
        place = located(folder, FILES, revision)
        network = load_region_network(place, str(device_named(device)))
        super().__init__(network, features, threshold)
