"""infer.py fetch: what a model set needs, brought here once, and where it lies."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser

from lr_edit.cli.parsing import new_parser, parsed
from lr_edit.errors import UserError

if TYPE_CHECKING:  # it loads nothing heavy, but what fills it does
    from lr_edit.backbones.sources import Source

_ABOUT = (
    "Fetch the weights that a model set needs, once: from the Hugging Face hub as safetensors, and "
    "from the libraries' own sites. Started again, it goes on where it was stopped."
)
_USAGE = "infer.py fetch --models NAME [--only clip,diffusion] [--folder DIR] [--list]"


def run(arguments: Sequence[str]) -> None:
    """Fetches, or with --list only tells what is here and what is missing.

    Raises UserError for an unknown set or entry, and where something cannot be had; what has come
    by then stays.
    """
    values = parsed(fetch_parser(), arguments)
    from lr_edit.cli.bars import quiet_libraries

    with quiet_libraries():
        sources = wanted(values.models, values.only, values.folder)
        if values.list:
            print(listed(sources, values.models))
            return
        total = 0
        for source, parts in sources.items():
            place = source.fetch()
            size = source.status().size
            total += size
            print(line(parts, size, source, place), flush=True)
    from lr_edit.backbones.sources import readable

    print(f"{values.models} is here: {readable(total)}{_environment(values.folder)}")


def fetch_parser() -> ArgumentParser:
    """The parser of `infer.py fetch`."""
    parser = new_parser("fetch", _ABOUT, _USAGE)
    add = parser.add_argument
    add("--models", required=True, help="name of a model set, or the path of its .yaml file")
    add("--only", metavar="ENTRIES", help="those entries of the set alone: clip,diffusion")
    add("--folder", metavar="DIR", help="keep it here, not in the caches of the libraries")
    add("--list", action="store_true", help="tell what is here and what is missing, and stop")
    return parser


def wanted(models: str, only: str | None, folder: str | None) -> "dict[Source, list[str]]":
    """What the entries of a set need, each once, with the entries that need it.

    only: names of entries separated by commas, None for all. folder: where to keep what is fetched,
    None for the caches. Raises UserError for an unknown set or entry.
    """
    from lr_edit.fetching import needs
    from lr_edit.model_files import described_entries

    entries = described_entries(models)
    chosen = list(entries) if only is None else [part.strip() for part in only.split(",")]
    for part in chosen:
        if part not in entries:
            raise UserError(
                f"--only names {part!r}, but the model set {models!r} has {', '.join(entries)}"
            )
    sources: dict[Source, list[str]] = {}
    for part in chosen:
        for source in needs(*entries[part]):
            kept = source if folder is None else source.within(Path(folder).absolute())
            sources.setdefault(kept, []).append(part)
    return sources


def listed(sources: "dict[Source, list[str]]", models: str) -> str:
    """A line for every source, and what is still to come."""
    from lr_edit.backbones.sources import readable

    lines, missing = [], 0
    for source, parts in sources.items():
        status = source.status()
        size = status.size if status.complete else source.size
        state = "here" if status.complete else "partly" if status.size else "missing"
        lines.append(f"{state:8}{line(parts, size, source, status.place)}")
        missing += 0 if status.complete else max(0, (source.size or 0) - status.size)
    rest = f"about {readable(missing)} to fetch: python infer.py fetch --models {models}"
    return "\n".join([*lines, rest if missing else "nothing is missing"])


def line(parts: Sequence[str], size: int | None, source: "Source", place: Path) -> str:
    """What a person is told of a source: who needs it, how large, what, and where."""
    from lr_edit.backbones.sources import readable

    told = "?" if size is None else readable(size)
    return f"{', '.join(parts):14}{told:>8}  {source.title}  {place}"


def _environment(folder: str | None) -> str:
    """How later commands find what was fetched to a folder."""
    if folder is None:
        return ""
    root = Path(folder).absolute()
    return f"; before you use it: export HF_HUB_CACHE={root / 'hub'} TORCH_HOME={root / 'torch'}"
