"""A file behind an http address, fetched piece by piece and checked; it knows not what it holds.

Until it is whole it lies beside its place as NAME.part, from which the next attempt goes on
(RFC 9110, section 14: range requests).
"""

import hashlib
import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path

from lr_edit.backbones.sources import Source, Status, bytes_of, readable
from lr_edit.errors import UserError
from lr_edit.output import made_folder

_PIECE = 2**20
_SECONDS = 30.0  # without a byte


@dataclass(frozen=True)
class UrlFile(Source):
    """The file behind `url`, kept as `target`.

    digest: how its SHA-256 begins, in hexadecimal; "" where that is not known. expected: its bytes,
    roughly, or exactly, and then they are checked.
    """

    url: str
    target: Path
    digest: str = ""
    expected: int | None = None
    exact: bool = False

    @property
    def title(self) -> str:
        return self.url

    @property
    def files(self) -> str:
        return self.target.name

    @property
    def size(self) -> int | None:
        return self.expected

    def status(self) -> Status:
        complete = self.target.is_file()
        return Status(complete, self.target, bytes_of(self.target if complete else self.part))

    def fetch(self) -> Path:
        if not self.target.is_file():
            download(self.url, self.part)
            self._check()
            self.part.replace(self.target)
        return self.target

    def within(self, folder: Path) -> "UrlFile":
        return replace(self, target=folder / "torch" / "hub" / "checkpoints" / self.target.name)

    @property
    def part(self) -> Path:
        """What has come so far."""
        return self.target.with_name(self.target.name + ".part")

    def _check(self) -> None:
        """Raises UserError for a file that is not what was published, and removes it."""
        size = self.part.stat().st_size
        if self.exact and size != self.expected:
            fault = f"it has {size} bytes, expected {self.expected}"
        elif not _sha256(self.part).startswith(self.digest):
            fault = f"its SHA-256 does not begin with {self.digest}"
        else:
            return
        self.part.unlink()
        raise UserError(f"{self.url} is not what was published ({fault}): fetch it once more")


def torch_checkpoints() -> Path:
    """Where torch keeps what it fetches; TORCH_HOME moves it."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"


def download(url: str, part: Path) -> None:
    """Bring the file `part` up to all that an address gives, with a bar on stderr.

    Raises UserError where it gives nothing, or breaks off; what has come stays in `part`.
    """
    have = bytes_of(part)
    headers = {"User-Agent": "lr_edit"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            total = _append(answer, part, have)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # no byte is left beyond those: whoever called checks them
            return
        raise UserError(f"{url} cannot be fetched ({error.code} {error.reason})") from error
    except UserError:
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(
            f"{url} cannot be fetched ({getattr(reason, 'strerror', None) or reason}): check the "
            "network, then run the same again; what has come stays"
        ) from error
    if total is not None and bytes_of(part) < total:
        raise UserError(
            f"{url} broke off after {readable(bytes_of(part))} of {readable(total)}: run the same "
            "again, and it goes on from there"
        )


def _append(answer: http.client.HTTPResponse, part: Path, have: int) -> int | None:
    """Writes an answer behind the bytes that are there, or over them; gives the whole's bytes."""
    from huggingface_hub.utils import tqdm

    begin = have if answer.status == 206 else 0  # a server without ranges sends all of it
    length = answer.headers.get("Content-Length")
    total = None if length is None else begin + int(length)
    made_folder(part.parent)
    name = part.name.removesuffix(".part")
    bar = tqdm(
        total=total, initial=begin, desc=name, unit="B", unit_scale=True, disable=None
    )  # nothing is shown where stderr is no terminal
    with part.open("ab" if begin else "wb") as file, bar:
        while piece := answer.read(_PIECE):
            file.write(piece)
            bar.update(len(piece))
    return total


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
