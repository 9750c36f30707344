"""Model cards with checksums: card.json tells what a folder of weights is, and that it is whole.

README.md beside it is the same card for people. Nothing here knows what the weights mean.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lr_edit.errors import UserError
from lr_edit.output import replacing, write_json

CARD, README = "card.json", "README.md"
_REMEDY = "reinstall or run make weights"


def file_hashes(folder: str | Path) -> dict[str, str]:
    """SHA-256 of every file of a folder and those in it, by POSIX path; not of the card itself."""
    folder = Path(folder)
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    listed = [name for name in names if name not in (CARD, README) and not name.startswith(".")]
    return {name: _sha256(folder / name) for name in listed}


def read_card(folder: str | Path) -> dict[str, Any] | None:
    """What card.json says; None where there is none. UserError when it cannot be read."""
    path = Path(folder) / CARD
    if not path.is_file():
        return None
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(card["files"], dict):
            return card
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise UserError(f"damaged weights: {str(path)!r} is no model card; {_REMEDY}")


def verify(folder: str | Path) -> None:
    """Raises UserError when a file that the folder's card lists is missing or has changed.

    A folder without a card, someone's own, passes.
    """
    card = read_card(folder)
    for name, expected in (card or {"files": {}})["files"].items():
        path = Path(folder) / name
        if not path.is_file():
            raise UserError(f"missing weights: there is no file {str(path)!r}; {_REMEDY}")
        got = _sha256(path)
        if got != expected:
            raise UserError(
                f"damaged weights: {str(path)!r}, expected sha256 {str(expected)[:12]}…, "
                f"got {got[:12]}…; {_REMEDY}"
            )


def write_card(folder: str | Path, **facts: Any) -> None:
    """Write card.json, the facts and the checksums of all files there, and README.md from it.

    facts: `name` and, as far as known, architecture, parameters, data, steps,
    steps_before_this_curve (those of the weights that training went on from), seconds, machine,
    curve (the file name of a picture in the folder), figures (a dict), command; anything that JSON
    holds.
    """
    folder = Path(folder)
    card = {**facts, "files": file_hashes(folder)}
    with replacing(folder / CARD) as path:
        write_json(path, card)
    with replacing(folder / README) as path:
        path.write_text(render_card(card), encoding="utf-8")


def render_card(card: Mapping[str, Any]) -> str:
    """A card as Markdown: a table of the plain facts, a section a group, the curve, the files."""
    groups = {k: v for k, v in card.items() if isinstance(v, Mapping) and k != "files"}
    plain = {k: v for k, v in card.items() if k not in groups and k not in ("name", "files")}
    curve = plain.pop("curve", None)
    parts = [f"# {card.get('name', 'Model')}", _table("fact", plain), _legs(card)]
    parts += [f"## {_title(name)}\n\n{_table('figure', group)}" for name, group in groups.items()]
    if curve:
        parts.append(f"![loss by step]({curve})")
    files = "\n".join(f"- `{name}` {digest}" for name, digest in card["files"].items())
    parts.append(f"## Files (SHA-256)\n\n{files}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _legs(card: Mapping[str, Any]) -> str:
    """What curve and command leave out where training went on from earlier weights."""
    before = card.get("steps_before_this_curve")
    if not before:
        return ""
    return (
        f"The curve and the command are those of the last leg alone, {card['steps'] - before} "
        f"steps, which started from earlier weights that had taken {before} steps "
        "(`--model.init_args.start`). Steps and seconds are those of all legs."
    )


def _table(heading: str, rows: Mapping[str, Any]) -> str:
    if not rows:
        return ""
    lines = [f"| {_title(name)} | {_value(value)} |" for name, value in rows.items()]
    return "\n".join([f"| {heading} | |", "|---|---|", *lines])


def _title(name: str) -> str:
    return name.replace("_", " ")


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return " ".join(text.split()).replace("|", "\\|")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
