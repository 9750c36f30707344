"""A folder of results that appears whole or not at all; it knows nothing of what is in it."""

import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from lr_edit.errors import UserError

_UNFINISHED = ".unfinished-"


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
    temporary = target / f"{_UNFINISHED}{uuid.uuid4().hex[:8]}"
    made: list[Path] = []
    check_output(target, overwrite)
    try:
        with _explained(target):
            made += [folder for folder in (target, *target.parents) if not folder.exists()]
            target.mkdir(parents=True, exist_ok=True)
            temporary.mkdir()
        yield temporary
        with _explained(target):
            for old in {old for pattern in stale for old in target.glob(pattern)}:
                old.unlink()
            _move_up(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        for folder in made:
            with suppress(OSError):  # not empty: the results are there
                folder.rmdir()


def check_output(path: str | Path, overwrite: bool = False) -> None:
    """Raises UserError where results cannot go to `path`; nothing is made.

    It may be new or an empty folder, where what a killed run left does not count; with overwrite
    any folder.
    """
    folder = Path(path)
    with _explained(folder):
        if folder.is_file():
            raise UserError(f"the output folder {str(folder)!r} is a file: choose another")
        found = folder.iterdir() if folder.exists() and not overwrite else iter(())
        if any(not item.name.startswith(_UNFINISHED) for item in found):
            raise UserError(
                f"the output folder {str(folder)!r} is not empty: choose another, or give "
                "--overwrite"
            )


def _move_up(temporary: Path, target: Path) -> None:
    """Every file of `temporary` to the same place in `target`, each at once."""
    for item in sorted(temporary.rglob("*")):
        place = target / item.relative_to(temporary)
        if item.is_dir():
            place.mkdir(exist_ok=True)
        else:
            item.replace(place)


@contextmanager
def _explained(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"the output folder {str(target)!r} cannot be written to "
            f"({error.strerror or error}): choose another"
        ) from error
