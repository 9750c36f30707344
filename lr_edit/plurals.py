"""One and several, in English: plurals of words, word by word; no phrases.

Simple rules, wrong now and then.
"""

import re

_ONE = {
    "people": "person", "men": "man", "women": "woman", "children": "child", "mice": "mouse",
    "geese": "goose", "knives": "knife", "sheep": "sheep", "calves": "calf", "feet": "foot",
    "teeth": "tooth", "skis": "ski", "buses": "bus", "gloves": "glove", "wolves": "wolf",
    "leaves": "leaf", "loaves": "loaf", "scarves": "scarf", "wives": "wife", "shelves": "shelf",
    "oxen": "ox", "cookies": "cookie", "movies": "movie",
}  # fmt: skip
_MANY = {one: many for many, one in _ONE.items()} | {
    "person": "people", "ski": "skis", "lens": "lenses", "rhinoceros": "rhinoceroses",
}  # fmt: skip
# One thing, though it looks like several.
PAIRS = {
    "scissors", "jeans", "pants", "glasses", "shorts", "sunglasses", "trousers", "tights",
    "goggles", "binoculars", "headphones", "leggings", "pliers", "tongs", "clothes", "stairs",
}  # fmt: skip
# One and several alike.
ALIKE = {"sheep", "fish", "deer", "moose", "bison", "aircraft"}
_ALREADY = PAIRS | {"skis", "broccoli", "people"}
COUNT = r"(?:two|three|four|five|six|seven|eight|nine|ten|several|many|some|a few|\d+)"


def singular(word: str) -> str:
    """One of what a plural names: "dogs" => "dog", "boxes" => "box"."""
    if word in _ONE:
        return _ONE[word]
    if re.search(r"[^aeiou]ies$", word) and len(word) > 4:
        return word[:-3] + "y"
    if re.search(r"(?:x|ch|sh|ss|zz|to)es$", word):
        return word[:-2]
    return word[:-1] if re.search(r"[^sui]s$", word) and len(word) > 3 else word


def plural(name: str) -> str:
    """Several of a thing: "hot dog" => "hot dogs", "knife" => "knives"."""
    before, _, word = name.rpartition(" ")
    if word in _ALREADY:
        many = word
    elif word in _MANY:
        many = _MANY[word]
    elif re.search(r"[^suia]s$", word):  # "french fries", "roller skates"
        many = word
    elif re.search(r"[^aeiou]y$", word):
        many = word[:-1] + "ies"
    else:
        many = word + ("es" if re.search(r"(?:x|ch|sh|s|z|tomato|potato)$", word) else "s")
    return f"{before} {many}".strip()
