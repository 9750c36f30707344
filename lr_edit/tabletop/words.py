"""The words of the tabletop world: what each stands for, its plural and its article; no scenes."""

import random
from collections.abc import Mapping

from lr_edit.tabletop.scene import NOUNS, UNSEEN_PAIRS

# Other names of one noun.
SYNONYMS = {
    "football": ("soccer ball", "ball"), "mug": ("cup", "coffee mug"), "box": ("carton", "parcel"),
    "cone": ("traffic cone",), "ring": ("diamond ring",), "mushroom": ("toadstool",),
    "tree": ("fir tree",), "house": ("cottage",), "truck": ("lorry",),
    "camper van": ("RV", "motorhome", "camper"), "car": ("automobile",), "boat": ("sailboat",),
    "cat": ("kitten",), "dog": ("puppy",), "duck": ("rubber duck",), "lamp": ("table lamp",),
}  # fmt: skip
# Names of several nouns at once.
GROUPS = {
    "fruit": ("apple", "orange", "lemon"), "vehicle": ("truck", "camper van", "car", "boat"),
    "animal": ("cat", "dog", "duck"), "child": ("girl", "boy"), "kid": ("girl", "boy"),
    "person": ("girl", "boy"), "thing": NOUNS, "object": NOUNS,
}  # fmt: skip
ANYTHING = ("thing", "object")
PEOPLE = frozenset({"girl", "boy", "child", "kid", "person"})
# A word is not used where one of these stands: a reader may count it in or not.
ARGUABLE = {"person": frozenset({"snowman"})}
# Colours that large parts of a thing may have whatever its own colour is.
SECOND_COLOURS = {
    "football": ("black", "white"), "truck": ("white",), "camper van": ("white",),
    "boat": ("white",), "mushroom": ("white",), "house": ("red", "brown"), "boy": ("blue",),
}  # fmt: skip

COLOUR_WORDS = {"purple": ("violet",)}
MATERIAL_WORDS = {"shiny": ("glossy",), "matte": ("dull",)}
SIZE_WORDS = {"small": ("little",), "large": ("big",)}

RANKS = ("first", "second", "third", "fourth", "fifth", "sixth")
COUNTS = ("no", "one", "two", "three", "four", "five", "six")

SURFACE_WORDS = {
    "wood": ("on wood", "on a wooden table"), "marble": ("on marble", "on the marble"),
    "grass": ("on grass", "on the grass"), "sand": ("on sand", "on the sand"),
    "snow": ("on snow", "in the snow"), "tiles": ("on tiles", "on the tiles"),
    "checkered cloth": ("on a checkered cloth",), "blue felt": ("on blue felt",),
}  # fmt: skip
BACKDROP_NAMES = {
    "gray wall": "a gray wall", "blue sky": "a blue sky", "brick wall": "a brick wall",
    "pink wall": "a pink wall", "green wall": "a green wall", "night sky": "a night sky",
    "sunset": "a sunset", "striped wallpaper": "striped wallpaper",
}  # fmt: skip

_PLURALS = {
    "box": "boxes", "child": "children", "person": "people", "snowman": "snowmen",
    "lorry": "lorries", "puppy": "puppies",
}  # fmt: skip
_NOUNS_OF = {
    **{noun: frozenset({noun}) for noun in NOUNS},
    **{word: frozenset({noun}) for noun, words in SYNONYMS.items() for word in words},
    **{word: frozenset(nouns) for word, nouns in GROUPS.items()},
}


def all_words() -> tuple[str, ...]:
    """Every word that names a thing: nouns, synonyms and groups."""
    return tuple(_NOUNS_OF)


def nouns_of(word: str) -> frozenset[str]:
    """The nouns that a word covers: one, or all of a group."""
    return _NOUNS_OF[word]


def plural(word: str) -> str:
    """The plural: "boxes" of "box", "camper vans" of "camper van"."""
    return _PLURALS.get(word, f"{word}s")


def with_article(words: str) -> str:
    """The words after "a" or "an": "an orange", "a blue mug", "an RV"."""
    vowel = words[0].lower() in "aeiou" or words.startswith("RV")
    return f"{'an' if vowel else 'a'} {words}"


def listed(words: list[str]) -> str:
    """The words as a list: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def vary(word: str, others: Mapping[str, tuple[str, ...]], rng: random.Random | None) -> str:
    """The word or, one time in five, another of the same meaning; always itself without rng."""
    if rng is None or word not in others or rng.random() > 0.2:
        return word
    return rng.choice(others[word])


def word_for(noun: str, rng: random.Random) -> str:
    """A word that covers the noun: mostly itself, else a synonym, a group, or "thing"."""
    draw = rng.random()
    if draw < 0.08:
        return rng.choice(ANYTHING)
    groups = [w for w, nouns in GROUPS.items() if noun in nouns and w not in ANYTHING]
    if draw < 0.2 and groups:
        return rng.choice(groups)
    return vary(noun, SYNONYMS, rng)


def is_held_out(colour: str | None, word: str) -> bool:
    """Whether colour and word name a pair kept out of all training."""
    return len(nouns_of(word)) == 1 and (colour, *nouns_of(word)) in UNSEEN_PAIRS
