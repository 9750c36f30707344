"""What a person sees while waiting: one bar a stage on stderr, and no chatter of the libraries."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

if TYPE_CHECKING:  # it loads torch
    from lr_edit.editors.editor import OnStep, Progress


class Bars:
    """Stages one after the other; when something is raised inside, they vanish without a trace.

    Nothing is shown where stderr is no terminal.
    """

    def __init__(self, console: Console | None = None) -> None:
        console = console or Console(stderr=True)
        self._rich = RichProgress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_interactive,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> "Bars":
        self._rich.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish()
        self._rich.live.transient = kind is not None
        self._rich.stop()

    def stage(self, name: str, total: float | None = None) -> None:
        """Ends the stage before and begins one of `total` steps, None where that is not known."""
        self.finish()
        self._task = self._rich.add_task(name, total=total, detail="")

    def advance(self, detail: str = "") -> None:
        """One step of the stage is done; `detail` stands beside its bar."""
        if self._task is not None:
            self._rich.update(self._task, advance=1, detail=detail)

    def on_step(self, progress: "Progress") -> None:
        """Shows how far sampling is."""
        if self._task is not None:
            self._rich.update(
                self._task,
                completed=progress.step,
                total=progress.steps,
                detail=f"{progress.step}/{progress.steps}",
            )

    def finish(self) -> None:
        """Ends the stage."""
        if self._task is not None:
            total = self._rich.tasks[self._task].total or 1
            self._rich.update(self._task, total=total, completed=total)
            self._rich.stop_task(self._task)
            self._task = None


def in_turn(*listeners: "OnStep") -> "OnStep":
    """What tells every listener of each step, in that order."""

    def tell(progress: "Progress") -> None:
        for listener in listeners:
            listener(progress)

    return tell


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """No warnings and log messages below errors inside."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
