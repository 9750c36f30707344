"""Files that list pictures and phrases: JSON, lines of JSON, tables; they open no picture.

What is wrong with such a file as a whole is a mistake that ends the run: UserError.
"""

import csv
import json
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lr_edit.errors import UserError

_SHOWN = 20  # names in a message


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What goes wrong with a file inside becomes UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{str(path)!r} cannot be read ({error.strerror or error}): give the path of a file"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{str(path)!r} is no text file in UTF-8: check the path") from error


def json_file(path: Path) -> Any:
    """What a JSON file holds; raises UserError for a missing file or one that is not JSON."""
    with _readable(path), path.open(encoding="utf-8-sig") as file:
        try:
            return json.load(file)
        except json.JSONDecodeError as error:
            raise UserError(
                f"{str(path)!r} is no JSON, line {error.lineno}: {error.msg}"
            ) from error


def json_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file with a JSON object on every line; blank lines are left out.

    Raises UserError for a missing file, and for the first line that is no object.
    """
    rows = []
    with _readable(path), path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                row = None
            if not isinstance(row, dict):
                raise UserError(f"{str(path)!r}, line {number}, is no JSON object: mend that line")
            rows.append(row)
    return rows


def table(path: Path, columns: Iterable[str]) -> Iterator[list[str]]:
    """Those columns of a CSV file whose first line names its columns, row by row.

    Raises UserError for a missing file and for columns that it lacks.
    """
    with _readable(path), path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        named = next(rows, [])
        check_columns(columns, named, str(path))
        places = [named.index(column) for column in columns]
        for row in rows:
            if len(row) >= len(named):
                yield [row[place] for place in places]


def check_columns(wanted: Iterable[str], found: Iterable[str], name: str) -> None:
    """Raises UserError, which names the missing, the found and the wanted, unless all are there."""
    check_names(wanted, found, name, "column")


def check_names(wanted: Iterable[str], found: Iterable[str], name: str, kind: str) -> None:
    """As `check_columns`, for what is called otherwise, such as the keys of an object."""
    needed, there = list(wanted), list(found)
    missing = [one for one in needed if one not in there]
    if missing:
        raise UserError(
            f"{name} has no {kind} {_listed(missing)}: it has {_listed(there) or 'none'}; expected "
            f"{_listed(needed)}"
        )


def check_keys(rows: Iterable[Any], wanted: Iterable[str], name: str) -> None:
    """Raises UserError, as `check_columns`, for the first row that is no object with those keys.

    name: what a row is called, as "'a.json', task"; its number follows.
    """
    needed = list(wanted)
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise UserError(f"{name} {number} is no object: expected {_listed(needed)}")
        if not all(key in row for key in needed):
            check_names(needed, row, f"{name} {number}", "key")


def _listed(names: Iterable[str]) -> str:
    """Names for a person, those beyond the first twenty left out."""
    shown = [repr(name) for name in names]
    return ", ".join(shown[:_SHOWN] + ["…"] * (len(shown) > _SHOWN))


def grouped(items: Iterable[Any], key: Callable[[Any], Hashable]) -> list[list[Any]]:
    """The items in lists of the same key, in the order in which the keys first come."""
    groups: dict[Hashable, list[Any]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())
