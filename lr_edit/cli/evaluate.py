"""infer.py evaluate: measures edits of test scenes, as a YAML file says."""

from collections.abc import Sequence

from lr_edit.cli.parsing import new_parser, parsed
from lr_edit.output import check_output

_ABOUT = "Edit test scenes with every proposer and editor that the file names, and measure them."
_USAGE = "infer.py evaluate --config FILE --output DIR [--overwrite]"


def run(arguments: Sequence[str]) -> None:
    """Runs the benchmark of the file; UserError where the file or the folder is no good."""
    parser = new_parser("evaluate", _ABOUT, _USAGE)
    add = parser.add_argument
    add("--config", required=True, help="what to measure: configs/evaluate.yaml")
    add("--output", required=True, metavar="DIR", help="folder for the figures, new or empty")
    add("--overwrite", action="store_true", help="replace figures that are in the folder already")
    values = parsed(parser, arguments)
    check_output(values.output, values.overwrite)
    from lr_edit.evaluation import benchmark  # after parsing: it loads torch

    benchmark.run(values.config, values.output)
