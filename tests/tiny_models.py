"""A whole model set with random weights, as files: what infer.py loads, in a second or two."""

from pathlib import Path

import torch
import weights

from lr_edit.backbones.perceptual import build_lpips, save_lpips
from lr_edit.backbones.perceptual_trunk import PerceptualTrunk

_SET = """
clip:
  class_path: lr_edit.backbones.open_clip.OpenClipEncoder
  init_args: {{name: "local-dir:{0}/clip"}}
segmenter:
  class_path: lr_edit.backbones.segformer.SegformerSegmenter
  init_args: {{name: "{0}/segformer"}}
perceptual:
  class_path: lr_edit.backbones.perceptual.LpipsDistance
  init_args: {{folder: "{0}/perceptual"}}
diffusion:
  class_path: lr_edit.backbones.diffusion.UNetDiffusion
  init_args: {{folder: "{0}/diffusion"}}
dino:
  class_path: lr_edit.backbones.dino.DinoEncoder
  init_args: {{name: "{0}/dino"}}
region:
  class_path: lr_edit.regions.trained.TrainedProposer
  init_args: {{folder: "{0}/region", clip: "local-dir:{0}/clip", threshold: {1}}}
"""


def tiny_models(folder: Path, threshold: float = 0.0, context: int = 20) -> Path:
    """The .yaml of a model set whose weights are in `folder`; threshold: of learned regions;
    context: tokens that its CLIP reads."""
    weights.clip(folder / "clip", context=context)
    weights.segformer(folder / "segformer")
    weights.diffusion(folder / "diffusion")
    torch.manual_seed(0)
    save_lpips(folder / "perceptual", build_lpips(PerceptualTrunk((8, 8))))
    weights.dino(folder / "dino")
    weights.region(folder / "region", folder / "clip")
    path = folder / "tiny.yaml"
    path.write_text(_SET.format(folder.as_posix(), threshold))
    return path
