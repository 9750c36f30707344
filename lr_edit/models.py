"""Sets of models by name: configs/models/NAME.yaml => frozen networks, each loaded when first used.

An entry of the file is `class_path` and `init_args`; the entries are those of `ModelSet`. Beside
them may stand `options`: defaults of infer.py that suit the models. Nothing here tells one set from
another.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, get_type_hints

from lr_edit.backbones.base import Diffusion, ImageTextEncoder, PerceptualDistance, Segmenter
from lr_edit.backbones.devices import device_named
from lr_edit.backbones.dino import DinoEncoder
from lr_edit.backbones.latent import Inpainter
from lr_edit.backbones.memory import enough_memory
from lr_edit.errors import UserError
from lr_edit.model_files import class_and_arguments, config_path, entries_of
from lr_edit.regions.region import RegionProposer

_REMEDY = "take a smaller model set (--models), or give --device cpu"


class MissingWeights(UserError):
    """Weights that are not here and could not be had. reason: why, as whoever looked for them said.

    The message names them, and the command that fetches them.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class ModelSet:
    """Networks that are loaded when first asked for, and kept.

    loaders: by the entry's name, what makes it. Asking for one raises UserError where the set has
    none, where its weights are missing or damaged, or where memory runs out. entries: by name, the
    class and its init_args, as far as they are known.
    """

    loaders: Mapping[str, Callable[[], Any]] = field(repr=False)
    name: str = "models"
    entries: Mapping[str, tuple[type, Mapping[str, Any]]] = field(default_factory=dict, repr=False)
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

    @property
    def finder(self) -> RegionProposer | None:
        """What looks for that which was painted, to rank candidates: `region`, where there is
        one."""
        return self.region if self.has("region") else None

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
        """The network of that entry (see `model_files.KINDS`), loaded if need be."""
        if not self.has(part):
            raise UserError(
                f"the model set {self.name!r} has no {part}: add one to its file, or choose "
                "another set"
            )
        if part not in self._loaded:
            self._loaded[part] = self.loaders[part]()
        return self._loaded[part]

    def loading(self, parts: Sequence[str]) -> Iterator[str]:
        """Loads these entries in turn, and gives each one's name when it is there.

        Where the weights of one cannot be had, MissingWeights names all that these entries lack.
        """
        for part in parts:
            try:
                self.part(part)
            except MissingWeights as error:
                raise self._lacking(parts, error.reason) from error
            yield part

    def _lacking(self, parts: Sequence[str], reason: str) -> MissingWeights:
        """The error for all that some entries lack."""
        from lr_edit.backbones.sources import readable
        from lr_edit.fetching import described, lacking

        sources = lacking({part: self.entries[part] for part in parts if part in self.entries})
        told = "; ".join(f"{', '.join(who)}: {described(s)}" for s, who in sources.items())
        total = readable(sum(source.size or 0 for source in sources))
        return MissingWeights(
            f"{reason}; what this needs and lacks is {told}; about {total} in all: get it with "
            f"python infer.py fetch --models {self.name}",
            reason,
        )


def load_models(name: str | Path = "tabletop", device: str = "cpu") -> ModelSet:
    """The model set of configs/models/NAME.yaml, or of any .yaml file; no weights are read yet.

    device: cpu, auto, or a device of torch, for all networks.

    Raises UserError for an unknown set, class, argument or device.
    """
    where = str(device_named(device))
    path = config_path(name)
    entries = {
        part: class_and_arguments(path, part, entry, where)
        for part, entry in entries_of(path).items()
    }
    loaders = {part: partial(_made, str(name), part, *entries[part]) for part in entries}
    return ModelSet(loaders, str(name), entries)


def _made(models: str, part: str, kind: type, arguments: Mapping[str, Any]) -> Any:
    """kind(**arguments), where a record of options may still be a dict of them.

    Where weights are missing that can be fetched, MissingWeights names them, and the command.
    """
    hints = get_type_hints(kind.__init__)  # type: ignore[misc]
    ready = {
        name: hints[name](**value) if is_dataclass(hints.get(name)) else value
        for name, value in arguments.items()
    }
    try:
        with enough_memory(_REMEDY):
            return kind(**ready)
    except UserError as error:
        from lr_edit.fetching import described, missing  # it knows every class that loads weights

        lacking = "; ".join(map(described, missing(kind, arguments)))
        if not lacking:
            raise
        raise MissingWeights(
            f"{error}; the entry {part} lacks {lacking}: get it with python infer.py fetch "
            f"--models {models} --only {part}",
            str(error),
        ) from error
