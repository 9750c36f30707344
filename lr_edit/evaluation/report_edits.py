"""The five edits of Joshi and Aditya's report, on scenes of the tabletop; no models here."""

import random
from dataclasses import replace

from lr_edit.evaluation.cases import Case, is_visible, render_edits
from lr_edit.tabletop.edits import SceneEdit, swap
from lr_edit.tabletop.scene import NATURAL, sample_scene
from lr_edit.tabletop.words import with_article

REPORT_EDITS = (
    ("apple", "orange"), ("football", "orange"), ("truck", "camper van"), ("girl", "boy"),
    ("cat", "dog"),
)  # fmt: skip
_TRIES = 500
_FAIR_SHARE = 0.04  # of the picture, which the thing fills at least


def report_cases(seed: int, size: int = 128) -> list[Case]:
    """REPORT_EDITS as cases, each in the first scene of the seed that shows the thing well."""
    return [
        replace(_report_case(seed, *pair, size), number=number)
        for number, pair in enumerate(REPORT_EDITS)
    ]


def _report_case(seed: int, noun: str, wanted: str, size: int) -> Case:
    for attempt in range(_TRIES):
        edit = _natural_edit(f"report {seed} {noun} {attempt}", noun, wanted)
        if edit is not None:
            (case,) = render_edits([edit], size)
            if is_visible(case) and case.thing.mean() >= _FAIR_SHARE:
                return case
    raise RuntimeError(f"no scene shows one {noun} well in {_TRIES} attempts at seed {seed}")


def _natural_edit(name: str, noun: str, wanted: str) -> SceneEdit | None:
    """The one thing of that noun, in the colour that it usually has, replaced; None without one."""
    count = random.Random(name).randint(2, 4)
    scene = sample_scene(name, count=count)
    places = [k for k, thing in enumerate(scene.things) if thing.noun == noun]
    if len(places) != 1 or any(thing.noun == wanted for thing in scene.things):
        return None
    thing = replace(scene.things[places[0]], colour=NATURAL[noun])
    source = swap(scene, places[0], thing)
    target = swap(scene, places[0], replace(thing, noun=wanted, colour=NATURAL[wanted]))
    find, paint = f"the {noun}", with_article(wanted)
    words = f"replace {find} with {paint}"
    return SceneEdit("replace", source, target, words, find, paint, places[0], places[0])
