"""python -m lr_edit.evaluation.bench_sizes: what models of photographs cost, with random weights.

Every network has its real size, so nothing need be fetched: parameters, loading, a region, a guided
step, memory. A row runs in a process of its own. Some 8 GB go to the temporary folder (TMPDIR).
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from lr_edit.arguments import OneLineParser
from lr_edit.backbones.devices import device_named
from lr_edit.errors import UserError
from lr_edit.evaluation.bench_memory import alone
from lr_edit.evaluation.bench_rows import ROWS, WRITERS, Figures, figures
from lr_edit.evaluation.bench_timing import GRID, VIEWS
from lr_edit.evaluation.machine import provenance
from lr_edit.evaluation.random_models import REAL, Sizes
from lr_edit.evaluation.tables import table
from lr_edit.output import replacing

Measure = Callable[[str, Path, Sizes, str, int], Figures]
NOTHING = "–"
LEGEND = """\
Random weights: nothing here says how good a model is.

- M parameters: of all networks of the row, in millions, all of them frozen; an editor's are its
  diffusion model, CLIP ViT-B/16 and LPIPS's VGG.
- load: from files that were just written, the libraries already imported.
- region: SegFormer, then CLIP on {segments} segments of a picture of {large} pixels.
- step: one guided step of one candidate (CLIP with {views} views, L2, LPIPS), its gradient through
  the model unless it says straight-through, at the side that the model is made for. Stable
  Diffusion's has classifier-free guidance.
- peak: the most that the process needed to load and to edit, libraries included; of a GPU, what was
  allocated there. A row without figures was ended by the system, for want of memory.
- float32, but for the row of bfloat16 and, on a GPU, Stable Diffusion in float16.
"""


def measured(
    names: Sequence[str], sizes: Sizes, place: Path, device: str, rounds: int, measure: Measure
) -> dict[str, Figures | None]:
    """The figures of those rows, None for one whose process was ended; weights go to `place`.

    measure: as `bench_rows.figures`.
    """
    found: dict[str, Figures | None] = {}
    written: set[str] = set()
    for name in names:
        for weights in ROWS[name].weights:
            if weights not in written:
                WRITERS[weights](place, sizes)
                written.add(weights)
        try:
            found[name] = measure(name, place, sizes, device, rounds)
        except BrokenProcessPool:
            found[name] = None
        print(" | ".join(cells(name, found[name], sizes)), file=sys.stderr, flush=True)
    return found


def in_own_process(name: str, place: Path, sizes: Sizes, device: str, rounds: int) -> Figures:
    """`bench_rows.figures` in a new process."""
    return alone(figures, name, place, sizes, device, rounds)


def columns(sizes: Sizes) -> list[str]:
    """The table's head."""
    steps = [f"step {side} px (s)" for side in sizes.sides]
    return ["configuration", "M parameters", "load (s)", "region (s)", *steps, "peak (GiB)"]


def cells(name: str, row: Figures | None, sizes: Sizes) -> list[str]:
    """One line of the table."""
    title = ROWS[name].title
    if row is None:
        return [title, *[NOTHING] * (len(columns(sizes)) - 1)]
    timed = [f"{row.seconds:.2f}" if side == row.side else NOTHING for side in (None, *sizes.sides)]
    return [title, f"{row.parameters / 1e6:.1f}", f"{row.load:.2f}", *timed, f"{row.peak:.2f}"]


def markdown(found: dict[str, Figures | None], sizes: Sizes, device: str) -> str:
    """The whole page: where it was measured, the table, what its columns mean."""
    facts = " · ".join(
        f"{name} {value}" for name, value in provenance(device_named(device)).items()
    )
    body = [cells(name, row, sizes) for name, row in found.items()]
    return "\n\n".join(
        [
            "# What models of photographs cost",
            f"random weights · {facts}",
            table(columns(sizes), body, left=1),
            LEGEND.format(segments=GRID**2, large=sizes.sides[1], views=VIEWS),
        ]
    )


def checked(names: Sequence[str], rounds: int, output: Path | None) -> None:
    """Raises UserError for rows there are not, too few rounds, or nowhere to write, at once."""
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        raise UserError(f"--rows {' '.join(unknown)}: give one or more of {', '.join(ROWS)}")
    if rounds < 1:
        raise UserError(f"--rounds is {rounds}; give 1 or more")
    if output is not None and not output.parent.is_dir():
        raise UserError(f"the folder {str(output.parent)!r} does not exist: create it first")


def main(
    arguments: Sequence[str] | None = None, sizes: Sizes = REAL, measure: Measure = in_own_process
) -> int:
    """Prints the table, or writes it; returns the exit status, 2 for a user's mistake."""
    parser = OneLineParser(
        prog="python -m lr_edit.evaluation.bench_sizes", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--output", type=Path, help="a .md to write the table to as well")
    parser.add_argument(
        "--rows", nargs="+", default=list(ROWS), metavar="NAME", help=", ".join(ROWS)
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=1, help="the median of so many")
    values = parser.parse_args(arguments)
    try:
        checked(values.rows, values.rounds, values.output)
        device = str(device_named(values.device))
        with tempfile.TemporaryDirectory() as name:
            found = measured(values.rows, sizes, Path(name), device, values.rounds, measure)
        page = markdown(found, sizes, device)
        print(page, end="")
        if values.output is not None:
            with replacing(values.output) as temporary:
                temporary.write_text(page, encoding="utf-8")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
