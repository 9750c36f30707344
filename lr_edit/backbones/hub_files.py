"""Files of a repository on the Hugging Face hub, in the cache of its own library.

That library goes on with downloads that were interrupted. Nothing here knows what the files mean.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from lr_edit.backbones.sources import Source, Status
from lr_edit.errors import UserError

_COMMIT = re.compile(r"[0-9a-f]{40}")
_DIGITS = 10  # of a commit, that a person is shown
_SECONDS = 20.0


class FilesLacking(UserError):
    """A repository could be had, but not all that was asked of it is in it.

    names: the files or patterns that it lacks, each for a person.
    """

    def __init__(self, repo: str, revision: str, names: Sequence[str]) -> None:
        self.names = tuple(names)
        super().__init__(
            f"missing weights: {repo!r} has no {', '.join(names)} at {revision!r}; choose another "
            "model, or give a folder"
        )


@dataclass(frozen=True)
class HubFiles(Source):
    """Those files of owner/name at a revision that match the patterns.

    patterns: as of fnmatch, none for all files. Those without a wildcard must be there, and where
    any is for safetensors, one at least. revision: a commit, branch or tag. ignore: what is left
    out all the same. expected: bytes, roughly. cache: a folder; "" is the library's own.
    """

    repo: str
    patterns: tuple[str, ...] = ()
    revision: str = "main"
    ignore: tuple[str, ...] = ()
    expected: int | None = None
    cache: str = ""

    @property
    def title(self) -> str:
        short = _COMMIT.fullmatch(self.revision)
        return f"{self.repo} at {self.revision[:_DIGITS] if short else self.revision}"

    @property
    def files(self) -> str:
        """The patterns without the folders that they are of."""
        return ", ".join(dict.fromkeys(PurePosixPath(p).name for p in self.patterns)) or "all files"

    @property
    def size(self) -> int | None:
        return self.expected

    def status(self) -> Status:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        try:
            folder = Path(snapshot_download(self.repo, local_files_only=True, **self._options()))
        except LocalEntryNotFoundError as error:
            partial = getattr(error, "snapshot_path", None)
            place = Path(partial) if partial else self._cache()
            return Status(False, place, self._bytes(Path(partial)) if partial else 0)
        except HFValidationError:  # no repository can have that name, as `fetch` tells
            return Status(False, self._cache(), 0)
        return Status(not self.lacking(folder), folder, self._bytes(folder))

    def fetch(self) -> Path:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HTTPError

        try:
            folder = self._known()
            if folder is None:
                with _bars_on_terminals():
                    folder = Path(snapshot_download(self.repo, **self._options()))
        except (OSError, HTTPError, HfHubHTTPError, ValueError, RuntimeError) as error:
            raise UserError(
                f"missing weights: {self.repo!r} is no folder here, and the Hugging Face hub did "
                f"not give its revision {self.revision!r} ({_reason(error)}); check the name and "
                "the network, or give a folder"
            ) from error
        lacking = self.lacking(folder)
        if lacking:
            raise FilesLacking(self.repo, self.revision, lacking)
        return folder

    def within(self, folder: Path) -> "HubFiles":
        return replace(self, cache=str(folder / "hub"))

    def lacking(self, folder: Path) -> list[str]:
        """Patterns that the files of a folder leave unmet."""
        names = self._names(folder)
        exact = [p for p in self.patterns if "*" not in p and p not in names]
        weights = [p for p in self.patterns if "*" in p and "safetensors" in p]
        unmet = weights and not any(fnmatch(n, p) for n in names for p in weights)
        return exact + (sorted({PurePosixPath(p).name for p in weights}) if unmet else [])

    def _known(self) -> Path | None:
        """The folder of a commit that is here, without asking the hub where that is certain.

        It is where the library has kept its list of the commit's files. None where they are still
        to be fetched. Raises what the library raises when the hub is out of reach: at once, while
        listing a commit would try for a minute.
        """
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HTTPError

        if not _COMMIT.fullmatch(self.revision):
            return None
        here = self.status()
        if here.complete and (self._cache() / "trees" / f"{self.revision}.json").is_file():
            return here.place
        try:
            HfApi().repo_info(self.repo, revision=self.revision, timeout=_SECONDS)
        except (OSError, HTTPError):
            if here.complete:
                return here.place
            raise
        return None

    def _names(self, folder: Path) -> list[str]:
        """Files in a folder that are part of this, by their POSIX paths."""
        files = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        return [name for name in files if self._wanted(name)]

    def _wanted(self, name: str) -> bool:
        chosen = not self.patterns or any(fnmatch(name, p) for p in self.patterns)
        return chosen and not any(fnmatch(name, p) for p in self.ignore)

    def _bytes(self, folder: Path) -> int:
        return sum((folder / name).stat().st_size for name in self._names(folder))

    def _options(self) -> dict[str, Any]:
        """What snapshot_download is told, apart from the name."""
        chosen = list(self.patterns) if self.patterns else None
        options: dict[str, Any] = {"revision": self.revision, "allow_patterns": chosen}
        if self.ignore:
            options["ignore_patterns"] = list(self.ignore)
        if self.cache:
            options["cache_dir"] = self.cache
        return options

    def _cache(self) -> Path:
        """The repository's place in the cache."""
        from huggingface_hub import constants

        root = Path(self.cache or constants.HF_HUB_CACHE)
        return root / f"models--{self.repo.replace('/', '--')}"


@contextmanager
def _bars_on_terminals() -> Iterator[None]:
    """The library's own bars, but none where stderr is no terminal."""
    from huggingface_hub import utils

    if sys.stderr.isatty() or utils.are_progress_bars_disabled():
        yield
        return
    utils.disable_progress_bars()
    try:
        yield
    finally:
        utils.enable_progress_bars()


def _reason(error: BaseException) -> str:
    """Why the hub gave nothing, as a person would say it."""
    from huggingface_hub import errors

    known = {
        errors.OfflineModeIsEnabled: "HF_HUB_OFFLINE is set",
        errors.GatedRepoError: "accept its terms on its page, then log in with hf auth login",
        errors.RepositoryNotFoundError: "there is no such repository, or it is private",
        errors.RevisionNotFoundError: "there is no such revision",
    }
    cause: BaseException | None = error
    while cause is not None:
        for kind, told in known.items():
            if isinstance(cause, kind):
                return told
        if isinstance(cause, errors.HTTPError) and not isinstance(cause, errors.HfHubHTTPError):
            return "it cannot be reached"
        cause = cause.__cause__
    text = " ".join(str(error).split())[:120]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
