"""Weights that a repository may hold under one of several names: the first that is there is taken.

It knows neither the names nor what the files mean.
"""

from dataclasses import dataclass
from pathlib import Path

from lr_edit.backbones.hub_files import FilesLacking, HubFiles
from lr_edit.backbones.sources import Source, Status


@dataclass(frozen=True)
class Either(Source):
    """The first of several choices of one repository's files that it has in full.

    choices: of the same repository at the same revision, the best first, at least one.
    """

    choices: tuple[HubFiles, ...]

    @property
    def title(self) -> str:
        return self.choices[0].title

    @property
    def files(self) -> str:
        """The files of the first choice, and what the others have in their place."""
        first, *rest = (choice.files.split(", ") for choice in self.choices)
        others = dict.fromkeys(name for names in rest for name in names if name not in first)
        return " or ".join([", ".join(first), *others])

    @property
    def size(self) -> int | None:
        return self.choices[0].size

    def status(self) -> Status:
        """That of the choice which is here, otherwise of the first."""
        found = [choice.status() for choice in self.choices]
        return next((status for status in found if status.complete), found[0])

    def fetch(self) -> Path:
        for choice in self.choices:
            if choice.status().complete:
                return choice.fetch()
        lacking: list[FilesLacking] = []
        for choice in self.choices:
            try:
                return choice.fetch()
            except FilesLacking as error:
                lacking.append(error)
        names = dict.fromkeys(", ".join(error.names) for error in lacking)
        first = self.choices[0]
        raise FilesLacking(first.repo, first.revision, [" or ".join(names)])

    def within(self, folder: Path) -> "Either":
        return Either(tuple(choice.within(folder) for choice in self.choices))
