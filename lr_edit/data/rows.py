"""Tables row by row, whole on the disk or read on the way; they know no data set."""

import os
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

_AT_ONCE = 8  # rows decoded in one go: those of pictures have megabytes
_BUFFER = 2**20  # bytes of a column that are read at once


class Rows(ABC):
    """The rows of a table; streamed: whether they are quickest in rising order."""

    streamed = False

    @abstractmethod
    def __len__(self) -> int:
        """How many there are."""

    @abstractmethod
    def row(self, number: int) -> dict[str, Any]:
        """Values by column; pictures as {"bytes", "path"}."""


class TableRows(Rows):
    """A table that lies on the disk."""

    def __init__(self, table: Any) -> None:
        self.table = table

    def __len__(self) -> int:
        return len(self.table)

    def row(self, number: int) -> dict[str, Any]:
        return self.table[number]

    def column(self, name: str) -> list[Any]:
        """All values of a column."""
        return list(self.table[name])


class StreamedRows(Rows):
    """A table of several parquet files of which none is ever whole on the disk.

    Each number under the length is a row of its own, whatever the files' sizes (see `dealt`), so
    that processes which share the numbers share the rows. Those that take every W-th number read
    files of their own where W divides the number of files and these are of one length. Larger
    numbers begin again.

    files: paths, or addresses that fsspec knows. lengths: how many rows each has. columns: those
    that are read.
    """

    streamed = True

    def __init__(
        self, files: Sequence[str], lengths: Sequence[int], columns: Sequence[str]
    ) -> None:
        self.files, self.lengths, self.columns = list(files), list(lengths), list(columns)
        self.open: dict[int, RisingRows] = {}
        self.process = os.getpid()

    def __len__(self) -> int:
        return sum(self.lengths)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "open": {}}  # open files stay in their process

    def row(self, number: int) -> dict[str, Any]:
        file, place = dealt(number % len(self), self.lengths)
        if self.process != os.getpid():  # a worker would move the files of the others
            self.open, self.process = {}, os.getpid()
        if file not in self.open:
            self.open[file] = RisingRows(self.files[file], self.columns)
        return self.open[file].row(place)


class RisingRows:
    """The rows of one parquet file, quick in rising order: it is read on from where one was.

    Row groups that lie before the one asked for are passed over. file, columns: as of
    `StreamedRows`.
    """

    def __init__(self, file: str, columns: Sequence[str]) -> None:
        self.table, self.columns = opened(file), list(columns)
        meta = self.table.metadata
        counts = (meta.row_group(k).num_rows for k in range(meta.num_row_groups))
        self.starts = list(accumulate(counts, initial=0))
        self.rest: Iterator[Any] = iter(())
        self.rows: list[dict[str, Any]] = []
        self.first = 0  # the place of rows[0]

    def row(self, place: int) -> dict[str, Any]:
        """Row `place` of the file, which has more."""
        following = self.first + len(self.rows)
        group = bisect_right(self.starts, place) - 1
        if place < self.first or self.starts[group] > following or not self.rows:
            self.begin(group)
        while place >= self.first + len(self.rows):
            self.first += len(self.rows)
            self.rows = next(self.rest).to_pylist()
        return self.rows[place - self.first]

    def begin(self, group: int) -> None:
        """Makes the first row of a row group the next one to be read."""
        groups = range(group, len(self.starts) - 1)
        self.rest = self.table.iter_batches(_AT_ONCE, row_groups=groups, columns=self.columns)
        self.rows, self.first = [], self.starts[group]


def opened(file: str) -> Any:
    """A pyarrow ParquetFile at a path or an address, of which only the end has been read."""
    import fsspec
    from pyarrow.parquet import ParquetFile

    return ParquetFile(fsspec.open(file, "rb").open(), buffer_size=_BUFFER)


def dealt(number: int, lengths: Sequence[int]) -> tuple[int, int]:
    """Which file has row `number` of all, and where in it: files take turns, row by row, and those
    that have ended are passed over. Every number under sum(lengths) is a row of its own.

    Raises IndexError for others.
    """
    place = 0
    for end in sorted(set(lengths)):
        files = [file for file, length in enumerate(lengths) if length > place]
        turns, turn = divmod(number, max(1, len(files)))
        if place + turns < end:
            return files[turn], place + turns
        number -= (end - place) * len(files)
        place = end
    raise IndexError(f"row {number} is beyond the last one of {len(lengths)} files")
