"""Reads phrases of the tabletop by themselves, sharing no table or rule with what speaks them."""

import math
import re

from lr_edit.tabletop.scene import Scene, screen_position

NAMES = {
    "apple": "apple", "orange": "orange", "lemon": "lemon", "football": "football",
    "soccer ball": "football", "ball": "football", "mug": "mug", "cup": "mug",
    "coffee mug": "mug", "bottle": "bottle", "book": "book", "box": "box", "carton": "box",
    "parcel": "box", "cone": "cone", "traffic cone": "cone", "ring": "ring",
    "diamond ring": "ring", "mushroom": "mushroom", "toadstool": "mushroom", "tree": "tree",
    "fir tree": "tree", "house": "house", "cottage": "house", "truck": "truck",
    "lorry": "truck", "camper van": "camper van", "RV": "camper van", "motorhome": "camper van",
    "camper": "camper van", "car": "car", "automobile": "car", "boat": "boat",
    "sailboat": "boat", "cat": "cat", "kitten": "cat", "dog": "dog", "puppy": "dog",
    "duck": "duck", "rubber duck": "duck", "girl": "girl", "boy": "boy", "snowman": "snowman",
    "lamp": "lamp", "table lamp": "lamp",
}  # fmt: skip
GROUPS = {
    "fruit": "apple orange lemon", "vehicle": "truck car boat", "animal": "cat dog duck",
    "child": "girl boy", "kid": "girl boy", "person": "girl boy",
}  # fmt: skip
IRREGULAR = {
    "boxes": "box", "children": "child", "people": "person", "snowmen": "snowman",
    "lorries": "lorry", "puppies": "puppy",
}  # fmt: skip
COLOURS = {
    "red", "orange", "yellow", "green", "blue", "purple", "violet", "pink", "brown", "black",
    "white",
}  # fmt: skip
OTHER = {"violet": "purple", "glossy": "shiny", "dull": "matte", "little": "small", "big": "large"}
DETAILS = {"shiny": "material", "matte": "material", "small": "size", "large": "size"}
NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "both": 2}
RANKS = ["first", "second", "third", "fourth", "fifth", "sixth"]


def described(text: str) -> tuple[dict[str, str], set[str] | None]:
    """Attributes said and the nouns meant (None: any) by "small shiny red apple" and the like."""
    words, said = re.sub(r"^(the|an?) ", "", text).split(" "), {}
    if len(words) > 2 and words[-2] == "in":
        said["colour"] = OTHER.get(words[-1], words[-1])
        words = words[:-2]
    while len(words) > 1 and (words[0] in COLOURS or OTHER.get(words[0], words[0]) in DETAILS):
        word = OTHER.get(words[0], words[0])
        said[DETAILS.get(word, "colour")] = word
        words = words[1:]
    name = " ".join(words)
    if name in ("thing", "object"):
        return said, None
    if name in GROUPS:
        extra = {"camper van"} if name == "vehicle" else set()
        return said, set(GROUPS[name].split()) | extra
    return said, {NAMES[name]}


def singular(text: str) -> str:
    """ "red boxes" => "red box", "girls in red" => "girl in red"."""
    head, _, colour = text.partition(" in ")
    before, _, last = head.rpartition(" ")
    last = IRREGULAR.get(last, last.removesuffix("s"))
    return " ".join(filter(None, (before, last))) + (f" in {colour}" if colour else "")


def is_plural(text: str) -> bool:
    """Whether the head noun is a plural."""
    last = text.split(" in ")[0].split(" ")[-1]
    return last in IRREGULAR or last.endswith("s")


def fitting(scene: Scene, text: str) -> set[int]:
    """Indices of the things that a description without relation fits."""
    said, nouns = described(text)
    return {
        i
        for i, thing in enumerate(scene.things)
        if (nouns is None or thing.noun in nouns)
        and all(getattr(thing, name) == value for name, value in said.items())
    }


def one(found: set[int]) -> set[int]:
    assert len(found) <= 1, "a landmark or listed thing must be one"
    return found


def contradictory(text: str) -> bool:
    """Whether "the red mug that is blue", "the blue red mug" and the like say two things of one."""
    words, said = text.removeprefix("the ").split(), dict[str, set[str]]()
    whole = " that is " in text
    for word in (OTHER.get(word, word) for word in words):
        if word in COLOURS or word in DETAILS:
            said.setdefault(DETAILS.get(word, "colour"), set()).add(word)
        elif not whole:
            break
    return any(len(values) > 1 for values in said.values())


