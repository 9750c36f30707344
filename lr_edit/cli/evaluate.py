"""infer.py evaluate: measures edits of test scenes, as a YAML file says."""

from collections.abc import Sequence

from lr_edit.cli.parsing import new_parser, parsed

_ABOUT = "Edit test scenes with every proposer and editor that the file names, and measure them."


def run(arguments: Sequence[str]) -> None:
    """Runs the benchmark of the file; UserError where the file or the folder is no good."""
    parser = new_parser("evaluate", _ABOUT, "infer.py evaluate --config FILE --output DIR")
    parser.add_argument("--config", required=True, help="what to measure: configs/evaluate.yaml")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for the figures")
    values = parsed(parser, arguments)
    from lr_edit.evaluation import benchmark  # after parsing: it loads torch

    benchmark.run(values.config, values.output)
