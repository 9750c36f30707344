"""A wrong option of a small program is one line with what to do, and exit status 2."""

import sys
from collections.abc import Sequence
from importlib import import_module

import pytest

from lr_edit.arguments import OneLineParser, at_least_one

PROGRAMS = (
    ("lr_edit.tabletop", ["--count", "many"], "invalid int value: 'many'"),
    ("lr_edit.tabletop", [], "the following arguments are required: --output"),
    ("lr_edit.training.install", ["diffuson"], "invalid choice: 'diffuson'"),
    ("lr_edit.backbones.adm", ["model.pt"], "the following arguments are required: output"),
    ("lr_edit.evaluation.bench", ["--rounds", "0"], "expected a whole number, 1 or more"),
    ("lr_edit.evaluation.bench", ["--models", "nowhere"], "nowhere"),
    ("lr_edit.evaluation.bench_photo", ["--rounds", "-1"], "expected"),
    ("lr_edit.evaluation.bench_sizes", ["--narrow"], "unrecognized arguments: --narrow"),
    ("lr_edit.evaluation.sheet", ["--output"], "expected one argument"),
    ("lr_edit.demo", ["out"], "unrecognized arguments: out"),
)


@pytest.mark.parametrize(("module", "arguments", "reason"), PROGRAMS)
def test_a_wrong_option_is_one_line(
    module: str,
    arguments: Sequence[str],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    with pytest.raises(SystemExit) as stop:
        sys.exit(import_module(entry(module)).main())
    out, err = capsys.readouterr()
    assert stop.value.code == 2 and not out
    assert err.count("\n") == 1 and reason in err
    if "--models" not in arguments:
        assert err.endswith(f"; see python -m {module} --help\n")


def entry(module: str) -> str:
    """The module that `python -m` runs."""
    return f"{module}.__main__" if module == "lr_edit.tabletop" else module


@pytest.mark.parametrize("text", ["0", "-3", "1.5", "", "²", "two"])
def test_a_count_is_a_whole_number(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = OneLineParser(prog="program")
    parser.add_argument("--count", type=at_least_one)
    with pytest.raises(SystemExit) as stop:
        parser.parse_args([f"--count={text}"])
    assert stop.value.code == 2
    assert f"got {text!r}, expected a whole number" in capsys.readouterr().err
    assert parser.parse_args(["--count", "12"]).count == 12
