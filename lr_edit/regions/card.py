"""The region network on the Hugging Face hub: its model card, and pushing without surprises.

The weights are safetensors; nothing pickled is written. It does not know what the network computes.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, PyTorchModelHubMixin
from torch import nn

from lr_edit.backbones.checks import README, read_card
from lr_edit.errors import UserError

MARK = "<!-- Written by lr_edit from the network itself; take this line out to keep changes. -->"
UPLOADED = ("README.md", "config.json", "model.safetensors")
_SIZES = {
    "side": "pixels a side", "width": "channels", "heads": "attention heads",
    "mixers": "blocks over cells", "rounds": "rounds of reading", "proposals": "masks a phrase",
}  # fmt: skip
_TRAINING = ("recipe", "command", "steps", "seconds", "machine", "data")

TEMPLATE = (
    """---
{{ card_data }}
---

"""
    + MARK
    + """

# {{ name }}

A region network of lr_edit: it reads a picture and a phrase ("the red car") and gives ranked masks
of what is meant, a score for each, and whether anything fits at all. A phrase may also be an edit
prompt ("a blue mug"): then it looks for what that edit is about.

## What it needs

It is of no use alone. It reads features of frozen networks, and those with these weights, layers
and sides only; others are refused:

{% for line in backbones %}- `{{ line }}`
{% else %}- none
{% endfor %}
and the token states ({{ words }} channels) of the text tower of CLIP.

## How to use it

```python
from lr_edit.regions.trained import TrainedProposer
proposer = TrainedProposer({{ arguments }})
region = proposer.propose(image, "the red car")  # image: float32 [1, 3, H, W] in [-1, 1]
```

`region.mask` is float32 [1, 1, H, W] in [0, 1].{% if wishes %} With `paint="a van"` it is told what
the car becomes, and `region.change` is all that this changes: the car, its shadow, and the room
that the van needs.{% endif %}{% if unnamed %} Put in the names of the networks
above, as `OpenClipEncoder` and `DinoEncoder` take them.{% endif %}

## Architecture

A text-conditioned mask decoder after Learnable Regions (Lin et al., CVPR 2024), with masks in place
of boxes; tokens and cells attend to each other in every round.

| | |
|---|---|
{% for fact, value in architecture.items() %}| {{ fact }} | {{ value }} |
{% endfor %}
## Figures

{% if figures %}| figure | |
|---|---|
{% for figure, value in figures.items() %}| {{ figure }} | {{ value }} |
{% endfor %}{% else %}None came with these weights.
{% endif %}
{% if training %}## Training

| | |
|---|---|
{% for fact, value in training.items() %}| {{ fact }} | {{ value }} |
{% endfor %}
{% endif %}## License

