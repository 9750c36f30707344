"""What jsonargparse complains of, in one line with the closest name that is right; pure."""

import difflib
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterable

_OPTION = re.compile(r"unrecognized arguments: --([\w.]+)|does not accept option '([\w.]+)'")
_CLASS = re.compile(r"Problem with given class_path '([\w.]+)'")
_KEY = re.compile(r"(?:Key|[Oo]ption) '([\w.]+)' is not (?:expected|accepted)")


def explained(complaint: str) -> str:
    """The complaint in a line: what was got and, where a name is wrong, the closest there is."""
    text = " ".join(complaint.split())
    classes = _CLASS.findall(text)
    if classes and not _exists(classes[-1]):
        wrong = classes[-1]
        return f"there is no class {wrong!r}{_closest(wrong, neighbours(wrong))}"
    keys = _KEY.findall(text)
    if classes and keys:
        known = inspect.signature(_load(classes[-1])).parameters
        return f"{classes[-1]} takes no {keys[-1]!r}{_closest(keys[-1], known)}"
    option = _OPTION.search(text)
    if option:
        wrong = next(filter(None, option.groups()))
        return f"there is no option {wrong!r}{_closest(wrong, options())}"
    return _brief(text)


def options() -> list[str]:
    """The options of the command line that YAML files may have too."""
    from lightning import Trainer

    own = [f"trainer.{name}" for name in inspect.signature(Trainer.__init__).parameters]
    return [*own, "config", "seed_everything", "ckpt_path", "model", "data"]


def neighbours(path: str) -> list[str]:
    """Class paths near one that does not exist: classes of its module, or of modules beside it."""
    module, _, _ = path.rpartition(".")
    try:
        found = importlib.import_module(module)
    except ImportError:
        package = module.rpartition(".")[0]
        if not package:
            return []
        try:
            beside = importlib.import_module(package)
        except ImportError:
            return neighbours(module) if "." in module else []
        names = [m.name for m in pkgutil.iter_modules(getattr(beside, "__path__", []))]
        close = difflib.get_close_matches(module.rpartition(".")[2], names, 3, 0.5)
        return [c for name in close for c in _classes(f"{package}.{name}")]
    return _classes(found.__name__)


def _classes(module: str) -> list[str]:
    found = importlib.import_module(module)
    return [
        f"{module}.{name}"
        for name, kind in inspect.getmembers(found, inspect.isclass)
        if kind.__module__ == module
    ]


def _exists(path: str) -> bool:
    try:
        _load(path)
    except (ImportError, AttributeError):
        return False
    return True


def _load(path: str) -> type:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _closest(wrong: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(wrong, list(known), 1, 0.4)
    return f": the closest is {near[0]!r}" if near else ": see --help for what there is"


def _brief(text: str) -> str:
    """The innermost complaint, without types and values."""
    text = text.partition("Errors: - ")[2] or text
    text = re.split(r" - Expected a | Given value type: ", text)[0]
    return text[:300]
