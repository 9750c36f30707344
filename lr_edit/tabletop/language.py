"""Phrases that refer to exactly what they say: predicates proposed, checked, put into words.

A phrase is drawn as a predicate; it is spoken only when the predicate selects exactly one thing
(for "several" a set, for "absent" nothing) beyond argument. Most name what is there; an edit prompt
says only what it should become. It knows no pixels.
"""

import random
from dataclasses import dataclass
from typing import Literal

from lr_edit.tabletop.matching import matches, mentioned
from lr_edit.tabletop.predicates import (
    MENTIONS,
    Becoming,
    Contradictory,
    Described,
    Every,
    Predicate,
    Ranked,
    Related,
    Together,
    descriptions,
)
from lr_edit.tabletop.proposals import PROPOSERS
from lr_edit.tabletop.scene import Scene
from lr_edit.tabletop.words import (
    COLOUR_WORDS,
    COUNTS,
    MATERIAL_WORDS,
    PEOPLE,
    RANKS,
    SIZE_WORDS,
    is_held_out,
    listed,
    plural,
    vary,
    with_article,
)

KINDS = ("noun", "attribute", "relation", "ordinal", "several", "absent")
SINGLE_KINDS = KINDS[:4]
# "a blue mug": the mug that is not blue yet; and where there is none to become so.
EDIT_KINDS = ("edit_prompt", "edit_absent")
# What fits nothing; a contradiction ("the red mug that is blue") fits nothing anywhere.
ABSENT_KINDS = ("absent", "contradiction", "edit_absent")
TRIES = 40
RELATION_WORDS = {
    "left": ("left of", "to the left of"),
    "right": ("right of", "to the right of"),
    "behind": ("behind",),
    "front": ("in front of",),
    "nearest": ("nearest to", "closest to", "nearest"),
}


EDIT_PROMPTS = (
    "{a}", "{a}", "{a}", "{bare}", "a photo of {a}", "a picture of {a}", "make it {a}",
)  # fmt: skip


@dataclass(frozen=True)
class Phrase:
    """Words, the ascending indices into `scene.things` they refer to, and their kind.

    kind: one of KINDS, EDIT_KINDS or ABSENT_KINDS. mentions: for each of MENTIONS the things that
    these words alone fit; empty where that is not known.
    """

    text: str
    targets: tuple[int, ...]
    kind: str
    mentions: tuple[tuple[int, ...], ...] = ((),) * len(MENTIONS)

    @property
    def reading(self) -> Literal["refer", "edit"]:
        """Whether the words name what is there, or say what it is to become."""
        return "edit" if self.kind in EDIT_KINDS else "refer"


def referring(
    scene: Scene,
    rng: random.Random,
    kind: str,
    *,
    target: int | None = None,
    needed: bool = False,
    colours: bool = True,
) -> Phrase | None:
    """A phrase of one of KINDS, EDIT_KINDS or ABSENT_KINDS, or None where none was found.

    target: the thing it must refer to. needed: the plain words without attribute, relation or rank
    fit more than one thing. colours: False leaves colour words out. Held-out pairs are named only
    where such a thing stands there.
    """
    if not scene.things and kind not in ABSENT_KINDS:
        return None
    for _ in range(TRIES):
        index = rng.randrange(max(len(scene.things), 1)) if target is None else target
        predicate = PROPOSERS[kind](scene, rng, index, colours)
        found = None if predicate is None else matches(scene, predicate)
        if predicate is None or found is None or not _fits(kind, found, target):
            continue
        if needed and not _is_needed(scene, predicate):
            continue
        unreal = kind in ABSENT_KINDS or kind in EDIT_KINDS
        if unreal and _names_held_out(predicate):
            continue
        text = say(predicate, rng, len(found))
        bare = isinstance(predicate, Described) and rng.random() < 0.15
        text = text.removeprefix("the ") if bare else text
        return Phrase(text, found, kind, mentioned(scene, predicate))
    return None


def phrases(scene: Scene, rng: random.Random, colours: bool = True) -> list[Phrase]:
    """One phrase of every kind that the scene admits, each text once.

    Attributes and relations are needed to tell the things apart wherever one is found quickly.
    """
    found: dict[str, Phrase] = {}
    for kind in KINDS:
        needed = kind in ("attribute", "relation") and rng.random() < 0.6
        phrase = referring(scene, rng, kind, needed=needed, colours=colours)
        if phrase is None and needed:
            phrase = referring(scene, rng, kind, colours=colours)
        if phrase is not None:
            found.setdefault(phrase.text, phrase)
    return list(found.values())


