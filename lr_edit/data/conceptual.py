"""Conceptual Captions (Sharma et al., ACL 2018): links to pictures, and captions; no masks."""

import hashlib
import http.client
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from PIL import Image

from lr_edit.data.hub import CACHE, open_table
from lr_edit.data.opened import Stored
from lr_edit.data.records import LazyPicture, PhraseSource, Record, Unusable, phrases_of
from lr_edit.data.rows import TableRows
from lr_edit.output import made_folder, replacing

LIMIT = 20_000_000
"""Bytes of a picture that are fetched at most."""
AGAIN = 24 * 3600
"""Seconds after which a link that gave nothing is tried once more."""


def fetched(url: str, seconds: float = 10.0) -> bytes:
    """What an http(s) address gives, at most LIMIT bytes; OSError or ValueError for nothing."""
    if not url.startswith(("http://", "https://")):
        raise ValueError("no http address")
    request = urllib.request.Request(url, headers={"User-Agent": "lr_edit"})
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            content: bytes = answer.read(LIMIT + 1)
    except http.client.HTTPException as error:
        raise OSError("no answer") from error
    if len(content) > LIMIT:
        raise ValueError("too large")
    return content


def _kept(path: Path) -> bool:
    """Whether a link's picture is here, or it was found dead lately: a network may have been."""
    if not path.is_file():
        return False
    found = path.stat()
    return found.st_size > 0 or time.time() - found.st_mtime < AGAIN


@dataclass(frozen=True, eq=False)
class Linked(LazyPicture):
    """A picture behind a link, fetched once and kept in a folder; links that are dead, too."""

    url: str
    folder: Path
    fetch: Callable[[str], bytes]

    def image(self) -> Image.Image:
        path = self.folder / hashlib.sha256(self.url.encode()).hexdigest()
        if not _kept(path):
            self.keep(path)
        try:
            return Stored(path, self.url).image()
        except Unusable as error:  # a page that says so in words, often
            raise Unusable("dead link", self.url, fault=False) from error

    def keep(self, path: Path) -> None:
        """Writes what is found, nothing where nothing is."""
        try:
            content = self.fetch(self.url)
        except (OSError, ValueError):
            content = b""
        made_folder(self.folder)
        with replacing(path) as temporary:
            temporary.write_bytes(content)


class ConceptualCaptions(PhraseSource):
    """google-research-datasets/conceptual_captions: a caption is all that is known of a picture.

    Columns used, as its card on the hub lists them (dataset_info of README.md, configuration
    "unlabeled"): "image_url" and "caption". Many links are dead by now; they are counted, but no
    number of them is a mistake.

    folder: where fetched pictures are kept. fetch: what fetches them.
    """

    COLUMNS = ("image_url", "caption")

    def __init__(
        self,
        name: str = "google-research-datasets/conceptual_captions",
        split: str = "train",
        config: str = "unlabeled",
        folder: str = ".cache/conceptual_captions",
        cache: str = CACHE,
        fetch: Callable[[str], bytes] = fetched,
    ) -> None:
        self.name, self.split, self.config, self.cache = name, split, config, cache
        self.folder, self.fetch = Path(folder), fetch

    @cached_property
    def rows(self) -> TableRows:
        """The table."""
        return open_table(self.name, self.split, self.COLUMNS, self.config, self.cache)

    def __len__(self) -> int:
        return len(self.rows)

    def record(self, number: int) -> Record:
        row = self.rows.row(number)
        url = str(row["image_url"])
        return Record(url, Linked(url, self.folder, self.fetch), phrases_of(row["caption"], None))
