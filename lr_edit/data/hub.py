"""Tables of the Hugging Face hub, or copies of them in local parquet files.

Pictures stay the bytes that they are stored as. `datasets` is loaded when a table is opened.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lr_edit.data.reading import check_columns
from lr_edit.data.rows import StreamedRows, TableRows
from lr_edit.errors import UserError

CACHE = ".cache/datasets"


def open_table(
    name: str, split: str, columns: Sequence[str], config: str = "", cache: str = CACHE
) -> TableRows:
    """A split of a data set: owner/name on the hub, a folder of its parquet files, or one file.

    columns: those that are needed. config: the subset, a folder of that name in a local copy.
    Raises UserError where there is no such set, split or column, or the hub is out of reach.
    """
    table = _loaded(name, split, config, cache, streaming=False)
    check_columns(columns, table.column_names, f"the data set {name!r}")
    return TableRows(undecoded(table))


def open_stream(
    name: str, split: str, columns: Sequence[str], config: str = "", cache: str = CACHE
) -> StreamedRows:
    """As `open_table`, read on the way and never kept."""
    table = _loaded(name, split, config, cache, streaming=True)
    if Path(name).exists():
        length = sum(map(_row_count, parquet_files(Path(name), split, config)))
    else:
        splits = table.info.splits or {}
        length = splits[split].num_examples or 0 if split in splits else 0
    with _loading(name):
        known = table.column_names or list(next(iter(table), {}))
    check_columns(columns, known, f"the data set {name!r}")
    if length == 0:
        raise UserError(f"how long {name!r} is cannot be told: set streaming to false")
    return StreamedRows(undecoded(table), length)


def parquet_files(path: Path, split: str, config: str = "") -> list[str]:
    """The parquet files of a split in a local copy, or the one file that `path` is; see `split_of`.

    config: a folder in the copy, where it has one of that name.

    Raises UserError where there are none.
    """
    if path.is_file():
        return [str(path)]
    folder = path / config if config and (path / config).is_dir() else path
    found = [p for p in folder.rglob("*.parquet") if split_of(p) == split]
    if not found:
        there = sorted({split_of(p) for p in folder.rglob("*.parquet")})
        raise UserError(
            f"{str(folder)!r} has no parquet files of the split {split!r}: it has "
            f"{', '.join(there) or 'none at all'}"
        )
    return sorted(map(str, found))


def split_of(path: Path) -> str:
    """The split of a file as the hub names them: val-00000-of-00004, val.parquet, val/0000."""
    stem = re.sub(r"-\d{5}-of-\d{5}$", "", path.stem)
    return path.parent.name if stem.isdigit() else stem


def undecoded(table: Any) -> Any:
    """The table with pictures as {"bytes", "path"}, so that a damaged one can be skipped."""
    from datasets import Image

    for name, feature in (table.features or {}).items():
        if isinstance(feature, Image):
            table = table.cast_column(name, Image(decode=False))
    return table


def _loaded(name: str, split: str, config: str, cache: str, streaming: bool) -> Any:
    from datasets import load_dataset

    options: dict[str, Any] = {"split": split, "streaming": streaming, "cache_dir": cache}
    if Path(name).exists():
        files = parquet_files(Path(name), split, config)
        with _loading(name):
            return load_dataset("parquet", data_files={split: files}, **options)
    with _loading(name):
        return load_dataset(name, config or None, **options)


def _row_count(file: str) -> int:
    from pyarrow.parquet import ParquetFile

    return ParquetFile(file).metadata.num_rows


@contextmanager
def _loading(name: str) -> Iterator[None]:
    """What `datasets` raises inside becomes UserError."""
    from datasets.exceptions import DatasetsError

    try:
        yield
    except UserError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, DatasetsError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        remedy = (
            "check the files"
            if Path(name).exists()
            else "it is no folder here, so check the name and the network, or give a local copy"
        )
        raise UserError(f"the data set {name!r} cannot be loaded ({reason}); {remedy}") from error