def phrase_for(scene: Scene, rng: random.Random, index: int, colours: bool = True) -> Phrase | None:
    """A phrase of any single kind that refers to thing `index`, or None where none was found."""
    for kind in rng.sample(SINGLE_KINDS, k=len(SINGLE_KINDS)):
        phrase = referring(scene, rng, kind, target=index, colours=colours)
        if phrase is not None:
            return phrase
    return None


def noun_phrase(said: Described, rng: random.Random | None = None, many: bool = False) -> str:
    """A description without article: "small shiny red apple", "girl in red"; varied with rng."""
    before = [
        vary(said.size, SIZE_WORDS, rng) if said.size else "",
        vary(said.material, MATERIAL_WORDS, rng) if said.material else "",
    ]
    noun = plural(said.word) if many else said.word
    colour = vary(said.colour, COLOUR_WORDS, rng) if said.colour else ""
    # A child's colour is that of the clothes, and said so.
    if colour and said.word in PEOPLE:
        return " ".join(filter(None, (*before, noun, "in", colour)))
    return " ".join(filter(None, (*before, colour, noun)))


def say(predicate: Predicate, rng: random.Random, count: int = 1) -> str:
    """The predicate in words; count: how many things it selects (plurals may name it)."""
    match predicate:
        case Described():
            return f"the {noun_phrase(predicate, rng)}"
        case Together(parts):
            return listed([f"the {noun_phrase(part, rng)}" for part in parts])
        case Related(subject, relation, landmark):
            link = rng.choice(RELATION_WORDS[relation])
            return f"the {noun_phrase(subject, rng)} {link} the {noun_phrase(landmark, rng)}"
        case Ranked(subject, end, rank):
            return _say_ranked(noun_phrase(subject, rng), end, rank, rng)
        case Every(subject):
            return _say_every(subject, count, rng)
        case Becoming(wanted):
            return _say_becoming(wanted, rng)
        case Contradictory(subject, other):
            return _say_contradictory(subject, other, rng)


def _say_ranked(subject: str, end: str, rank: int, rng: random.Random) -> str:
    if end in ("near", "far"):
        word, link = {"near": ("closest", "to"), "far": ("farthest", "from")}[end]
        other = "nearest" if end == "near" else "farthest"
        return rng.choice(
            (
                f"the {subject} {word} {link} the camera",
                f"the {subject} {other} {link} the camera",
                f"the {word} {subject}",
            )
        )
    forms = [f"the {RANKS[rank]} {subject} from the {end}"]
    if rank == 0:
        forms += [f"the {end}most {subject}", f"the {subject} on the far {end}"]
    return rng.choice(forms)


def _say_every(subject: Described, count: int, rng: random.Random) -> str:
    things = noun_phrase(subject, rng, many=True)
    forms = [f"all the {things}", f"all {things}", f"the {things}"]
    forms.append(f"every {noun_phrase(subject, rng)}")
    if count >= 2:
        forms.append(f"the {COUNTS[count]} {things}")
    if count == 2:
        forms.append(f"both {things}")
    return rng.choice(forms)


def _say_becoming(wanted: Described, rng: random.Random) -> str:
    if rng.random() < 0.15 and wanted.word not in PEOPLE:
        material = vary(wanted.material, MATERIAL_WORDS, rng) if wanted.material else ""
        colour = vary(wanted.colour, COLOUR_WORDS, rng) if wanted.colour else ""
        return f"{with_article(wanted.word)} that is {listed([*filter(None, (material, colour))])}"
    bare = noun_phrase(wanted, rng)
    return rng.choice(EDIT_PROMPTS).format(a=with_article(bare), bare=bare)


def _say_contradictory(subject: Described, other: Described, rng: random.Random) -> str:
    bare, claim = (
        noun_phrase(subject, rng),
        noun_phrase(other, rng).removesuffix(other.word).strip(),
    )
    first, word = bare.removesuffix(subject.word).strip(), subject.word
    return rng.choice(
        (
            f"the {first} {word} that is {claim}",
            f"the {claim} {bare}",
            f"the {word} that is {first} and {claim}",
        )
    )


def _fits(kind: str, found: tuple[int, ...], target: int | None) -> bool:
    if kind in ABSENT_KINDS:
        return not found
    if kind == "several":
        return len(found) > 1
    return len(found) == 1 and target in (None, found[0])


def _is_needed(scene: Scene, predicate: Predicate) -> bool:
    """Whether fewer words would leave open which thing is meant."""
    said = descriptions(predicate)[0]
    plain = Described(said.word) if predicate == said else said
    return len(matches(scene, plain) or ()) > 1


def _names_held_out(predicate: Predicate) -> bool:
    """Whether a pair of colour and noun that is kept out of training is named anywhere in it."""
    also = (predicate.other,) if isinstance(predicate, Contradictory) else ()
    return any(is_held_out(said.colour, said.word) for said in (*descriptions(predicate), *also))
