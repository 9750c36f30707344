"""A manifest of edits, JSON lines => checked requests; it opens no picture and loads no torch."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from lr_edit.cli.options import GROUPS
from lr_edit.cli.parsing import reason
from lr_edit.cli.settings import EditSettings, settings_of
from lr_edit.errors import NothingFits, UserError

RESERVED = ("results.jsonl", "errors.jsonl")  # the names of the index files
_LONGEST_ID = 120  # characters
_LONGEST_NAME = (
    240  # bytes: file systems take 255, and a folder that is replaced gets a longer name
)
_KINDS: dict[str, type] = {
    "image": str, "replace": str, "with": str, "remove": str, "instruction": str, "mask": str,
    "proposer": str, "region_only": bool, "force": bool, "grow": int, "feather": int, "count": int,
    "steps": int, "seed": int, "distance": str,
}  # fmt: skip
_NULLABLE = {
    "replace", "with", "remove", "instruction", "mask", "proposer", "grow", "feather", "distance",
}  # fmt: skip
# What a line says in one way is not to be said by the defaults in another.
_RIVALS = {
    "replace": ("remove", "instruction"), "with": ("remove", "instruction"),
    "remove": ("replace", "with", "instruction"), "instruction": ("replace", "with", "remove"),
    "mask": ("proposer",), "proposer": ("mask",), "sampling.steps": ("steps",),
    "window.grow": ("grow",), "window.margin": ("grow",), "window.feather": ("feather",),
}  # fmt: skip
_EXPECTED = {str: "text", bool: "true or false", int: "a whole number"}
_ANYWHERE = ("output", "overwrite", "threads", "device")  # change no request


@dataclass(frozen=True)
class Line:
    """An edit that a manifest asks for.

    number: of its line, from 1. id: the name of its folder. request: a hash of all that it asks.
    """

    number: int
    id: str
    settings: EditSettings
    request: str


@dataclass(frozen=True)
class Failure:
    """A line of a manifest that gave no edit, and why, in one line. status: failed, "nothing fits",
    or changed: its folder holds what another request gave."""

    number: int
    id: str
    error: str
    status: str = "failed"

    @classmethod
    def of(cls, number: int, name: str, error: UserError) -> "Failure":
        """What an error says."""
        status = "nothing fits" if isinstance(error, NothingFits) else "failed"
        return cls(number, name, " ".join(str(error).split()), status)


def read_manifest(path: str | Path, options: Namespace) -> tuple[list[Line], list[Failure]]:
    """The edits of a manifest and the lines that are none, each in order; blank lines are no lines.

    A line is a JSON object: id (else its number), and options of infer.py with values for this
    edit alone, `image` and `mask` relative to the manifest, groups as {"sampling": {"cfg": 2}} or
    {"sampling.cfg": 2}. options: of the command line, for what a line leaves out. A line that says
    what to do, or where, in one way, is not held to what they say in another.

    Raises UserError for a manifest that cannot be read or that has no lines.
    """
    lines: list[Line] = []
    failures: list[Failure] = []
    numbers: dict[str, int] = {}
    for number, text in _texts(Path(path)):
        name = str(number)
        try:
            fields = _fields(text)
            name = _checked_id(fields.pop("id", name))
            first = numbers.setdefault(name.casefold(), number)
            if first != number:
                raise UserError(f"the id {name!r} is that of line {first}: give each its own")
            settings = _settings(fields, options, Path(path).parent, name)
            lines.append(Line(number, name, settings, request_hash(settings)))
        except UserError as error:
            failures.append(Failure.of(number, name, error))
    if not lines and not failures:
        raise UserError(f"the manifest {str(path)!r} is empty: write one edit a line, as JSON")
    return lines, failures


def request_hash(settings: EditSettings) -> str:
    """16 hexadecimal digits for all that decides an edit but the pixels of its files."""
    asked = {name: value for name, value in settings.given.items() if name not in _ANYWHERE}
    asked["proposer"] = settings.proposer
    return sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def _texts(path: Path) -> Iterator[tuple[int, bytes]]:
    """Number and content of every line that is not blank."""
    try:
        content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise UserError(
            f"the manifest {str(path)!r} cannot be read ({error.strerror}): give a file with one "
            "edit a line, as JSON"
        ) from error
    for number, text in enumerate(content.split(b"\n"), 1):
        if text.strip():
            yield number, text


def _fields(text: bytes) -> dict[str, Any]:
    """What a line says, by the options' names, groups as "group.option"."""
    try:
        line = json.loads(text.decode("utf-8"))
        json.dumps(line, ensure_ascii=False).encode("utf-8")  # half a surrogate pair fails here
    except (ValueError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise UserError(f"the line is no JSON ({said}): write an object, {{…}}") from error
    if not isinstance(line, dict):
        raise UserError(f"the line is {_shown(line)}: write a JSON object, {{…}}")
    fields: dict[str, Any] = {}
    for key, value in line.items():
        inner = value if key in GROUPS and isinstance(value, dict) else None
        if inner is None:
            fields["region_only" if key == "region-only" else key] = value
        else:
            fields |= {f"{key}.{name}": one for name, one in inner.items()}
    return fields


def _checked_id(name: Any) -> str:
    """The id; UserError for one that cannot be the name of a folder."""
    if not isinstance(name, str):
        raise UserError(f"the id is {_shown(name)}: write text, in quotes")
    long = len(name) > _LONGEST_ID or len(name.encode()) > _LONGEST_NAME
    if long or not re.fullmatch(r"\w[\w.+=@-]*", name) or name in RESERVED:
        raise UserError(
            f"the id {_shown(name)} cannot name a folder: take up to {_LONGEST_ID} letters "
            f"({_LONGEST_NAME} bytes), digits and . _ - + = @"
        )
    return name


def _settings(fields: dict[str, Any], options: Namespace, folder: Path, name: str) -> EditSettings:
    """The checked request of a line."""
    values = options.clone()
    for key, value in fields.items():
        for rival in _RIVALS.get(key, ()) if value is not None else ():
            values[rival] = None
    groups: dict[str, dict[str, Any]] = {}
    for key, value in fields.items():
        group, dot, option = key.partition(".")
        if dot and group in GROUPS and option in values[group]:
            groups.setdefault(group, values[group].as_dict())[option] = value
        else:
            values[key] = _checked(key, value)
    if groups:
        values.update(_groups(json.dumps(groups, sort_keys=True)))
    if values.image is None:
        raise UserError('no picture is named: give its path as "image"')
    settings = settings_of(values)
    return replace(
        settings,
        output=str(Path(settings.output) / name),
        image=str(folder / settings.image) if "image" in fields else settings.image,
        mask=str(folder / fields["mask"]) if fields.get("mask") else settings.mask,
    )


def _checked(key: str, value: Any) -> Any:
    """The value, if the key is known and the value of its kind."""
    if key not in _KINDS:
        known = ", ".join(["id", *_KINDS, *(f"{group}.…" for group in GROUPS)])
        raise UserError(f"the key {_shown(key)} is unknown: expected {known}")
    if type(value) is not _KINDS[key] and not (value is None and key in _NULLABLE):
        raise UserError(f"{key!r} is {_shown(value)}: expected {_EXPECTED[_KINDS[key]]}")
    return value


@cache
def _group_parser() -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False)
    for name, kind in GROUPS.items():
        parser.add_class_arguments(kind, name)
    return parser


@lru_cache(maxsize=1024)  # jsonargparse takes tens of milliseconds
def _groups(text: str) -> Namespace:
    """The whole groups that a JSON text holds, every value of its type."""
    groups = json.loads(text)
    try:
        values = _group_parser().parse_object(groups)
    except ArgumentError as error:
        raise UserError(reason(error).replace("--", "")) from error
    return Namespace({name: values[name] for name in groups})


def _shown(value: Any) -> str:
    """A value of JSON on one short line."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"
