"""Sets of models by name: configs/models/NAME.yaml => frozen networks, each loaded when first used.

An entry of the file is `class_path` and `init_args`; the entries are those of `ModelSet`. Beside
them may stand `options`: defaults of infer.py that suit the models. Nothing here tells one set from
another.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, is_dataclass
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

from lr_edit.backbones.base import Diffusion, ImageTextEncoder, PerceptualDistance, Segmenter
from lr_edit.backbones.devices import device_named
from lr_edit.backbones.dino import DinoEncoder
from lr_edit.backbones.folders import ROOT
from lr_edit.backbones.latent import Inpainter
from lr_edit.errors import UserError
from lr_edit.regions.region import RegionProposer

FOLDER = ROOT / "configs" / "models"
KINDS: dict[str, type] = {
    "clip": ImageTextEncoder,
    "scorer": ImageTextEncoder,
    "segmenter": Segmenter,
    "perceptual": PerceptualDistance,
    "diffusion": Diffusion,
    "inpainter": Inpainter,
    "region": RegionProposer,
    "clipseg": RegionProposer,
    "grounded_sam": RegionProposer,
    "dino": DinoEncoder,
}
_OPTIONS = "options"


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
        """The diffusion model, of pixels or of latents."""
        return self.part("diffusion")

    @cached_property
    def inpainter(self) -> Inpainter:
        """A pipeline that edits unguided; where a set has one, it does the edits."""
        return self.part("inpainter")

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
        {
            part: partial(_made, str(name), part, *_class_and_arguments(path, part, entry, where))
            for part, entry in entries.items()
        },
        name=str(name),
    )


def described_entries(name: str | Path) -> dict[str, tuple[type, dict[str, Any]]]:
    """The class of each entry of a model set, and all its init_args; UserError as `load_models`."""
    path = config_path(name)
    return {
        part: _class_and_arguments(path, part, entry, "cpu")
        for part, entry in _entries(path).items()
    }


def entry_arguments(name: str | Path, part: str) -> dict[str, Any]:
    """The init_args of an entry of a model set; UserError where the set has no such entry."""
    path = config_path(name)
    entries = _entries(path)
    if part not in entries:
        raise UserError(f"{str(path)!r} has no entry {part}: expected one")
    return dict(entries[part].get("init_args", {}))


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


def suggested_options(name: str | Path) -> dict[str, dict[str, Any]]:
    """What a set suggests for an edit: values by group and option, as infer.py names them.

    Raises UserError as `load_models` does, and for what is no such table.
    """
    path = config_path(name)
    options = _read(path).get(_OPTIONS) or {}
    if not isinstance(options, dict) or not all(isinstance(g, dict) for g in options.values()):
        raise UserError(f"{str(path)!r}: options are {options!r}: expected groups of options")
    return options


def _entries(path: Path) -> dict[str, Any]:
    """The entries of a file, their names checked."""
    entries = _read(path)
    unknown = sorted(set(map(str, entries)) - set(KINDS) - {_OPTIONS})
    if unknown:
        raise UserError(
            f"{str(path)!r} has an unknown entry {unknown[0]!r}: expected {', '.join(KINDS)}"
        )
    return {part: entries[part] for part in KINDS if entries.get(part) is not None}


def _read(path: Path) -> dict[str, Any]:
    """What a file holds."""
    import yaml

    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{str(path)!r} is no model set ({reason}): expected YAML") from error
    if not isinstance(entries, dict):
        raise UserError(f"{str(path)!r} is no model set: expected entries {', '.join(KINDS)}")
    return entries


def _class_and_arguments(
    path: Path, part: str, entry: Any, device: str
) -> tuple[type, dict[str, Any]]:
    """The class of an entry and all its arguments, checked."""
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
    module, _, name = config[part].class_path.rpartition(".")
    kind = getattr(import_module(module), name)
    # Called directly: jsonargparse would bury the constructor's own UserError in its report.
    return kind, config[part].init_args.as_dict()


def _made(models: str, part: str, kind: type, arguments: Mapping[str, Any]) -> Any:
    """kind(**arguments), where a record of options may still be a dict of them.

    Where weights are missing that can be fetched, the error names them, and the command.
    """
    hints = get_type_hints(kind.__init__)  # type: ignore[misc]
    ready = {
        name: hints[name](**value) if is_dataclass(hints.get(name)) else value
        for name, value in arguments.items()
    }
    try:
        return kind(**ready)
    except UserError as error:
        from lr_edit.fetching import described, missing  # it knows every class that loads weights

        lacking = "; ".join(map(described, missing(kind, arguments)))
        if not lacking:
            raise
        raise UserError(
            f"{error}; the entry {part} lacks {lacking}: get it with python infer.py fetch "
            f"--models {models} --only {part}"
        ) from error


def _reason(error: Exception) -> str:
    """What jsonargparse complains of, without the list of types around it."""
    text = " ".join(str(error).split())
    text = text.partition("Errors: - ")[2] or text
    return text.partition(" - Expected a <class")[0][:200]
