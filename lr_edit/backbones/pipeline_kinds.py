"""Which pipeline of diffusers loads a folder so that it inpaints, and how it calls its options.

It loads no weights.
"""

from inspect import signature
from pathlib import Path
from typing import Any

from lr_edit.backbones.pipeline_files import pipeline_index
from lr_edit.errors import UserError


def pipeline_kind(folder: Path, name: str | None = None) -> Any:
    """What loads the pipeline of a folder so that it inpaints.

    name: a class of diffusers; None for the folder's own where that takes a mask, and otherwise for
    AutoPipelineForInpainting, which looks for its relative. UserError for an unknown name, and
    where there is no relative.
    """
    import diffusers

    own = str(pipeline_index(folder).get("_class_name"))
    kind = getattr(diffusers, name or own, None)
    if kind is not None and "mask_image" in signature(kind.__call__).parameters:
        return kind
    if name is not None:
        raise UserError(
            f"pipeline is {name!r}: give a pipeline of diffusers that takes a mask, such as "
            "FluxFillPipeline, or leave it out"
        )
    if not _has_relative(own):
        raise UserError(
            f"{str(folder)!r} is a {own}, for which diffusers {diffusers.__version__} has no "
            "relative that takes a mask: give one with the same networks as `pipeline`, as "
            "QwenImageEditInpaintPipeline for a QwenImageEditPlusPipeline, or choose another model"
        )
    return diffusers.AutoPipelineForInpainting


def _has_relative(name: str) -> bool:
    """Whether AutoPipelineForInpainting finds a pipeline of the same family."""
    from diffusers.pipelines import auto_pipeline as known

    tables: Any = known.SUPPORTED_TASKS_MAPPINGS  # which the library leaves untyped
    families = {
        family for table in tables for family, kind in table.items() if kind.__name__ == name
    }
    return not families.isdisjoint(known.AUTO_INPAINT_PIPELINES_MAPPING)


def cfg_name(takes: Any) -> str:
    """How a pipeline calls the scale of its guidance.

    true_cfg_scale where guidance_scale is missing or defaults to None, as for Qwen's models:
    those were not distilled to read the scale as an input.
    """
    plain = takes.get("guidance_scale")
    if "true_cfg_scale" in takes and (plain is None or plain.default is None):
        return "true_cfg_scale"
    return "guidance_scale"
