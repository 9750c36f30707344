"""What captions and phrases speak of: noun phrases, the words that matter; no pictures.

Simple rules for English; they need no tagger, and are wrong now and then.
"""

import re

from lr_edit.phrase import COLOURS
from lr_edit.plurals import singular

# Where a noun phrase ends and another may begin.
_BREAK = (
    r"on|in|at|of|with|without|under|over|above|below|behind|beside|between|near|next|by|from|to|"
    r"into|onto|through|across|along|around|against|inside|outside|during|after|before|for|as|while|"
    r"and|or|but|that|which|who|whose|where|when|is|are|was|were|be|been|being|has|have|had|its|"
    r"it|they|he|she|there|this|these|those|up|down|out|off|front|top|"
    r"(?!(?:building|ceiling|clothing|painting|ring|earring|wing|string|king|swing|railing|awning|"
    r"frosting|icing|topping|wedding|pudding|morning|evening)s?\b)\w+ing|stands?|sits?|lies|"
    r"lays?|holds?|wears?|looks?|plays?|rides?|walks?|runs?|eats?|flies|parked|filled|covered|made|"
    r"very|about|while|each|other|also|together|not"
)
_ARTICLE = r"(?:a|an|the|some|one|two|three|four|five|six|several|many|his|her|their|my|your)"

_PLACE = re.compile(
    r"\b(?:left(?:most)?|right(?:most)?|middle|cent(?:er|re|ral)|top|bottom|upper|lower|front|back|"
    r"background|foreground|behind|near(?:est|er)?|next|beside|clos(?:e|er|est)|far(?:thest|ther)?|"
    r"furthest|further|corner|edge|side|above|below|under|between|first|second|third|fourth|fifth|"
    r"last|1st|2nd|3rd|4th|facing|outer|inner|end|(?:twelve|\d+) o'?clock)\b"
)
_COLOUR = re.compile(rf"\b(?:{COLOURS}|tan|colou?r\w*)(?:ish)?\b")
# What says nothing of what a thing is.
_EMPTY = re.compile(
    rf"(?:{_BREAK}|{_ARTICLE}|{COLOURS}|{_PLACE.pattern}|big(?:ger|gest)?|large(?:r|st)?|huge|"
    r"small(?:er|est)?|little|tiny|long|short|tall(?:er|est)?|old|young|new|dark|light|bright|all|"
    r"both|any|no|only|full|half|part|whole|thing|object|item|stuff|ones?|picture|image|photo|pic|"
    r"shot|view|color|colour|scene|kind|type|group|pair|bunch|piece|lot|number|looks?|visible|most|"
    r"more|just|can|see|you|we|i|him|them|the|us|red|s|t|so|if|like|almost|closest|different)"
)
_ALIKE = (
    "person man woman guy lady girl boy kid child baby toddler people human player batter catcher "
    "pitcher umpire dude male female gentleman adult worker skier surfer skater rider crowd face "
    "head hair shirt hand arm leg jacket coat hat jeans pants dress mom dad mother father",
    "car suv van vehicle automobile taxi truck jeep", "bike bicycle motorcycle motorbike cycle",
    "tv television monitor screen laptop computer", "couch sofa settee loveseat chair seat bench",
    "airplane plane aeroplane jet aircraft", "cow bull calf cattle ox", "sheep lamb ewe",
    "cup mug glass", "plate dish bowl", "bag backpack suitcase luggage handbag purse",
    "table desk counter", "dog puppy", "cat kitten", "horse pony foal", "boat ship canoe kayak",
    "phone cellphone telephone", "doughnut donut", "fridge refrigerator", "tree bush plant flower",
    "food sandwich pizza cake burger", "bird duck goose pigeon seagull parrot", "teddy bear",
)  # fmt: skip
_GROUP = {word: line.split()[0] for line in _ALIKE for word in line.split()}


def speaks_of_place(text: str) -> bool:
    """Whether a phrase says where in the picture a thing is, so that a cut could make it false."""
    return bool(_PLACE.search(text.lower()))


def speaks_of_colour(text: str) -> bool:
    """Whether a phrase names a colour, so that it says too much of a gray picture."""
    return bool(_COLOUR.search(text.lower()))


def things(text: str) -> frozenset[str]:
    """What a phrase speaks of: words in the singular, those that may mean the same as one.

    "the two guys in red shirts" => {"person"}; "left one" => nothing.
    """
    words = re.findall(r"[a-z][a-z'-]*", text.lower())
    kept = (word for word in words if not _EMPTY.fullmatch(word))
    return frozenset(_GROUP.get(one, one) for one in map(singular, kept))


def noun_phrases(caption: str) -> tuple[str, ...]:
    """The noun phrases of a caption, in order, each once; without any, the caption itself.

    "A man riding a wave on top of a surfboard." => "a man", "a wave", "a surfboard".
    """
    text = " ".join(re.sub(r"<[^>]*>", " ", caption.lower()).split())
    parts = re.split(rf"[.,;:!?()\"]+|\b(?:{_BREAK})\b(?!')", text)
    found: dict[str, None] = {}
    for part in parts:
        words = re.sub(r"[^\w' -]", " ", part).split()
        if words and things(part) and len(words) <= 6:
            found.setdefault(" ".join(words), None)
    return tuple(found) or ((text,) if text else ())
