"""Tables row by row, whole on the disk or read on the way; they know no data set."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from lr_edit.errors import UserError


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
    """A table of several files of which none is ever whole on the disk.

    Row n is number n // F of file n mod F, of F files (see `dealt`): processes that take every
    W-th row read files of their own where W divides F. A file with fewer rows than the number asked
    for begins again. table: an IterableDataset. length: of all files together.
    """

    streamed = True

    def __init__(self, table: Any, length: int) -> None:
        self.table, self.length, self.files = table, length, max(1, table.num_shards)
        self.open: dict[int, tuple[Iterator[dict[str, Any]], int, dict[str, Any]]] = {}
        self.lengths: dict[int, int] = {}

    def __len__(self) -> int:
        return self.length

    def row(self, number: int) -> dict[str, Any]:
        file, place = dealt(number, self.files)
        place %= self.lengths.get(file, place + 1)
        rows, reached, last = self.open.get(file, (iter(()), -1, {}))
        if reached == place:
            return last
        if not 0 <= reached < place:
            rows, reached = self.rows_of(file), -1
        while reached < place:
            following = next(rows, None)
            if following is None:
                return self.beyond(file, number, reached + 1)
            reached, last = reached + 1, following
        self.open[file] = (rows, reached, last)
        return last

    def rows_of(self, file: int) -> Iterator[dict[str, Any]]:
        """The rows of one file from the first on."""
        return iter(self.table.shard(self.files, file))

    def beyond(self, file: int, number: int, length: int) -> dict[str, Any]:
        """A row asked for beyond the end of its file, which turned out to have `length` rows."""
        if length == 0:
            raise UserError(f"file {file} of a streamed data set is empty: leave streaming out")
        self.lengths[file] = length
        self.open.pop(file, None)
        return self.row(number)


def dealt(number: int, files: int) -> tuple[int, int]:
    """Which of `files` files has row `number` of all, and where in it: in turns, each row once."""
    place, file = divmod(number, files)
    return file, place
