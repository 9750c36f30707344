"""CLIPSeg as a proposer: one network that draws a heat map for a phrase.

Lüddecke and Ecker, "Image Segmentation Using Text and Image Prompts", CVPR 2022. It knows nothing
of other proposers.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lr_edit.backbones.devices import device_named
from lr_edit.images import to_pil
from lr_edit.instruction import Reading, check_length
from lr_edit.regions.learned import pieces
from lr_edit.regions.published import check_share, published
from lr_edit.regions.region import Alternative, Region, RegionProposer, checked_phrase


class ClipsegProposer(RegionProposer):
    """Where CLIPSeg's heat reaches a threshold.

    name: a folder, or owner/name on the hub; revision: a commit, branch or tag there. threshold:
    least heat inside the mask, and least peak for a phrase to count as fitting; 0.4 is what
    ComfyUI_essentials' node ApplyCLIPSeg begins with. minimum: pieces of the mask under this share
    of the largest one are no alternatives of their own.

    Raises UserError for missing or damaged weights, and for a threshold outside [0, 1].
    """

    def __init__(
        self,
        name: str = "CIDAS/clipseg-rd64-refined",
        revision: str | None = None,
        threshold: float = 0.4,
        minimum: float = 0.1,
        device: str = "cpu",
    ) -> None:
        from transformers import CLIPSegForImageSegmentation, CLIPSegProcessor

        self.threshold, self.minimum = check_share(threshold, "threshold"), minimum
        self._device = device_named(device)
        self._model, self._processor = published(
            CLIPSegForImageSegmentation, CLIPSegProcessor, name, revision, self._device
        )
        self._context = int(self._model.config.text_config.max_position_embeddings)

    def propose(
        self, image: Tensor, phrase: str, reading: Reading = "refer", paint: str = ""
    ) -> Region:
        """All that is hot enough; its connected pieces are alternatives.

        The confidence is the highest heat. Raises UserError for a phrase beyond the context.
        """
        heat = self.heat(image, checked_phrase(phrase)).to(image.device)
        return heat_region(heat, self.threshold, self.minimum)

    @torch.no_grad()
    def heat(self, image: Tensor, phrase: str) -> Tensor:
        """How well each pixel of image [1, 3, H, W] fits: float32 [1, 1, H, W] in [0, 1].

        The picture is squeezed to the network's square (352 pixels) by its own processor; the
        sigmoid of the logits there is resized to the picture.
        """
        given = self._processor(text=[phrase], images=to_pil(image), return_tensors="pt")
        check_length(given["input_ids"].shape[1], self._context, phrase, "CLIPSeg")
        logits = self._model(**given.to(self._device)).logits
        square = logits.float().sigmoid().view(1, 1, *logits.shape[-2:])
        size = (image.shape[2], image.shape[3])
        resized = F.interpolate(square, size, mode="bilinear", antialias=True, align_corners=False)
        return resized.clamp(0, 1)


def heat_region(heat: Tensor, threshold: float, minimum: float) -> Region:
    """The region of heat [1, 1, H, W] in [0, 1]: mask = heat >= threshold.

    Where nothing is that hot the phrase is not present, and the mask is what comes nearest: all
    within that share of the peak.
    """
    peak = float(heat.max())
    present = peak >= threshold
    mask = (heat >= (threshold if present else threshold * peak)).float()
    ranked = [Alternative(mask, peak, "all")]
    for piece in pieces(mask[0, 0], minimum):
        ranked.append(Alternative(piece[None, None], float((heat * piece).max()), "piece"))
    ranked.sort(key=lambda one: -one.score)
    return Region(mask, tuple(ranked), confidence=peak, present=present)
