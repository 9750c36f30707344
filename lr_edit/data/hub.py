"""Tables of the Hugging Face hub, or copies of them in local parquet files.

Pictures stay the bytes that they are stored as. `datasets` is loaded when a table is opened.
"""

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lr_edit.data.reading import check_columns
from lr_edit.data.rows import StreamedRows, TableRows, opened
from lr_edit.errors import UserError

CACHE = ".cache/datasets"
_AT_ONCE = 8  # files whose ends are read at the same time


def open_table(
    name: str, split: str, columns: Sequence[str], config: str = "", cache: str = CACHE
) -> TableRows:
    """A split of a data set: owner/name on the hub, a folder of its parquet files, or one file.

    owner/name@revision pins it to one commit, tag or branch of the hub's.

    columns: those that are needed. config: the subset, a folder of that name in a local copy.
    Raises UserError where there is no such set, split or column, or the hub is out of reach.
    """
    table = _loaded(name, split, config, cache)
    check_columns(columns, table.column_names, f"the data set {name!r}")
    return TableRows(undecoded(table))


def open_stream(
    name: str, split: str, columns: Sequence[str], config: str = "", cache: str = CACHE
) -> StreamedRows:
    """As `open_table`, read on the way and never kept, and no other columns than these.

    Raises UserError where the set is not kept in parquet files, besides.
    """
    files = _addresses(name, split, config, cache)
    with _loading(name), ThreadPoolExecutor(_AT_ONCE) as pool:
        known, lengths = zip(*pool.map(_columns_and_length, files), strict=True)
    for found in known:
        check_columns(columns, found, f"the data set {name!r}")
    if sum(lengths) == 0:
        raise UserError(f"the data set {name!r} has no rows in its split {split!r}: choose another")
    return StreamedRows(files, lengths, columns)


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
    """The split of a file as the hub names them: val-00000-of-00004, the same with a hash behind
    it, val.parquet, val/0000, partial-val/0000."""
    stem = re.sub(r"-\d{5}-of-\d{5}(-[0-9a-f]{16})?$", "", path.stem)
    return path.parent.name.removeprefix("partial-") if stem.isdigit() else stem


def pinned(name: str) -> tuple[str, str | None]:
    """owner/name@revision in two; the newest, which is None, where nothing is pinned."""
    repository, _, revision = name.partition("@")
    return repository, revision or None


def undecoded(table: Any) -> Any:
    """The table with pictures as {"bytes", "path"}, so that a damaged one can be skipped."""
    from datasets import Image

    for name, feature in (table.features or {}).items():
        if isinstance(feature, Image):
            table = table.cast_column(name, Image(decode=False))
    return table


def _loaded(name: str, split: str, config: str, cache: str) -> Any:
    from datasets import load_dataset

    options: dict[str, Any] = {"split": split, "cache_dir": cache}
    if Path(name).exists():
        files = parquet_files(Path(name), split, config)
        with _loading(name):
            return load_dataset("parquet", data_files={split: files}, **options)
    repository, revision = pinned(name)
    with _loading(name):
        return load_dataset(repository, config or None, revision=revision, **options)


def _addresses(name: str, split: str, config: str, cache: str) -> list[str]:
    """The parquet files of a split, here or on the hub, as fsspec names them."""
    if Path(name).exists():
        return parquet_files(Path(name), split, config)
    from datasets import load_dataset_builder

    repository, revision = pinned(name)
    with _loading(name):
        builder = load_dataset_builder(
            repository, config or None, cache_dir=cache, revision=revision
        )
    splits = builder.config.data_files or {}
    if split not in splits:
        raise UserError(
            f"the data set {name!r} has no files of the split {split!r}: it has "
            f"{', '.join(map(str, splits)) or 'none at all'}"
        )
    files = list(map(str, splits[split]))
    if not all(file.endswith(".parquet") for file in files):
        raise UserError(f"{name!r} is not kept in parquet files: set streaming to false")
    return files


def _columns_and_length(file: str) -> tuple[list[str], int]:
    table = opened(file)
    return table.schema_arrow.names, table.metadata.num_rows


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
