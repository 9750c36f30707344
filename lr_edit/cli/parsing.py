"""What every command's parser has in common: jsonargparse whose complaints are one clear line."""

import re
from collections.abc import Sequence

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from lr_edit.errors import UserError


def new_parser(command: str, description: str, usage: str) -> ArgumentParser:
    """A parser for `infer.py COMMAND` without options as yet."""
    prog = f"infer.py {command}".strip()
    return ArgumentParser(prog, usage, description, exit_on_error=False, default_env=False)


def parsed(parser: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """The values of all options; UserError for one that is unknown, missing or of a wrong type."""
    try:
        return parser.parse_args(list(arguments))
    except ArgumentError as error:
        raise UserError(f"{reason(error)}; see python {parser.prog} --help") from error
    except UnicodeDecodeError as error:
        raise UserError(f"the file of --config is no text in UTF-8 ({error.reason})") from error


def reason(error: Exception) -> str:
    """jsonargparse's complaint on one line, types by their plain names."""
    text = " ".join(str(error).split())
    text = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", text).replace("typing.", "")
    text = re.sub(r'Parser key "([\w.]+)": ', r"--\1: ", text)
    text = re.sub(r"Expected an? (.+?)\. Got value: (.*)", r"expected \1, got \2", text)
    return text.replace("the following arguments are required: ", "needed and missing: --")