{{ license }}, as lr_edit. The frozen networks have licenses of their own.
"""
)


class HubNetwork(
    PyTorchModelHubMixin,
    library_name="lr_edit",
    license="mit",
    language=["en"],
    pipeline_tag="image-segmentation",
    tags=["image-segmentation", "referring-expression-segmentation"],
    model_card_template=TEMPLATE,
):
    """A module that saves itself with a useful card, and can be pushed.

    told: what card.json said of the weights, where their folder had one: `figures` and facts of the
    training.
    """

    told: Mapping[str, Any] = {}

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments that it was made with, by name."""
        return dict(self._hub_mixin_config)  # type: ignore[arg-type]

    def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:
        """The card. `name`: of the repository; `clip`, `pretrained`, `dino`: names of the backbones
        for the example. What is not given has a placeholder."""
        return super().generate_model_card(**card_facts(self, self.told, **kwargs))

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Pushes config.json, model.safetensors and README.md; returns the commit's address.

        options: as of huggingface_hub's `push_to_hub`; `model_card_kwargs` as of
        `generate_model_card`.

        Raises UserError, in one line, where nobody is logged in, the hub cannot be reached, or it
        refuses.
        """
        given = options.pop("model_card_kwargs", None) or {}
        options.setdefault("allow_patterns", list(UPLOADED))
        with pushing(repo_id):
            return super().push_to_hub(
                repo_id, model_card_kwargs={"name": repo_id, **given}, **options
            )

    def _save_pretrained(self, save_directory: Path) -> None:
        super()._save_pretrained(save_directory)
        readme = save_directory / README
        if readme.is_file() and MARK in readme.read_text(encoding="utf-8"):
            readme.unlink()  # of weights that were there before: a new one is written

    @classmethod
    def _from_pretrained(cls, *, model_id: str, strict: bool = True, **options: Any) -> Any:
        network = super()._from_pretrained(model_id=model_id, strict=strict, **options)
        card = read_card(model_id) if Path(model_id).is_dir() else None
        network.told = card or {}
        return network


def card_facts(
    network: Any,
    told: Mapping[str, Any],
    name: str = "OWNER/NAME",
    clip: str = "NAME",
    pretrained: str = "TAG",
    dino: str = "NAME",
) -> dict[str, Any]:
    """What TEMPLATE needs of a RegionNetwork, and of what its card.json told."""
    config = network.settings
    facts = {
        "parameters": f"{parameters(network) / 1e6:.2f} M",
        "channels of the feature maps": ", ".join(map(str, network.features)) or "none",
        **{title: config[key] for key, title in _SIZES.items()},
    }
    names = {"clip": clip, "pretrained": pretrained, "dino": dino}
    return {
        "name": name,
        "backbones": network.backbones,
        "words": config["words"],
        "wishes": network.wishes,
        "arguments": arguments(name, network.backbones, names),
        "unnamed": "NAME" in (clip, dino),
        "architecture": facts,
        "figures": {k.replace("_", " "): cell(v) for k, v in told.get("figures", {}).items()},
        "training": {key: cell(told[key]) for key in _TRAINING if key in told},
        "license": "MIT",
    }


def parameters(network: nn.Module) -> int:
    """How many numbers are learned."""
    return sum(p.numel() for p in network.parameters())


def arguments(name: str, backbones: tuple[str, ...], names: Mapping[str, str]) -> str:
    """The arguments of TrainedProposer in Python: layers and sides as in the identities."""
    said = {line.split()[0]: line for line in backbones}
    given: dict[str, Any] = {"clip": names["clip"]}
    if names["pretrained"]:
        given["pretrained"] = names["pretrained"]
    for kind, option in (("open_clip", "clip"), ("dino", "dino")):
        found = re.search(r"layers ([\d,]+) side (\d+)(?: stride (\d+))?", said.get(kind, ""))
        if found:
            given[option] = names[option]
            given[f"{option}_layers"] = [int(layer) for layer in found[1].split(",")]
            given[f"{option}_side"] = int(found[2])
            if found[3]:
                given[f"{option}_stride"] = int(found[3])
        elif kind == "open_clip":
            given["clip_maps"] = False
    return ", ".join([repr(name), *(f"{k}={v!r}" for k, v in given.items())])


@contextmanager
def pushing(repo_id: str) -> Iterator[None]:
    """What the hub's library raises inside becomes a UserError of one line."""
    from huggingface_hub import errors

    try:
        yield
    except (errors.HTTPError, errors.HFValidationError, OSError) as error:
        raise UserError(
            f"{repo_id!r} was not pushed to the Hugging Face hub: {why(error)}"
        ) from error


def why(error: Exception) -> str:
    """What went wrong with the hub, and what to do, as a person would say it."""
    from huggingface_hub import errors

    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 401 or isinstance(error, errors.LocalTokenNotFoundError):
        return "nobody is logged in; run hf auth login, or give a token that may write"
    if status == 403:
        return "the token may not write there; take one that may, or another repository"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set; unset it"
    if isinstance(error, errors.HfHubHTTPError | errors.HFValidationError):
        return f"it refuses ({_brief(error)}); check the name"
    if isinstance(error, errors.HTTPError | ConnectionError | TimeoutError):
        return "it cannot be reached; check the network"
    return f"{_brief(error)}; check the disk and the network"


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__


def cell(value: Any) -> str:
    """A figure or a fact in a cell of a table of Markdown."""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return " ".join(text.split()).replace("|", "\\|")
