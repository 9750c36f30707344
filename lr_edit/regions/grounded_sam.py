"""Grounding DINO finds boxes for a phrase, and SAM 2 cuts out what stands in each.

Liu et al., "Grounding DINO", ECCV 2024; Ravi et al., "SAM 2", 2024; together as in Ren et al.,
"Grounded SAM", 2024. It knows nothing of other proposers.
"""

import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lr_edit.backbones.devices import device_named
from lr_edit.images import to_pil
from lr_edit.instruction import Reading, check_length
from lr_edit.phrase import indefinite
from lr_edit.regions.published import check_share, published
from lr_edit.regions.region import Alternative, Region, RegionProposer, checked_phrase


@dataclass(frozen=True)
class Boxes:
    """What a detector sees, best first.

    corners: float32 [K, 4], (x0, y0, x1, y1) in pixels. scores: float32 [K] in [0, 1]. labels: the
    words of the phrase that each answers to. present: whether any score is above the threshold;
    where not, the one box is the nearest.
    """

    corners: Tensor
    scores: Tensor
    labels: tuple[str, ...]
    present: bool


class GroundedSamProposer(RegionProposer):
    """The best box's mask, or for a phrase that names several things, all of them together.

    detector, segmenter: folders, or owner/name on the hub, a Grounding DINO and a SAM 2; their
    revisions: commits, branches or tags there. box_threshold: least score of a box. text_threshold:
    least score of a word of the phrase to be in a box's label. 0.3 and 0.25 are those of Grounded
    SAM's own demonstration. most: boxes beyond the best so many are passed over.

    Raises UserError for missing or damaged weights, and for thresholds outside [0, 1].
    """

    def __init__(
        self,
        detector: str = "IDEA-Research/grounding-dino-tiny",
        segmenter: str = "facebook/sam2.1-hiera-tiny",
        detector_revision: str | None = None,
        segmenter_revision: str | None = None,
        box_threshold: float = 0.3,
        text_threshold: float = 0.25,
        most: int = 32,
        device: str = "cpu",
    ) -> None:
        from transformers import (
            GroundingDinoForObjectDetection,
            GroundingDinoProcessor,
            Sam2Model,
            Sam2Processor,
        )

        self.box_threshold = check_share(box_threshold, "box_threshold")
        self.text_threshold = check_share(text_threshold, "text_threshold")
        self.most, self._device = most, device_named(device)
        self._detector, self._reads = published(
            GroundingDinoForObjectDetection, GroundingDinoProcessor, detector, detector_revision,
            self._device,
        )  # fmt: skip
        self._segmenter, self._sees = published(
            Sam2Model, Sam2Processor, segmenter, segmenter_revision, self._device
        )

    def propose(
        self, image: Tensor, phrase: str, reading: Reading = "refer", paint: str = ""
    ) -> Region:
        """The masks of all boxes are ranked by their boxes' scores; empty ones are left out.

        The confidence is the best score. Raises UserError for a phrase beyond the context.
        """
        phrase = checked_phrase(phrase)
        boxes = self.boxes(image, phrase)
        masks = self.masks(image, boxes.corners).to(image.device)
        return boxes_region(boxes, masks, phrase)

    @torch.no_grad()
    def boxes(self, image: Tensor, phrase: str) -> Boxes:
        """The boxes of a phrase in image [1, 3, H, W] whose scores are above the threshold."""
        given: Any = self._reads(
            images=to_pil(image), text=[as_sentence(phrase)], return_tensors="pt"
        )
        most = self._detector.config.max_text_len
        check_length(given["input_ids"].shape[1], most, phrase, "Grounding DINO")
        out = self._detector(**given.to(self._device))
        best = float(out.logits.sigmoid().max())
        present = best > self.box_threshold
        found = self._reads.post_process_grounded_object_detection(
            out, given["input_ids"], self.box_threshold if present else best * (1 - 1e-6),
            self.text_threshold, target_sizes=[tuple(image.shape[-2:])],
        )[0]  # fmt: skip
        order = found["scores"].argsort(descending=True, stable=True)[: self.most]
        labels = tuple(found["text_labels"][k] or phrase for k in order.tolist())
        return Boxes(found["boxes"][order].cpu(), found["scores"][order].cpu(), labels, present)

    @torch.no_grad()
    def masks(self, image: Tensor, corners: Tensor) -> Tensor:
        """What stands in each of K boxes (x0, y0, x1, y1) in pixels: float32 [K, 1, H, W], 0 or 1.

        One mask a box, as SAM 2 recommends for prompts that leave little open.
        """
        given: Any = self._sees(
            images=to_pil(image), input_boxes=[corners.tolist()], return_tensors="pt"
        ).to(self._device)
        sizes = given.pop("original_sizes")
        logits = self._segmenter(**given, multimask_output=False).pred_masks.float().cpu()
        # One at a time: at a photograph's size the upsampled logits of many fill the memory.
        masks = [self._sees.post_process_masks(one, sizes)[0] for one in logits.split(1, dim=1)]
        return torch.cat(masks).float()


def boxes_region(boxes: Boxes, masks: Tensor, phrase: str) -> Region:
    """The region of K boxes, best first, and their masks [K, 1, H, W]; see `names_several`."""
    ranked = [
        Alternative(mask[None], float(score), label)
        for mask, score, label in zip(masks, boxes.scores, boxes.labels, strict=True)
        if mask.any()
    ]
    if not ranked:
        return Region(torch.zeros_like(masks[:1]), (), float(boxes.scores[0]), present=False)
    if len(ranked) > 1 and names_several(phrase):
        together = masks.amax(0, keepdim=True)
        ranked.insert(0, Alternative(together, ranked[0].score, phrase))
    return Region(ranked[0].mask, tuple(ranked), ranked[0].score, boxes.present)


def as_sentence(phrase: str) -> str:
    """A phrase as Grounding DINO was trained to read it: in lower case, a full stop at its end."""
    return phrase.lower().rstrip(" .") + "."


def names_several(phrase: str) -> bool:
    """Whether a phrase names several things: "all the mugs", "every mug", "the cat and the dog"."""
    phrase = phrase.lower()
    if re.match(r"(?:all|both|every|each) ", phrase):
        return True
    if re.search(r"(?:,| and) (?:the|an?|this|that|these|those|all|both|every|each) ", phrase):
        return True
    return not re.match(r"an? ", indefinite(f"the {phrase}"))
