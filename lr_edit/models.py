"""Sets of models by name: configs/models/NAME.yaml => frozen networks, each loaded when first used.

An entry of the file is `class_path` and `init_args`; the entries are those of `ModelSet`. Nothing
here tells one set from another.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import Any

from lr_edit.backbones.base import Diffusion, ImageTextEncoder, PerceptualDistance, Segmenter
from lr_edit.backbones.devices import device_named
from lr_edit.backbones.dino import DinoEncoder
from lr_edit.backbones.folders import ROOT
from lr_edit.errors import UserError
from lr_edit.regions.region import RegionProposer

FOLDER = ROOT / "configs" / "models"
KINDS: dict[str, type] = {
    "clip": ImageTextEncoder,
    "scorer": ImageTextEncoder,
    "segmenter": Segmenter,
    "perceptual": PerceptualDistance,
    "diffusion": Diffusion,
    "region": RegionProposer,
    "dino": DinoEncoder,
}


@dataclass(frozen=True)
class ModelSet:
    """Networks that are loaded when first asked for, and kept.

    loaders: by the entry's name, what makes it. Asking for one raises UserError where the set has
    none, or where its weights are missing or damaged.
    """

    loaders: Mapping[str, Callable[[], Any]] = field(repr=False)
    name: str = "models"
    _loaded: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, **models: Any) -> "ModelSet":
        """A set of networks that exist already: ModelSet.of(clip=…, diffusion=…)."""
        return cls({}, _loaded=models)

    @cached_property
    def clip(self) -> ImageTextEncoder:
        """CLIP, which selects regions and guides."""
        return self.part("clip")

    @cached_property
    def scorer(self) -> ImageTextEncoder:
        """What ranks candidates: an encoder that did not guide them, or `clip` without one."""
        return self.part("scorer") if self.has("scorer") else self.clip

    @cached_property
    def segmenter(self) -> Segmenter:
        """The semantic segmenter."""
        return self.part("segmenter")

    @cached_property
    def region(self) -> RegionProposer:
        """The learned region proposer."""
        return self.part("region")

    @cached_property
    def dino(self) -> DinoEncoder:
        """DINO, where regions are learned on a single picture."""
        return self.part("dino")

    @cached_property
    def perceptual(self) -> PerceptualDistance:
        """LPIPS."""
        return self.part("perceptual")

    @cached_property
    def diffusion(self) -> Diffusion:
        """The diffusion model."""
        return self.part("diffusion")

    def has(self, part: str) -> bool:
        """Whether the set has an entry of that name; loads nothing."""
        return part in self.loaders or part in self._loaded

    def part(self, part: str) -> Any:
        """The network of that entry (see `KINDS`), loaded if need be."""
        if not self.has(part):
            raise UserError(
                f"the model set {self.name!r} has no {part}: add one to its file, or choose "
                "another set"
            )
        if part not in self._loaded:
            self._loaded[part] = self.loaders[part]()
        return self._loaded[part]


def load_models(name: str | Path = "tabletop", device: str = "cpu") -> ModelSet:
    """The model set of configs/models/NAME.yaml, or of any .yaml file; no weights are read yet.

    device: cpu, auto, or a device of torch, for all networks.

    Raises UserError for an unknown set, class, argument or device.
    """
    where = str(device_named(device))
    path = config_path(name)
    entries = _entries(path)
    return ModelSet(
        {part: _loader(path, part, entry, where) for part, entry in entries.items()},
        name=str(name),
    )


def model_sets() -> list[str]:
    """The names of the sets that the project has."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def config_path(name: str | Path) -> Path:
    """The file of a model set: of that name, or, ending in .yaml, at that path."""
    if str(name) in model_sets():
        return FOLDER / f"{name}.yaml"
    path = Path(name)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return path
    raise UserError(
        f"the model set {str(name)!r} is unknown: give one of {', '.join(model_sets())}, or the "
        "path of a .yaml file"
    )


def _entries(path: Path) -> dict[str, Any]:
    """The entries of a file, their names checked."""
    import yaml

    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{str(path)!r} is no model set ({reason}): expected YAML") from error
    if not isinstance(entries, dict):
        raise UserError(f"{str(path)!r} is no model set: expected entries {', '.join(KINDS)}")
    unknown = sorted(set(map(str, entries)) - set(KINDS))
    if unknown:
        raise UserError(
            f"{str(path)!r} has an unknown entry {unknown[0]!r}: expected {', '.join(KINDS)}"
        )
    return {part: entry for part, entry in entries.items() if entry is not None}


def _loader(path: Path, part: str, entry: Any, device: str) -> Callable[[], Any]:
    """What makes the network of an entry; its class and arguments are checked now."""
    from jsonargparse import ArgumentError, ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(KINDS[part], part, required=True)
    try:
        config = parser.parse_object({part: entry})
        config[part].init_args.device = device
    except (ArgumentError, TypeError, AttributeError) as error:
        raise UserError(
            f"{str(path)!r}: the entry {part} is wrong ({_reason(error)}): expected class_path and "
            "init_args"
        ) from error
    module, _, kind = config[part].class_path.rpartition(".")
    # Called directly: jsonargparse would bury the constructor's own UserError in its report.
    return partial(getattr(import_module(module), kind), **config[part].init_args.as_dict())


def _reason(error: Exception) -> str:
    """What jsonargparse complains of, without the list of types around it."""
    text = " ".join(str(error).split())
    text = text.partition("Errors: - ")[2] or text
    return text.partition(" - Expected a <class")[0][:200]
