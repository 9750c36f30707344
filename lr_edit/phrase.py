"""Noun phrases of English: articles, plurals, and another colour; on lower-case text, unless a
function says otherwise."""

import re

from lr_edit.plurals import ALIKE, COUNT, PAIRS, plural, singular

SHADES = (
    "bright|dark|deep|light|pale|pastel|neon|hot|navy(?=[ -]blue)|sky|royal|lime|olive|forest|"
    "blood|baby"
)
COLOURS = (
    "red|orange|yellow|green|blue|purple|violet|pink|brown|black|white|gray|grey|gold|golden|silver|"
    "beige|turquoise|cyan|magenta|maroon|teal|navy(?![ -]blue)|crimson|scarlet|indigo|lavender"
)
# One colour, or several: "dark red", "black and white".
ONE_COLOUR = rf"(?:(?:{SHADES})[ -])*(?:{COLOURS})"
COLOUR = rf"{ONE_COLOUR}(?:(?:,? and |, |-){ONE_COLOUR})*"

_DEFINITE = r"the|this|that|these|those|my|your|his|her|our|their|its|every|each|all|both"
_POSITION = (
    r"leftmost|rightmost|left|right|middle|central|front|back|nearest|closest|farthest|furthest|"
    r"nearer|closer|first|second|third|fourth|fifth|last|other|same"
)
_SIZE = r"(?:very )?(?:big|large|huge|giant|tall|long|small|little|tiny|short|old|new|young)"
_TAIL = (
    r"on|in|at|under|below|above|over|behind|beside|between|near|by|with|without|from|left|right|"
    r"to|next|nearest|closest|that|which|who|of|inside|wearing|holding|sitting|standing|lying"
)
_PLURALS = {"men", "women", "children", "people", "mice", "geese", "feet", "teeth", "sheep", "fish"}


def indefinite(phrase: str) -> str:
    """The phrase for a thing not yet seen: "the apple" => "an apple", "my cats" => "cats".

    "a" and "an" are put right; a phrase without an article stays as it is.
    """
    rest = re.sub(rf"^(?:(?:{_DEFINITE}) |(?:of )(?=the ))+", "", phrase)
    article = re.match(r"an? ", rest)
    if article:
        rest = rest[article.end() :]
    elif rest == phrase:
        return phrase
    return rest if _plural(rest) and not article else f"{_article(rest)} {rest}"


def recoloured(phrase: str, colour: str) -> str:
    """What a phrase's thing is called in another colour, without where it stands.

    "the green apple left of the mug", "red" => "a red apple"; "the cat and the dog" => "a red cat
    and a red dog"; "all the big balls" => "big red balls"; "every cat" => "red cats".
    """
    return " and ".join(_recoloured_one(thing, colour) for thing in _things(phrase))


def only_recoloured(find: str, paint: str) -> bool:
    """Whether what a phrase names is to be the same in another colour: "the big mug left of the
    box" => "a red mug", "the cat and the dog" => "a red cat and a red dog".

    But for colours, nothing may be said of the result that was not said of the thing; of the thing,
    its colours, size and place alone may be left out.
    """
    things, results = (_things(_plain(phrase)) for phrase in (find, paint))
    return len(things) == len(results) and all(map(_recolours, things, results))


def _recolours(thing: str, result: str) -> bool:
    (before, place), (after, rest) = _parted(thing), _parted(result)
    if not re.search(rf"\b(?:{COLOUR}) (?=\S)", after) or rest not in ("", place):
        return False
    if names_several(thing) != names_several(result):
        return False
    one, other = (_without_colours(head).split() for head in (before, after))
    sizes = re.match(rf"(?:{_SIZE} )*(?=\S)", " ".join(one))
    shorter = one[len(sizes[0].split()) if sizes else 0 :]
    same = [singular(word) for word in other]
    return same in ([singular(word) for word in words] for words in (one, shorter))


