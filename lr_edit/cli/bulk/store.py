"""A folder of many edits: each appears whole or not at all, and is known again by its report.

It knows neither models nor processes.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from lr_edit.cli.bulk.manifest import Line
from lr_edit.errors import UserError
from lr_edit.output import explained, made_folder, sweep, unfinished, write_json

State = Literal["new", "done", "changed", "foreign"]
_REPORT = "report.json"
_KEY = "batch"  # of what is added to a report


class Store:
    """The edits of a batch, in the folders root/ID.

    overwrite: an edit that was made from another request is to be made anew.
    """

    def __init__(self, root: str | Path, overwrite: bool = False) -> None:
        self.root = Path(root)
        self.overwrite = overwrite

    def state(self, line: Line) -> State:
        """Whether the edit is there: done; changed: made from another request; foreign: what is
        there is no edit of a batch."""
        if not os.path.lexists(self.root / line.id):
            return "new"
        made = self.made(line)
        if not made:
            return "foreign"
        return "done" if made.get("request") == line.request else "changed"

    def pending(self, lines: Iterable[Line]) -> list[Line]:
        """Those that are to be made."""
        wanted = ("new", "changed") if self.overwrite else ("new",)
        return [line for line in lines if self.state(line) in wanted]

    def made(self, line: Line) -> dict[str, Any]:
        """What `edit` noted of an edit: id, request, scores, seconds; nothing where there is none.

        scores: by name. seconds: wall time.
        """
        try:
            report = json.loads((self.root / line.id / _REPORT).read_text(encoding="utf-8"))
            return dict(report[_KEY])
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """The folder, made if need be, for this run alone; what a killed run left unfinished goes.

        Raises UserError when another run is at work in it, or it cannot be made.
        """
        folder = os.open(made_folder(self.root), os.O_RDONLY)
        try:
            self._lock(folder)
            sweep(self.root)
            yield
            sweep(self.root)
        finally:
            os.close(folder)  # and with it the lock, as a kill does

    @contextmanager
    def edit(self, line: Line, scores: dict[str, float], seconds: float) -> Iterator[Path]:
        """A folder to fill, report.json included, which becomes that of the edit if all goes well.

        Raises UserError where it cannot be written.
        """
        with self.unfinished() as folder:
            folder.mkdir()
            yield folder
            note = {
                "id": line.id, "request": line.request, "scores": scores,
                "seconds": round(seconds, 3),
            }  # fmt: skip
            report = json.loads((folder / _REPORT).read_text(encoding="utf-8")) | {_KEY: note}
            write_json(folder / _REPORT, report)
            target, old = self.root / line.id, folder.with_name(f"{folder.name}-old")
            if target.exists():
                target.replace(old)
            folder.replace(target)
            shutil.rmtree(old, ignore_errors=True)

    @contextmanager
    def unfinished(self) -> Iterator[Path]:
        """A new name in the folder, which a later run knows for a leftover; gone in the end.

        Raises UserError for whatever the disk refuses inside.
        """
        with explained(self.root), unfinished(self.root) as path:
            yield path

    def _lock(self, folder: int) -> None:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"another run is at work in {str(self.root)!r}: wait for it, or choose another "
                "folder"
            ) from error
        except OSError:  # a file system without locks
            return
