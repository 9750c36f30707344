"""From a command line to an exit status: 0 done, 2 a mistake, 3 nothing fits, 130 interrupted."""

import sys
from collections.abc import Sequence
from importlib import import_module

from lr_edit.errors import UserError

COMMANDS = {
    "edit": "lr_edit.cli.edit",
    "batch": "lr_edit.cli.batch",
    "evaluate": "lr_edit.cli.evaluate",
    "fetch": "lr_edit.cli.fetch",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command that the arguments (default: those of the process) begin with, else edit.

    A user's mistake and an interruption (Ctrl-C) become one line on stderr each.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = given.pop(0) if given and given[0] in COMMANDS else "edit"
    try:
        import_module(COMMANDS[command]).run(given)
    except UserError as error:
        print(f"infer.py: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("infer.py: interrupted", file=sys.stderr)
        return 130
    return 0
