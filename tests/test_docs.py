"""The README against the tree: every file has its line, and every path it names is there."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def tracked(*patterns: str) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listed.stdout.split()


def test_every_module_has_a_line_in_the_map() -> None:
    modules = [f for f in tracked("lr_edit/**.py", "*.py") if not f.startswith("tests/")]
    empty = [f for f in modules if not (ROOT / f).read_text().strip()]
    missing = [f for f in modules if f not in empty and f"`{f}`" not in README]
    assert not missing, f"README.md maps no {missing}"


def test_every_path_named_exists() -> None:
    named = re.findall(r"`((?:lr_edit|configs|docs|tests)/[\w./-]+)`", README)
    named += re.findall(r"\]\((docs/[^)]+)\)", README)
    assert named
    missing = [path for path in named if not (ROOT / path).exists()]
    assert not missing, f"README.md names {missing}"


def test_every_config_named_in_a_command_exists() -> None:
    for path in re.findall(r"--config (configs/[\w./-]+)", README):
        assert (ROOT / path).is_file(), path
