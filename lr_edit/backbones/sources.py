"""What must be fetched before a network can be loaded: the interface, and how sizes are told.

It knows neither the hub nor any address.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Status:
    """What is on this machine of a source.

    complete: all of it. place: where it lies or would lie. size: bytes that are here.
    """

    complete: bool
    place: Path
    size: int


class Source(ABC):
    """Files that come over the network once and then lie on this machine; equal ones are one."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What a person calls it, on one line."""

    @property
    @abstractmethod
    def files(self) -> str:
        """Its files, by name or pattern, separated by commas."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """Bytes of all of it as published, roughly; None where that is not known."""

    @abstractmethod
    def status(self) -> Status:
        """What is here; the network is never asked."""

    @abstractmethod
    def fetch(self) -> Path:
        """Where it lies, once all of it is here; what an earlier call brought is not fetched again.

        Raises UserError where it cannot be had, in one line; what has come by then stays.
        """

    @abstractmethod
    def within(self, folder: Path) -> "Source":
        """The same, kept below that folder in place of the library's cache."""


def bytes_of(place: Path) -> int:
    """Bytes of a file, or of all files of a folder and those in it; 0 where there is nothing."""
    if place.is_dir():
        return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    return place.stat().st_size if place.is_file() else 0


def readable(size: int) -> str:
    """Bytes in units of 1000, as a person reads them: 9.8 MB, 603 MB, 2.2 GB."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            value = size / unit
            return f"{value:.1f} {name}" if value < 10 else f"{value:.0f} {name}"
    return f"{size} bytes"