def _things(phrase: str) -> list[str]:
    """The things that a phrase names, each with its article: "the cat and the dog"."""
    return re.split(rf"(?:,| and|, and) (?=(?:{_DEFINITE}|an?) )", phrase)


def names_several(phrase: str) -> bool:
    """Whether a phrase names more than one thing: "both mugs", "the cat and the dog", "oranges".

    In any case, and with or without a full stop. "some" counts before a plural alone.
    """
    phrase = _plain(phrase)
    first, *others = re.split(rf"(?:,| and|, and) (?=(?:{_DEFINITE}) )", phrase)
    if others and not re.search(r"\bbetween\b", first):
        return True
    counted = re.match(rf"(?:(?:{_DEFINITE}) )*(?:every|each|all|both|{COUNT})\b", first)
    if counted and not _stuff(first):
        return True
    return _plural(first) and _head(first).split(" ")[-1] not in PAIRS


def one_of(phrase: str) -> str:
    """One of the things that a plural names: "two red oranges" => "a red orange".

    In any case; the one is in lower case. Other phrases, those of different things among them, stay
    as they are.
    """
    bare = re.sub(rf"^(?:(?:{_DEFINITE}|of|{COUNT}) )+", "", _plain(phrase))
    head = _head(bare)
    if " and " in head or not names_several(phrase):
        return phrase
    before, _, noun = head.rpartition(" ")
    one = f"{before} {singular(noun)}".strip()
    return f"{_article(one)} {one}{bare[len(head) :]}"


def _recoloured_one(phrase: str, colour: str) -> str:
    head, _ = _parted(phrase)
    noun_last = _without_colours(head)
    size = re.match(rf"(?:{_SIZE} )*(?=\S)", noun_last)
    place = size.end() if size else 0
    painted = f"{noun_last[:place]}{colour} {noun_last[place:]}"
    if _plural(head):
        return painted
    if names_several(phrase):
        return plural(painted)
    return f"{'some' if _stuff(phrase) else _article(painted)} {painted}"


def _plain(phrase: str) -> str:
    """In lower case, with single blanks, without punctuation at the end."""
    return " ".join(phrase.lower().split()).rstrip(".,!?; ")


def _parted(phrase: str) -> tuple[str, str]:
    """A noun phrase without articles, counts and places before its noun, and what follows that:
    "the left mug on the table" => "mug", "on the table"."""
    bare = re.sub(rf"^(?:(?:{_DEFINITE}|{COUNT}|an?|{_POSITION}) (?:of (?=the ))?)+", "", phrase)
    head = _head(bare)
    return head, bare[len(head) :].strip()


def _without_colours(head: str) -> str:
    return re.sub(rf"\b(?:{COLOUR}) (?=\S)", "", head)


def _plural(phrase: str) -> bool:
    """Whether the last word of the noun phrase looks like a plural."""
    noun = _head(phrase).split(" ")[-1]
    return noun in _PLURALS or bool(re.search(r"[^sui]s$", noun))


def _stuff(phrase: str) -> bool:
    """Whether a phrase is of some of what is not counted: "some grass", "some of the water"."""
    some = re.match(rf"(?:(?:{_DEFINITE}) )*some (?:of )?(?:(?:{_DEFINITE}) )*(?=\S)", phrase)
    if not some:
        return False
    parts = re.split(r",? and |, ", _head(phrase[some.end() :]))
    nouns = [part.split(" ")[-1] for part in parts]
    return not any(_plural(n) or n in ALIKE or singular(n) != n for n in nouns)


def _head(phrase: str) -> str:
    """A noun phrase without what follows its noun: "the cat on the mat" => "the cat"."""
    return re.split(rf" (?:{_TAIL})\b", phrase)[0]


def _article(phrase: str) -> str:
    """ "a" or "an", by the sound that the phrase begins with."""
    if re.match(r"(?:uni|use|usu|one\b|once|euro|ewe)", phrase):
        return "a"
    return "an" if re.match(r"[aeiou]|hour|honest|heir", phrase) else "a"
