"""The parser of the small programs: a wrong option is one line, as every mistake is."""

import argparse
from typing import NoReturn


class OneLineParser(argparse.ArgumentParser):
    """An ArgumentParser that tells what is wrong in one line and stops with exit status 2."""

    def error(self, message: str) -> NoReturn:
        """Say the message and where help is, without the usage; then exit."""
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def at_least_one(text: str) -> int:
    """A whole number from 1 up, for `type` of an argument; ArgumentTypeError for all else."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number, 1 or more")
    return int(text)
