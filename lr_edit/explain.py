"""What jsonargparse complains of, in one line with the closest name that is right."""

import difflib
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import get_type_hints

from lr_edit.errors import UserError

_OPTION = re.compile(r"unrecognized arguments: --([\w.]+)|does not accept option '([\w.]+)'")
_CLASS = re.compile(r"Problem with given class_path '([\w.]+)'")
_KEY = re.compile(r"(?:Key|[Oo]ption) '([\w.]+)' is not (?:expected|accepted)")
_FIELD = re.compile(r"Group '(\w+)' does not accept option '(\w+)'")
_SHORT = re.compile(
    r'Parser key "([\w.]+)".*?import path string: (\w+) - Not a valid subclass of (\w+)'
)
_MADE = re.compile(  # what is called to make something, a data set for one
    r"Type \S*Callable\[.*? expects a function or a callable class: (.*?)\. "
    r"Got value: Namespace\(class_path='([\w.]+)'"
)
_VALUE = re.compile(r'Parser key "([\w.]+)": (.*)')
_ROOTS = ("lr_edit", "lightning")  # the packages whose classes the recipes name


def explained(complaint: str) -> str:
    """The complaint in a line: what was got and, where a name is wrong, the closest there is."""
    text = " ".join(complaint.split())
    made = _MADE.search(text)
    if made:
        return _wrong_made(*made.groups())
    classes = _CLASS.findall(text)
    if classes and not _exists(classes[-1]):
        return _no_class(classes[-1])
    field = _FIELD.search(text)
    if classes and field:
        return _wrong_field(classes[-1], *field.groups())
    short = _SHORT.search(text)
    if short:
        key, wrong, base = short.groups()
        return f"{key}: there is no class {wrong!r}{_closest(wrong, _kinds(base))}"
    keys = _KEY.findall(text)
    if classes and keys:
        return _no_key(classes[-1], keys[-1])
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


def check_names(
    given: Mapping[str, object], make: Callable[..., object], where: str, own: int = 0
) -> None:
    """Raises UserError for a name in `given` that make(**given) does not take.

    where: the key of the YAML file that holds them. own: how many of the first arguments are not
    for the file to say.
    """
    known = list(inspect.signature(make).parameters)[own:]
    for name in given:
        if name not in known:
            raise UserError(f"{where} takes no {name!r}{_closest(name, known)}")


def neighbours(path: str) -> list[str]:
    """Class paths near one that does not exist: classes of the modules that are named like its."""
    parts = path.split(".")[:-1]
    return [found for module in _modules("", parts) for found in _classes(module)]


def _modules(base: str, parts: list[str]) -> list[str]:
    """The modules below a package ("" = all) whose path is about `parts`."""
    if not parts:
        return [base] if base else []
    found = getattr(importlib.import_module(base), "__path__", None) if base else None
    if base and found is None:
        return [base]
    names = [module.name for module in pkgutil.iter_modules(found)] if base else list(_ROOTS)
    first, *rest = parts
    near = [first] if first in names else difflib.get_close_matches(first, names, 3, 0.5)
    return [m for name in near for m in _modules(f"{base}.{name}".lstrip("."), rest)]


def _classes(module: str) -> list[str]:
    """The classes of a module, and those of its own that a package hands on."""
    found = importlib.import_module(module)
    return [
        f"{module}.{name}"
        for name, kind in inspect.getmembers(found, inspect.isclass)
        if f"{kind.__module__}.".startswith(f"{module}.")
    ]


def _kinds(base: str) -> list[str]:
    """The classes of Lightning that may be named without their module, by their base class."""
    import lightning.pytorch.callbacks as callbacks
    import lightning.pytorch.loggers as loggers

    root = {"Callback": callbacks.Callback, "Logger": loggers.Logger}.get(base)
    return [] if root is None else [kind.__name__ for kind in _below(root)]


def _below(kind: type) -> list[type]:
    """All that inherit from a class, as far as they are imported."""
    found: list[type] = kind.__subclasses__()
    return [*found, *(below for one in found for below in _below(one))]


def _wrong_made(complaint: str, path: str) -> str:
    """What is wrong with a class that is to be called, and not made at once."""
    if not _exists(path):
        return _no_class(path)
    keys, value = _KEY.findall(complaint), _VALUE.search(complaint)
    if keys:
        return _no_key(path, keys[-1])
    return f"{path}: {' '.join(value.groups()) if value else complaint}"[:300]


def _no_class(wrong: str) -> str:
    return f"there is no class {wrong!r}{_closest(wrong, neighbours(wrong))}"


def _no_key(path: str, wrong: str) -> str:
    known = inspect.signature(_load(path)).parameters
    return f"{path} takes no {wrong!r}{_closest(wrong, known)}"


def _wrong_field(path: str, group: str, wrong: str) -> str:
    """A record of options among a class's arguments has no such field."""
    record = get_type_hints(inspect.getattr_static(_load(path), "__init__")).get(group)
    names = [field.name for field in fields(record)] if is_dataclass(record) else []
    known = [f"{group}.{name}" for name in names]
    return f"{path} takes no {f'{group}.{wrong}'!r}{_closest(f'{group}.{wrong}', known)}"


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
