"""Results that appear whole or not at all; it knows nothing of what they are."""

import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from lr_edit.errors import UserError

_UNFINISHED = ".unfinished-"
ESCAPED = "backslashreplace"
"""What becomes of file names that are not UTF-8 in JSON: \\udcXX, which is valid there."""


@contextmanager
def output_folder(
    path: str | Path,
    overwrite: bool = False,
    stale: Sequence[str] = (),
    files: Sequence[str] = (),
) -> Iterator[Path]:
    """A new folder to write to, within `path`; when all went well, its files move up into `path`.

    Otherwise it is removed, and so is every folder that was made for it, and `path` is as before.
    overwrite: files of the same names are replaced, those others that match a pattern of `stale`
    go, folders that this empties too, and all else stays; without it `path` must be new or empty.
    That it can be written to is found out on entering, before any work, and that there is room for
    `files`, as far as these are known: see `check_output`.

    Raises UserError when the folder cannot be used.
    """
    target = Path(path)
    made: list[Path] = []
    check_output(target, overwrite, files)
    try:
        with unfinished(target) as temporary:
            with explained(target):
                made += [folder for folder in (target, *target.parents) if not folder.exists()]
                target.mkdir(parents=True, exist_ok=True)
                temporary.mkdir()
            yield temporary
            with explained(target):
                check_output(target, overwrite)  # another run may have filled it meanwhile
                _move_up(temporary, target, stale)
    finally:
        for folder in made:
            with suppress(OSError):  # not empty: the results are there
                folder.rmdir()


def check_output(path: str | Path, overwrite: bool = False, files: Iterable[str] = ()) -> None:
    """Raises UserError where results cannot go to `path`; nothing is made.

    It may be new or an empty folder, where what a killed run left does not count; with overwrite
    any folder in which no folder has the name of one of the `files` that are to come. Of these, a
    name that ends in / is a folder's, which no file may have.
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
        for name in files:
            _check_place(folder, name)


def _check_place(folder: Path, name: str) -> None:
    """UserError where a folder is in the way of a file of that name, or a file in a folder's."""
    place, is_folder = folder / name, name.endswith("/")
    if is_folder:
        blocked = os.path.lexists(place) and not place.is_dir()
    else:
        blocked = place.is_dir() and not place.is_symlink()
    if blocked:
        found, comes = ("file", "folder") if is_folder else ("folder", "file")
        raise UserError(
            f"the output folder {str(folder)!r} holds a {found} named {name.rstrip('/')!r}, where "
            f"a {comes} is to be written: move it away, or choose another"
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


def _move_up(temporary: Path, target: Path, stale: Sequence[str]) -> None:
    """Every file of `temporary` to the same place in `target`, and other files that match a pattern
    of `stale` away; where one of these steps fails, those before it are undone."""
    items = {target / item.relative_to(temporary): item for item in sorted(temporary.rglob("*"))}
    for place, item in items.items():
        _check_place(target, f"{place.relative_to(target)}{'/' if item.is_dir() else ''}")
    with _aside(temporary) as aside, ExitStack() as undo:
        for place, item in items.items():
            if not item.is_dir():
                _put_aside(place, aside, undo)
                item.replace(place)
                undo.callback(place.unlink)
            elif not place.is_dir():
                place.mkdir()
                undo.callback(place.rmdir)
        left = {old for pattern in stale for old in target.glob(pattern)} - items.keys()
        for place in left:
            _put_aside(place, aside, undo)
        undo.pop_all()
    for folder in {place.parent for place in left} - {target}:
        with suppress(OSError):  # not empty
            folder.rmdir()


@contextmanager
def _aside(temporary: Path) -> Iterator[Path]:
    """A folder beside `temporary` for what is replaced. All goes well: it is gone in the end;
    otherwise what could not be brought back from it stays in it."""
    folder = temporary.with_name(f"{temporary.name}-old")
    folder.mkdir()
    try:
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        with suppress(OSError):  # not empty
            folder.rmdir()


def _put_aside(place: Path, aside: Path, undo: ExitStack) -> None:
    """The file of that place, if there is one, into the folder `aside`; `undo` will bring it
    back."""
    if place.is_file() or place.is_symlink():
        kept = aside / uuid.uuid4().hex
        place.replace(kept)
        undo.callback(kept.replace, place)


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
