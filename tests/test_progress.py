"""What an edit shows while it is made: the steps of a trace, bars, and no chatter."""

import io
import logging
import warnings
from itertools import pairwise

import torch
from rich.console import Console

from lr_edit.cli.bars import Bars, in_turn, quiet_libraries
from lr_edit.cli.trace import Trace, evenly_spaced
from lr_edit.editors.editor import Progress


def test_a_trace_goes_on_through_batches_and_several_things():
    """Two steps, two batches of candidates (2 and 1), two things: the order they are painted in."""
    trace, heard = Trace(2), []
    tell = in_turn(trace.on_step, heard.append)
    seen = iter(range(1, 9))
    for thing in (1, 2):
        for first, count in ((0, 2), (2, 1)):
            for t in (900, 400):
                number = next(seen)
                losses = {"l2": torch.full((count,), float(number))} if t == 900 else {}
                image = torch.full((count, 3, 8, 8), thing / 2)
                tell(Progress(number, 8, t, lambda image=image: image, losses, 0.0, first))
    assert [one.step for one in heard] == list(range(1, 9))
    assert trace.report() == [
        {"thing": 1, "step": 1, "t": 900, "losses": {"l2": [1, 1, 3]}},
        {"thing": 1, "step": 2, "t": 400, "losses": {}},
        {"thing": 2, "step": 1, "t": 900, "losses": {"l2": [5, 5, 7]}},
        {"thing": 2, "step": 2, "t": 400, "losses": {}},
    ]
    shades = [one.picture.getpixel((0, 0))[0] for one in trace.moments]
    assert shades[0] == shades[1] < shades[2] == shades[3] == 255
    assert min(trace.sheet().size) > 2 * 200  # a row for each thing


def test_steps_to_show_are_evenly_spaced():
    assert evenly_spaced(3, 8) == (1, 2, 3) and evenly_spaced(8, 8) == tuple(range(1, 9))
    for count in (9, 25, 26, 1000):
        chosen = evenly_spaced(count, 8)
        gaps = {b - a for a, b in pairwise(chosen)}
        assert len(chosen) == 8 and (chosen[0], chosen[-1]) == (1, count)
        assert max(gaps) - min(gaps) <= 1


def test_steps_that_are_not_shown_are_not_decoded():
    trace, decoded = Trace(30), []
    for step in range(1, 31):

        def preview(step: int = step) -> torch.Tensor:
            decoded.append(step)
            return torch.zeros(1, 3, 8, 8)

        trace.on_step(Progress(step, 30, 30 - step, preview, {}, 0.0))
    assert tuple(decoded) == evenly_spaced(30, 8)


def test_bars_show_stages_and_steps_on_a_terminal_only():
    for terminal in (True, False):
        shown = io.StringIO()
        with Bars(Console(file=shown, force_terminal=terminal, width=100)) as bars:
            bars.stage("loading", 2)
            bars.advance("clip")
            bars.stage("painting")
            bars.on_step(Progress(2, 4, 0, torch.zeros(1, 3, 8, 8), {}, 0.0))
        assert all((word in shown.getvalue()) == terminal for word in ("loading", "2/4"))


def test_what_libraries_say_is_not_shown_and_only_then(caplog):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with quiet_libraries():
            warnings.warn("chatter", stacklevel=1)
            logging.getLogger("noisy").warning("chatter")
        logging.getLogger("noisy").warning("news")
    assert seen == [] and caplog.messages == ["news"]
