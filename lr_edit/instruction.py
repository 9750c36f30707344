"""Instructions in words => what to find and what to paint; it knows nothing of models or pixels.

A small grammar of English. All phrases come out in lower case, without quotes and end punctuation.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from lr_edit.errors import UserError
from lr_edit.phrase import COLOUR, indefinite, recoloured

FORMS = (
    "'replace X with Y', 'swap X for Y', 'turn X into Y', 'make X a Y', 'turn X red', 'remove X' "
    "or 'X -> Y'"
)
# After these words no noun phrase can end.
_DANGLING = (
    "next|close|closest|nearest|with|without|of|in|into|inside|on|at|by|and|the|to|from|under|below|"
    "above|over|behind|beside|between|near|holding|wearing|wear|hold|have|look"
)
_PRONOUN = "it|this|that|them|these|those|him|her|everything|something"


Reading = Literal["refer", "edit"]
"""How the phrase to find is meant: it names what is there ("the red mug"), or says what is to
become of it ("a blue mug": the mug that is not blue yet)."""


@dataclass(frozen=True)
class Instruction:
    """find: the phrase for what is to change. paint: what it becomes; "" means the background.
    reading: how `find` is meant."""

    find: str
    paint: str
    reading: Reading = "refer"


def check_phrase(text: str, name: str, limit: int = 300) -> str:
    """The text without blanks around it; `name` is what an error calls it.

    Any script passes: whether a model can read it, its tokenizer knows. Raises UserError when there
    is nothing visible in it, when it has more than `limit` characters, or line breaks and other
    control characters in it.
    """
    text = text.strip()
    kinds = {unicodedata.category(character) for character in text}
    if kinds <= {"Cf", "Zs", "Zl", "Zp"}:
        raise UserError(f"the {name} is empty: say it in a few words")
    if len(text) > limit:
        raise UserError(
            f"the {name} has {len(text)} characters: at most {limit} are read, so shorten it"
        )
    if kinds & {"Cc", "Cs", "Zl", "Zp"}:
        raise UserError(f"the {name} {text!r} has control characters in it: write plain words")
    return text


def check_words(text: str, name: str) -> str:
    """As `check_phrase`; also raises UserError for punctuation alone, in which no model can read
    what is meant."""
    text = check_phrase(text, name)
    if all(unicodedata.category(character)[0] in "CPZ" for character in text):
        raise UserError(f"the {name} {text!r} has no word in it: say it in a few words")
    return text


def check_length(tokens: int, most: int, phrase: str, reader: str) -> None:
    """Raises UserError for a phrase of more tokens than `reader` reads, start and end included."""
    if tokens > most:
        shown = f"{phrase[:40]!r}…" if len(phrase) > 40 else repr(phrase)
        raise UserError(
            f"the phrase {shown} has {tokens} tokens, but {reader} reads {most} at most: shorten it"
        )


def parse(text: str) -> Instruction:
    """What "turn the sofa red" and the like ask for.

    replace, exchange X with Y; swap X for Y; turn, change, make X into Y; make X a Y; turn, make,
    paint X red; remove, delete, erase X; X -> Y. What is painted is made indefinite ("the apple" =>
    "an apple"); a colour alone keeps the noun ("turn the big sofa red" => "a big red sofa").

    Raises UserError for a text that `check_phrase` refuses or that fits no form.
    """
    plain = _plain(check_phrase(text, "instruction"))
    found = _removal(plain) or _arrow(plain) or _exchange(plain) or _change(plain)
    if found is None or not re.search(r"\w", found.find) or re.fullmatch(_PRONOUN, found.find):
        raise UserError(f"the instruction {text.strip()!r} is not understood: write {FORMS}")
    return found


def _plain(text: str) -> str:
    """Lower case, single blanks, straight quotes, no end punctuation, no please."""
    text = text.lower().translate(str.maketrans("“”„«»‘’", '"""""\'\''))
    text = re.sub(r"\s+", " ", text).strip(" .!?,;")
    return re.sub(r"^please,? |,? please$", "", text)


def _removal(text: str) -> Instruction | None:
    match = re.fullmatch(r"(?:remove|delete|erase|get rid of|take away) (.+)", text)
    if not match:
        return None
    place = r" from (?:the|this|my) (?:picture|image|photo|photograph|scene)$"
    return Instruction(_unquoted(re.sub(place, "", match[1])), "")


def _arrow(text: str) -> Instruction | None:
    parts = re.split(r"\s*(?:->|=>|→|⇒)\s*", text)
    return _instruction(parts[0], parts[1], orange="an orange") if len(parts) == 2 else None


def _exchange(text: str) -> Instruction | None:
    """Replace X with Y, swap X for Y."""
    match = re.fullmatch(r"(replace|exchange|swap) (.+)", text)
    if not match:
        return None
    parts = _split(match[2], "with|by" if match[1] == "replace" else "for|with")
    return _instruction(parts[0], parts[1], orange="an orange") if parts else None


def _change(text: str) -> Instruction | None:
    """Turn X into Y, make X a Y, turn X red."""
    match = re.fullmatch(r"(?:turn|change|make|transform|convert|paint|colou?r|dye) (.+)", text)
    if not match:
        return None
    rest = re.sub(r"^the colou?r of (?=.+ (?:in)?to )", "", match[1])
    rest = re.sub(rf" from {COLOUR}(?= (?:in)?to )", "", rest)
    parts = _split(rest, "into") or _split(rest, "to") or _split(rest, "(?=an? )")
    if parts:
        return _instruction(*parts)
    coloured = re.fullmatch(rf"(.+?)(?: in)? ({COLOUR})", _unquoted(rest))
    return _instruction(coloured[1], coloured[2]) if coloured else None


def _split(text: str, words: str) -> tuple[str, str] | None:
    """X and Y of "X with Y": at the first of `words` before "a" or "an", else at the first.

    Those inside quotes do not count, nor "to" in "next to" and "to the left", nor what has no noun
    before it.
    """
    places = []
    for match in re.finditer(rf" (?:{words})(?: |\b)", text):
        before, after = text[: match.start()], text[match.end() :]
        quoted = before.count('"') % 2 == 1
        dangling = re.search(rf"(?:^| )(?:{_DANGLING})$", before)
        sideways = match[0] == " to " and re.match(r"the (?:left|right)\b", after)
        if after and not (quoted or dangling or sideways):
            places.append((before, after))
    indefinite_ones = [place for place in places if re.match(r"[\"']?an? ", place[1])]
    return next(iter(indefinite_ones + places), None)


def _instruction(find: str, paint: str, orange: str = "orange") -> Instruction | None:
    """X and Y as written => the instruction, or None when either is missing.

    orange: what that word alone means, the colour or the fruit.
    """
    find, paint = _unquoted(find), _unquoted(paint)
    paint = orange if paint == "orange" else paint
    if not re.search(r"\w", find) or not re.search(r"\w", paint):
        return None
    if re.fullmatch(COLOUR, paint):
        return Instruction(find, recoloured(find, paint))
    return Instruction(find, indefinite(paint))


def _unquoted(phrase: str) -> str:
    """The phrase without quotes around it, and without double quotes at all."""
    phrase = phrase.replace('"', "").strip(" .!?,;")
    if len(phrase) > 1 and phrase[0] == phrase[-1] == "'":
        phrase = phrase[1:-1]
    return phrase.strip(" .!?,;")
