"""Where weights lie: folder or hub name => a local folder, whole and undamaged, or a clear error.

It knows neither networks nor model sets.
"""

import json
import re
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError

from lr_edit.backbones.checks import verify
from lr_edit.backbones.hub_files import HubFiles
from lr_edit.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
"""The repository: what relative paths of weights are relative to."""

PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
"""How files end that can hold code, which reading them would run."""
CONVERT = (
    "such a file can hold code: convert it to safetensors where you trust it "
    "(safetensors.torch.save_file), or take weights that are published so"
)
_HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")  # ./x and ../x are folders


def local_folder(name: str | Path) -> Path | None:
    """The folder of that name, taken from the repository first and the working directory second.

    None where there is none. An absolute path stays as it is.
    """
    for folder in (ROOT / name, Path(name)):
        if folder.is_dir():
            return folder
    return None


def hub_name(name: str | Path) -> bool:
    """Whether a name could be owner/name on the hub; a folder of that name goes before it."""
    return not Path(name).is_absolute() and _HUB_NAME.fullmatch(str(name)) is not None


def located(
    name: str | Path, patterns: Sequence[str] | None = None, revision: str | None = None
) -> Path:
    """The folder of weights called `name`: a path (see `local_folder`), or owner/name on the hub.

    A folder with a card is verified against its checksums. From the hub, files that match
    `patterns` are fetched into its cache, once; revision: a commit, branch or tag there, None for
    the newest.

    Raises UserError when there is neither, or when a file is missing or damaged.
    """
    folder = local_folder(name)
    if folder is not None:
        verify(folder)
        return folder
    if not hub_name(name):
        raise UserError(
            f"missing weights: there is no folder {str(name)!r}; give the path of a folder, or "
            "run make weights"
        )
    return HubFiles(str(name), tuple(patterns or ()), revision or "main").fetch()


def refuse_pickled(folder: str | Path) -> None:
    """Raises UserError for a folder whose weights are pickled; beside safetensors such files pass.

    An index of safetensors that lists pickled files is refused too.
    """
    folder = Path(folder)
    names = {path.name for path in folder.glob("*")}
    if any(name.endswith(".safetensors") for name in names):
        indices = [json.loads(p.read_text()) for p in folder.glob("*.safetensors.index*.json")]
        names = {str(name) for index in indices for name in index["weight_map"].values()}
    found = sorted(name for name in names if name.endswith(PICKLED))
    if found:
        raise UserError(
            f"damaged weights: {str(folder)!r} has {', '.join(found[:3])} where safetensors are "
            f"expected; {CONVERT}"
        )


@contextmanager
def loading(
    name: str | Path,
    fault: str = "damaged weights",
    remedy: str = "reinstall or run make weights",
) -> Iterator[None]:
    """What a library raises inside because of the files called `name` becomes a UserError."""
    from safetensors import SafetensorError

    try:
        yield
    except UserError:
        raise
    except (
        OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError, UnpicklingError
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{fault}: {str(name)!r} cannot be loaded ({reason}); {remedy}") from error


@contextmanager
def replacing_folder(folder: str | Path) -> Iterator[Path]:
    """A new empty folder beside `folder`, put in its place when all went well, else removed.

    Raises UserError when it cannot be written.
    """
    folder = Path(folder).absolute()
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.new")
    old = temporary.with_suffix(".old")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if folder.exists():
            folder.rename(old)
        temporary.rename(folder)
    except OSError as error:
        raise UserError(
            f"{str(folder)!r} cannot be written ({error.strerror or error}): choose another place"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
