"""Results that appear whole or not at all; it knows nothing of what they are."""

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lr_edit.errors import UserError

_UNFINISHED = ".unfinished-"
ESCAPED = "backslashreplace"
"""What becomes of file names that are not UTF-8 in JSON: \\udcXX, which is valid there."""


@contextmanager
def output_folder(
    path: str | Path, overwrite: bool = False, stale: Sequence[str] = ()
) -> Iterator[Path]:
    """A new folder to write to, within `path`; when all went well, its files move up into `path`.

    Otherwise it is removed, and so is every folder that was made for it, and `path` is as before.
    overwrite: files of the same names are replaced, those that match a pattern of `stale` go, and
    all others stay; without it `path` must be new or empty. That it can be written to is found out
    on entering, before any work.

    Raises UserError when the folder cannot be used.
    """
    target = Path(path)
    made: list[Path] = []
    check_output(target, overwrite)
    try:
        with unfinished(target) as temporary:
            with explained(target):
                made += [folder for folder in (target, *target.parents) if not folder.exists()]
                target.mkdir(parents=True, exist_ok=True)
                temporary.mkdir()
            yield temporary
            with explained(target):
                check_output(target, overwrite)  # another run may have filled it meanwhile
                for old in {old for pattern in stale for old in target.glob(pattern)}:
                    old.unlink()
                _move_up(temporary, target)
    finally:
        for folder in made:
            with suppress(OSError):  # not empty: the results are there
                folder.rmdir()


def check_output(path: str | Path, overwrite: bool = False) -> None:
    """Raises UserError where results cannot go to `path`; nothing is made.

    It may be new or an empty folder, where what a killed run left does not count; with overwrite
    any folder.
    """
    folder = Path(path)
    with explained(folder):
        if folder.is_file():
            raise UserError(f"the output folder {str(folder)!r} is a file: choose another")
        found = folder.iterdir() if folder.exists() and not overwrite else iter(())
        if any(not item.name.startswith(_UNFINISHED) for item in found):
            raise UserError(
                f"the output folder {str(folder)!r} is not empty: choose another, or give "
                "--overwrite"
            )


@contextmanager
def unfinished(root: Path) -> Iterator[Path]:
    """A new name in the folder `root`, for a file or a folder, which is gone in the end.

    What a kill leaves of it is known for a leftover: see `sweep`.
    """
    path = root / f"{_UNFINISHED}{uuid.uuid4().hex[:12]}"
    try:
        yield path
    finally:
        _remove(path)


def sweep(root: Path) -> None:
    """Removes what a killed process left unfinished in the folder `root`."""
    for left in root.glob(f"{_UNFINISHED}*"):
        _remove(left)


@contextmanager
def explained(target: Path) -> Iterator[None]:
    """What the disk refuses inside becomes UserError, which names the output folder."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"the output folder {str(target)!r} cannot be written to "
            f"({error.strerror or error}): choose another"
        ) from error


def _remove(path: Path) -> None:
    """Removes a file, a folder, or nothing; what cannot be removed stays."""
    with suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _move_up(temporary: Path, target: Path) -> None:
    """Every file of `temporary` to the same place in `target`, each at once."""
    for item in sorted(temporary.rglob("*")):
        place = target / item.relative_to(temporary)
        if item.is_dir():
            place.mkdir(exist_ok=True)
        else:
            item.replace(place)


def made_folder(output: str | Path) -> Path:
    """The folder of that name, made if need be; UserError where that cannot be."""
    folder = Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"the folder {str(folder)!r} cannot be made ({error.strerror}): choose another place"
        ) from error
    return folder


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary name in the folder of `path`, renamed to it when all went well, else removed.

    Raises UserError when the folder is missing or cannot be written to, or the disk is full.
    """
    path = Path(path)
    if not os.path.isdir(path.parent):
        raise UserError(f"the folder {shown(path.parent)} does not exist: create it first")
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(
            f"{shown(path)} cannot be written ({error.strerror or error}): choose another place"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """A file of indented JSON, any script as it is."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", errors=ESCAPED)


def shown(path: str | Path) -> str:
    """A path as a person is told it, on one line whatever it holds."""
    return repr(str(path))
