"""Folders that no hub has: those that come with the project, and ADM's, which is converted here."""

from dataclasses import dataclass
from pathlib import Path

from lr_edit.backbones.adm import convert
from lr_edit.backbones.folders import ROOT, local_folder
from lr_edit.backbones.sources import Source, Status, bytes_of
from lr_edit.backbones.url_files import UrlFile
from lr_edit.errors import UserError

ADM_FOLDER = "adm256"
"""How a folder is called that is made from ADM's checkpoint."""
_ADM = "https://openaipublic.blob.core.windows.net/diffusion/jul-2021/256x256_diffusion_uncond.pt"
_ADM_BYTES = 2_211_383_297


@dataclass(frozen=True)
class OwnFolder(Source):
    """A folder that comes with the project or is someone's own; no network brings it."""

    name: str

    @property
    def title(self) -> str:
        return self.name

    @property
    def files(self) -> str:
        return "a folder of one's own"

    @property
    def size(self) -> int | None:
        return None

    def status(self) -> Status:
        place = local_folder(self.name)
        return Status(place is not None, place or Path(self.name), bytes_of(place) if place else 0)

    def fetch(self) -> Path:
        status = self.status()
        if not status.complete:
            raise UserError(f"there is no folder {self.name!r}, and no network has it: train it")
        return status.place

    def within(self, folder: Path) -> "OwnFolder":
        return self


@dataclass(frozen=True)
class ConvertedAdm(Source):
    """A folder made from OpenAI's unconditional checkpoint for 256 pixels, which goes afterwards.

    folder: a path, relative to the repository. checkpoint: what it is made from.
    """

    folder: str
    checkpoint: UrlFile

    @classmethod
    def of(cls, folder: str) -> "ConvertedAdm":
        """That of a folder, the checkpoint beside it."""
        target = (ROOT / folder).parent / _ADM.rpartition("/")[2]
        return cls(folder, UrlFile(_ADM, target, expected=_ADM_BYTES, exact=True))

    @property
    def title(self) -> str:
        return f"{self.folder} from {self.checkpoint.target.name}"

    @property
    def files(self) -> str:
        return self.checkpoint.files

    @property
    def size(self) -> int | None:
        return self.checkpoint.size

    def status(self) -> Status:
        place = local_folder(self.folder)
        if place is not None:
            return Status(True, place, bytes_of(place))
        return Status(False, ROOT / self.folder, self.checkpoint.status().size)

    def fetch(self) -> Path:
        place = local_folder(self.folder)
        if place is None:
            place = ROOT / self.folder
            convert(self.checkpoint.fetch(), place)
            self.checkpoint.target.unlink()
        return place

    def within(self, folder: Path) -> "ConvertedAdm":
        return self  # the set says where it is looked for