def read(scene: Scene, text: str) -> set[int]:
    """Indices of all the things that the text is true of."""
    if contradictory(text):
        return set()
    if " and " in text:
        return set().union(*(listed(scene, part) for part in re.split(r", | and ", text)))
    every = re.fullmatch(r"every (.+)", text)
    if every:
        return fitting(scene, every[1])
    many = re.fullmatch(r"(?:all the|all|both|the (two|three|four|five|six)|the) (.+)", text)
    single = re.search(r" (to|of|from|on|behind|front|nearest|closest) ", text)
    if many and not single and is_plural(many[2]):
        found = fitting(scene, singular(many[2]))
        count = "both" if text.startswith("both") else many[1]
        assert count is None or len(found) == NUMBERS[count]
        return found
    return placed(scene, text)


def becoming(scene: Scene, text: str) -> set[int]:
    """Indices of the things of that noun which are not yet as an edit prompt says."""
    text = re.sub(r"^(a photo of|a picture of|make it) ", "", text)
    head, _, rest = text.partition(" that is ")
    said, nouns = described(head)
    for word in filter(None, rest.split(" and ")):
        word = OTHER.get(word, word)
        said[DETAILS.get(word, "colour")] = word
    assert nouns is not None and len(nouns) == 1, "one noun must be named"
    assert said and "size" not in said, "a colour or a material must be named"
    return {
        i
        for i, thing in enumerate(scene.things)
        if thing.noun in nouns and any(getattr(thing, name) != said[name] for name in said)
    }


def listed(scene: Scene, text: str) -> set[int]:
    found = one(fitting(scene, text))
    assert found, f"{text} is not there"
    return found


def placed(scene: Scene, text: str) -> set[int]:
    """A single thing, by rank, by place, by relation, or as described."""
    position = {i: screen_position(scene, thing) for i, thing in enumerate(scene.things)}
    if match := re.fullmatch(r"the (\w+) (.+) from the (left|right)", text):
        return ranked(position, fitting(scene, match[2]), 0, match[3], RANKS.index(match[1]))
    if match := re.fullmatch(r"the (left|right)most (.+)", text):
        return ranked(position, fitting(scene, match[2]), 0, match[1], 0)
    if match := re.fullmatch(r"the (.+) on the far (left|right)", text):
        return ranked(position, fitting(scene, match[1]), 0, match[2], 0)
    if match := re.fullmatch(r"the (.+) (nearest|closest|farthest) (?:to|from) the camera", text):
        end = "right" if match[2] == "farthest" else "left"
        return ranked(position, fitting(scene, match[1]), 2, end, 0)
    if match := re.fullmatch(r"the (closest|nearest|farthest) (.+)", text):
        end = "right" if match[1] == "farthest" else "left"
        return ranked(position, fitting(scene, match[2]), 2, end, 0)
    if match := re.fullmatch(r"the (.+?) (?:nearest|closest)(?: to)? the (.+)", text):
        return nearest(scene, fitting(scene, match[1]), one(fitting(scene, match[2])))
    if match := re.fullmatch(r"the (.+?) (?:to the )?(left|right) of the (.+)", text):
        sign = 1 if match[2] == "right" else -1
        return beside(position, scene, match[1], match[3], 0, sign)
    if match := re.fullmatch(r"the (.+?) (behind|in front of) the (.+)", text):
        return beside(position, scene, match[1], match[3], 2, 1 if match[2] == "behind" else -1)
    return fitting(scene, text)


def ranked(
    position: dict[int, tuple[float, float, float]], found: set[int], axis: int, end: str, rank: int
) -> set[int]:
    order = sorted(found, key=lambda i: position[i][axis], reverse=end == "right")
    return set(order[rank : rank + 1])


def nearest(scene: Scene, found: set[int], mark: set[int]) -> set[int]:
    def distance(i: int) -> float:
        (j,) = mark
        a, b = scene.things[i], scene.things[j]
        return math.dist((a.x, a.y), (b.x, b.y))

    return set(sorted(found - mark, key=distance)[:1]) if mark else set()


def beside(
    position: dict[int, tuple[float, float, float]],
    scene: Scene,
    subject: str,
    landmark: str,
    axis: int,
    sign: int,
) -> set[int]:
    """Those on one side of the landmark; none may be too close to it to say."""
    marks = one(fitting(scene, landmark))
    found = set()
    for mark in marks:
        for i in fitting(scene, subject) - marks:
            difference = position[i][axis] - position[mark][axis]
            assert abs(difference) > 0.1, "arguable"
            if difference * sign > 0:
                found.add(i)
    return found
