"""Rows of float16 on disk by key, which several processes add to at once; it knows no pictures.

A process writes a series of its own, under a name that nobody else has: files of a fixed number of
rows, and an index of their keys in the same order. The index is written after the rows have reached
the disk, so that a process may be killed at any moment: what is half-written counts for nothing.
"""

import os
import uuid
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

KEY_BYTES = 16
_RECORD_BYTES = KEY_BYTES + 4
_OPEN = 256
"""How many files are mapped at once; every one takes a file descriptor."""


class Shards:
    """Rows float16 [width] in a folder, of all series there.

    folder: exists. per_file: rows a file; the same for all who use the folder, as is the width.
    """

    def __init__(self, folder: Path, width: int, per_file: int) -> None:
        self.folder, self.width, self.per_file = folder, width, per_file
        self._places: dict[bytes, tuple[str, int]] = {}
        self._counts: dict[str, int] = {}
        self._mapped: dict[Path, np.ndarray] = {}
        self._series, self._owner = "", 0
        self.refresh()

    def __len__(self) -> int:
        """How many keys are known here."""
        return len(self._places)

    def rows(self, keys: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        """The rows float16 [width], memory-mapped, of those keys that are known here.

        A row that cannot be read any more, its file removed, is not known from then on.
        """
        found = {}
        for key in set(keys) & self._places.keys():
            series, place = self._places[key]
            number, row = divmod(place, self.per_file)
            mapped = self._map(self._file(series, number), row)
            if mapped is None:
                del self._places[key]
            else:
                found[key] = mapped[row]
        return found

    def refresh(self) -> None:
        """Learns of what other processes have added since. Raises OSError."""
        for path in sorted(self.folder.glob("*.index")):
            before = self._counts.get(path.stem, 0)
            if path.stat().st_size < (before + 1) * _RECORD_BYTES:
                continue
            with open(path, "rb") as file:
                file.seek(before * _RECORD_BYTES)
                self._note(path.stem, whole_keys(file.read()))

    def add(self, keys: Sequence[bytes], rows: np.ndarray) -> None:
        """Adds rows float16 [N, width] under N keys of KEY_BYTES.

        Raises OSError where they cannot be written, on a full disk for one; what was there before
        stays valid.
        """
        if self._owner != os.getpid():
            self._series, self._owner = uuid.uuid4().hex, os.getpid()
        try:
            while len(keys):
                number, begun = divmod(self._counts.get(self._series, 0), self.per_file)
                count = min(len(keys), self.per_file - begun)
                # Not through a mapping: a full disk would end the process there.
                append(self._file(self._series, number), rows[:count].tobytes())
                append(self.folder / f"{self._series}.index", b"".join(map(record, keys[:count])))
                self._note(self._series, keys[:count])
                keys, rows = keys[count:], rows[count:]
        except OSError:
            self._owner = 0  # what is half-written there is not to be written behind
            raise

    def _note(self, series: str, keys: Sequence[bytes]) -> None:
        """The next keys of a series."""
        before = self._counts.get(series, 0)
        for number, key in enumerate(keys, before):
            self._places.setdefault(key, (series, number))
        self._counts[series] = before + len(keys)

    def _file(self, series: str, number: int) -> Path:
        return self.folder / f"{series}-{number:05}.f16"

    def _map(self, path: Path, row: int) -> np.ndarray | None:
        """The rows of a file, mapped, where they hold that one."""
        known = self._mapped.get(path)
        if known is None or len(known) <= row:
            try:
                count = path.stat().st_size // (2 * self.width)
                if count <= row:
                    return None
                known = np.memmap(path, np.dtype("<f2"), mode="r", shape=(count, self.width))
            except OSError:
                return None
            self._mapped.pop(path, None)
            if len(self._mapped) >= _OPEN:
                del self._mapped[next(iter(self._mapped))]
            self._mapped[path] = known
        return known


def record(key: bytes) -> bytes:
    """A key as it stands in an index, with a checksum."""
    return key + zlib.crc32(key).to_bytes(4, "little")


def whole_keys(data: bytes) -> list[bytes]:
    """The keys of the records in `data`, up to the first that is not whole."""
    found = []
    for start in range(0, len(data) - _RECORD_BYTES + 1, _RECORD_BYTES):
        one = data[start : start + _RECORD_BYTES]
        if one != record(one[:KEY_BYTES]):
            break
        found.append(one[:KEY_BYTES])
    return found


def append(path: Path, data: bytes) -> None:
    """Writes behind what a file holds, down to the disk. Raises OSError."""
    with open(path, "ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
