"""Tables read on the way: every row once in a pass, whatever the files, processes and workers."""

import io
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from data_fakes import scene
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from torch.utils.data import DataLoader, Dataset

from lr_edit.data.hub import open_stream
from lr_edit.data.mixture import Mixture, Part
from lr_edit.data.module import share
from lr_edit.data.records import PhraseSource, Record
from lr_edit.data.rows import dealt
from lr_edit.errors import UserError

COLUMNS = ("id", "image")


def tables(folder: Path, lengths: Sequence[int], group: int = 3) -> Path:
    """A file of each length, rows numbered through, `group` of them a row group."""
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    scene(0)[0].save(buffer, "PNG")
    first = 0
    for k, length in enumerate(lengths):
        image = {"bytes": buffer.getvalue(), "path": None}
        kind = pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()})
        columns = {
            "id": pyarrow.array(range(first, first + length), pyarrow.int64()),
            "image": pyarrow.array([image] * length, kind),
            "unused": pyarrow.array(["long"] * length, pyarrow.string()),
        }
        name = f"dev-{k:05d}-of-{len(lengths):05d}.parquet"
        parquet.write_table(pyarrow.table(columns), folder / name, row_group_size=group)
        first += length
    return folder


class Numbers(Dataset[int]):
    """The ids of the rows of a stream."""

    def __init__(self, folder: Path) -> None:
        self.rows = open_stream(str(folder), "dev", COLUMNS)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> int:
        return int(self.rows.row(number)["id"])


class Source(Numbers, PhraseSource):  # type: ignore[misc]
    """A stream as a source."""

    streamed = True

    def record(self, number: int) -> Record:
        raise NotImplementedError


@given(st.lists(st.integers(0, 6), min_size=1, max_size=6), st.integers(1, 5))
def test_every_row_is_dealt_once_whatever_the_files(lengths: list[int], world: int) -> None:
    ranks = [[dealt(n, lengths) for n in range(rank, sum(lengths), world)] for rank in range(world)]
    every = [(file, place) for file, length in enumerate(lengths) for place in range(length)]
    assert sorted(row for own in ranks for row in own) == every
    for own in ranks:
        for file in range(len(lengths)):
            places = [place for found, place in own if found == file]
            assert places == sorted(places), "a file is read on, never back"
    with pytest.raises(IndexError):
        dealt(sum(lengths), lengths)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5))
def test_files_of_one_length_have_one_reader_each(each: int, world: int, rows: int) -> None:
    lengths = [rows] * (each * world)
    numbers = range(sum(lengths))
    opened = [{dealt(n, lengths)[0] for n in numbers[rank::world]} for rank in range(world)]
    assert sum(map(len, opened)) == len(lengths)


def test_rows_come_in_any_order_with_the_wanted_columns_alone(tmp_path: Path) -> None:
    stream = open_stream(str(tables(tmp_path, (5, 2, 9))), "dev", COLUMNS)
    every = [int(stream.row(n)["id"]) for n in range(len(stream))]
    assert every == [0, 5, 7, 1, 6, 8, 2, 9, 3, 10, 4, 11, 12, 13, 14, 15]
    for number in (0, 15, 3, 3, 14, 2, 16, 33):
        assert stream.row(number)["id"] == every[number % 16]
    row = stream.row(0)
    assert row.keys() == set(COLUMNS) and row["image"].keys() == {"bytes", "path"}


def test_groups_of_rows_that_nobody_asks_for_are_passed_over(tmp_path: Path) -> None:
    stream = open_stream(str(tables(tmp_path, (60,), group=10)), "dev", COLUMNS)
    stream.row(0)
    (rising,) = stream.open.values()
    read: list[int] = []
    begin = rising.begin
    rising.begin = lambda group: (read.append(group), begin(group))[1]  # type: ignore[method-assign]
    assert [stream.row(n)["id"] for n in (1, 45, 46, 0)] == [1, 45, 46, 0] and read == [4, 0]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("lengths", [(5, 2), (1, 4, 3)])
@pytest.mark.parametrize("workers", [0, 2])
def test_ranks_and_workers_read_every_row_once_a_pass(
    tmp_path: Path, lengths: tuple[int, ...], workers: int
) -> None:
    total, world = sum(lengths), 2
    source = Source(tables(tmp_path, lengths))
    assert source[0] == 0, "opened before the workers part, as a pool of phrases is"
    mixture = Mixture([Part(source)])
    found: list[int] = []
    for rank in range(world):  # two passes, so that both have the same share
        numbers = [mixture.place(k)[1] for k in share(0, total, rank, world)]
        loader = DataLoader(source, batch_size=2, sampler=numbers, num_workers=workers)
        found += [int(one) for batch in loader for one in batch]
    assert sorted(found) == sorted([*range(total)] * 2)


def read_share(source: Source, rank: int, found: Any) -> None:
    """What process `rank` of two reads, with two workers of its own."""
    numbers = share(0, -(-len(source) // 2), rank, 2)
    loader = DataLoader(source, batch_size=2, sampler=numbers, num_workers=2)
    found.put([int(one) for batch in loader for one in batch])


def test_two_processes_with_workers_read_every_row_once(tmp_path: Path) -> None:
    source = Source(tables(tmp_path, (5, 2, 5)))
    assert source[0] == 0
    forked = get_context("fork")
    found = forked.Queue()
    both = [forked.Process(target=read_share, args=(source, rank, found)) for rank in range(2)]
    for one in both:
        one.start()
    ranks = [found.get(timeout=300) for _ in both]
    for one in both:
        one.join()
        assert one.exitcode == 0
    assert [len(own) for own in ranks] == [6, 6]
    assert sorted(ranks[0] + ranks[1]) == list(range(12))


def test_the_hub_says_which_files_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasets import load_dataset_builder

    tables(tmp_path / "set/data", (5, 2))
    cache = str(tmp_path / "cache")
    builder = load_dataset_builder(str(tmp_path / "set"), cache_dir=cache)
    asked: list[Any] = []

    def on_the_hub(name: str, config: str | None, cache_dir: str, revision: str | None) -> Any:
        asked.append((name, config, revision))
        return builder

    monkeypatch.setattr("datasets.load_dataset_builder", on_the_hub)
    open_stream("owner/name", "dev", COLUMNS, cache=cache)
    stream = open_stream("owner/name@v1.2", "dev", COLUMNS, cache=cache)
    assert asked == [("owner/name", None, None), ("owner/name", None, "v1.2")]
    assert sorted(stream.row(n)["id"] for n in range(7)) == list(range(7))
    with pytest.raises(UserError, match="no files of the split 'train': it has dev"):
        open_stream("owner/name", "train", COLUMNS, cache=cache)
    with pytest.raises(UserError, match="has no column 'mask'"):
        open_stream("owner/name", "dev", ("mask",), cache=cache)
    builder.config.data_files = {"dev": ["hf://owner/name/a.tar"]}
    with pytest.raises(UserError, match="set streaming to false"):
        open_stream("owner/name", "dev", COLUMNS, cache=cache)
    tables(tmp_path / "none", (0,))
    with pytest.raises(UserError, match="has no rows"):
        open_stream(str(tmp_path / "none"), "dev", COLUMNS)
