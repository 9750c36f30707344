"""The manifest of infer.py batch: what a line may say, and how lines are shared out."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonargparse import Namespace

from lr_edit.cli.batch import batch_parser
from lr_edit.cli.bulk.launch import shard
from lr_edit.cli.bulk.manifest import read_manifest
from lr_edit.cli.parsing import parsed

APPLE = {"image": "0.png", "replace": "the red apple", "with": "an orange"}


def read(tmp_path: Path, *lines: Any, **defaults: Any):
    """The manifest of these lines under options with these defaults."""
    path = tmp_path / "edits.jsonl"
    path.write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines))
    words = (
        f"--{name}" if value is True else f"--{name}={value}" for name, value in defaults.items()
    )
    return read_manifest(path, option_values(*words).clone())


@cache
def option_values(*words: str) -> Namespace:
    """What the command line says about every line."""
    values = parsed(batch_parser(), ["--manifest=m", "--output=out", *words])
    for name in ("manifest", "trainer"):
        values.pop(name)
    values.device = "cpu"
    return values


def test_a_line_means_what_the_options_mean(tmp_path):
    line = APPLE | {
        "id": "a", "seed": 7, "count": 2, "mask": "m.png", "sampling": {"cfg": 2, "steps": 3},
        "weights.l2": 0.5,
    }  # fmt: skip
    (found,), failures = read(tmp_path, line, steps=9, proposer="whole", seed=1)
    settings = found.settings
    assert failures == [] and (found.number, found.id) == (1, "a")
    assert settings.image == str(tmp_path / "0.png") and settings.mask == str(tmp_path / "m.png")
    assert settings.instruction.find == "the red apple" and settings.proposer == "mask"
    assert settings.seeds == (7, 8) and settings.weights.l2 == 0.5
    assert (settings.sampling.cfg, settings.sampling.steps) == (2.0, 3)
    assert settings.output == str(Path("out") / "a")


def test_the_command_line_speaks_where_a_line_is_silent(tmp_path):
    lines = [{"with": "a cat"}, {"instruction": "turn the mug blue"}, {"replace": None}, {}]
    options = {"image": "x.png", "replace": "the dog", "with": "a duck", "seed": 5}
    found, failures = read(tmp_path, *lines, proposer="whole", **options)
    assert [line.settings.instruction.find for line in found] == [
        "the dog", "the mug", "the region", "the dog",
    ]  # fmt: skip
    assert [line.settings.instruction.paint for line in found] == [
        "a cat", "a blue mug", "a duck", "a duck",
    ]  # fmt: skip
    assert {line.settings.image for line in found} == {"x.png"} and failures == []
    assert {line.settings.seeds[0] for line in found} == {5}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{'image': 1}", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"image": "\\ud800.png"}', "no JSON"),
        ("[1, 2]", "write a JSON object"),
        (APPLE | {"repalce": "x"}, '"repalce" is unknown'),
        (APPLE | {"output": "x"}, '"output" is unknown'),
        (APPLE | {"sampling": {"stpes": 3}}, '"sampling.stpes" is unknown'),
        (APPLE | {"sampling": {"cfg": "much"}}, "sampling.cfg: expected float, got much"),
        (APPLE | {"sampling": {"cfg": -1}}, "sampling.cfg is -1"),
        (APPLE | {"sampling": {"steps": None}}, "sampling.steps is null: give a value"),
        (APPLE | {"sampling.negative": None}, "sampling.negative is null"),
        (APPLE | {"window": {"grow": None}}, "window.grow is null"),
        (APPLE | {"seed": 1.5}, "'seed' is 1.5: expected a whole number"),
        (APPLE | {"seed": True}, "expected a whole number"),
        (APPLE | {"seed": None}, "expected a whole number"),
        (APPLE | {"force": "yes"}, "expected true or false"),
        (APPLE | {"with": 5}, "expected text"),
        (APPLE | {"count": 0}, "--count is 0"),
        (APPLE | {"with": " "}, "is empty"),
        (APPLE | {"instruction": "turn it red"}, "in one way"),
        (APPLE | {"proposer": "magic"}, "'magic'"),
        (APPLE | {"proposer": "whole", "mask": "m.png"}, "finds its own"),
        ({"replace": "a", "with": "b"}, "no picture is named"),
        ({"image": "0.png"}, "nothing says what to change"),
        (APPLE | {"id": 7}, "the id is 7: write text"),
        (APPLE | {"id": "../up"}, "cannot name a folder"),
        (APPLE | {"id": ".hidden"}, "cannot name a folder"),
        (APPLE | {"id": "results.jsonl"}, "cannot name a folder"),
        (APPLE | {"id": "x" * 200}, "cannot name a folder"),
        (APPLE | {"id": "漢" * 100}, "cannot name a folder"),
        (APPLE | {"id": "FIRST"}, "that of line 1"),
    ],
)
def test_a_bad_line_is_told_and_the_rest_goes_on(tmp_path, line, message):
    lines, failures = read(tmp_path, APPLE | {"id": "first"}, "", line, APPLE)
    assert [(line.number, line.id) for line in lines] == [(1, "first"), (4, "4")]
    (failure,) = failures
    assert failure.number == 3 and message in failure.error and "\n" not in failure.error


def test_a_request_is_known_by_what_it_asks_alone(tmp_path):
    def request(line=APPLE, **options: Any) -> str:
        return read(tmp_path, line, **options)[0][0].request

    same = request()
    assert request(APPLE | {"id": "other"}, threads=2, overwrite=True) == same
    others = [request(APPLE | {"seed": 1}), request(steps=3), request(APPLE | {"image": "1.png"})]
    assert len({same, *others}) == 4


@given(st.integers(0, 40), st.integers(1, 9))
def test_the_shards_are_everything_once(count, processes):
    shards = [shard(range(count), rank, processes) for rank in range(processes)]
    assert sorted(item for one in shards for item in one) == list(range(count))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
