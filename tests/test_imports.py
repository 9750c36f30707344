"""Imports go one way: a part uses what stands before it, and only train.py uses training."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "lr_edit"
SHARED = {
    "arguments", "errors", "explain", "images", "photometry", "crop", "masks", "files", "plurals",
    "phrase", "instruction", "sheet", "output",
}  # fmt: skip
MAY_USE = {
    **{name: SHARED for name in SHARED},
    "tabletop": SHARED,
    "data": SHARED,
    "backbones": SHARED,
    "fetching": SHARED | {"backbones", "regions"},
    "model_files": SHARED | {"backbones", "regions"},
    "models": SHARED | {"backbones", "regions", "fetching", "model_files"},
    "regions": SHARED | {"backbones"},
    "proposers": SHARED | {"backbones", "regions", "models"},
    "guidance": SHARED | {"backbones"},
    "editors": SHARED | {"backbones", "guidance"},
    "ranked": SHARED | {"backbones", "regions", "guidance", "editors"},
    "edit": SHARED | {"backbones", "regions", "guidance", "editors", "ranked"},
    "builders": SHARED | {"backbones", "regions", "guidance", "editors", "ranked", "models"},
}  # fmt: skip
EVERYTHING_BUT = {
    "evaluation": {"training", "cli", "demo"}, "training": {"cli", "demo"},
    "cli": {"training", "demo"},
}  # fmt: skip


def part(path: Path) -> str:
    """The part of the package that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def used(path: Path) -> set[str]:
    """The parts that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lr_edit"):
            names = (node.module or "").split(".")[1:]
            found |= {names[0]} if names else {alias.name for alias in node.names}
    return found


def test_imports_go_one_way() -> None:
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        own = part(path)
        allowed = MAY_USE.get(own)
        bad = (
            used(path) - allowed - {own} if allowed else used(path) & EVERYTHING_BUT.get(own, set())
        )
        wrong += [f"{path.relative_to(PACKAGE)} uses {name}" for name in sorted(bad)]
    assert not wrong, wrong


def test_nobody_but_train_uses_training() -> None:
    users = {part(path) for path in PACKAGE.rglob("*.py") if "training" in used(path)}
    assert users <= {"training"}
