"""What a phrase can say of a scene, as values; it asks no scene whether they are true."""

from dataclasses import dataclass

RELATIONS = ("left", "right", "behind", "front", "nearest")
# What words fit before all of a phrase is read: the noun of what is meant, its whole description,
# and the landmark's.
MENTIONS = ("noun", "description", "landmark")


@dataclass(frozen=True)
class Described:
    """Things named by a word, and by attributes where these are not None."""

    word: str
    colour: str | None = None
    material: str | None = None
    size: str | None = None


@dataclass(frozen=True)
class Related:
    """The described thing that stands in a relation (one of RELATIONS) to the landmark."""

    subject: Described
    relation: str
    landmark: Described


@dataclass(frozen=True)
class Ranked:
    """The described thing of a rank, 0 the first, from an end: left, right, near or far."""

    subject: Described
    end: str
    rank: int = 0


@dataclass(frozen=True)
class Together:
    """Several things, each described by itself."""

    parts: tuple[Described, ...]


@dataclass(frozen=True)
class Every:
    """All the things that a description fits."""

    subject: Described


@dataclass(frozen=True)
class Becoming:
    """The thing of that noun which is not yet as described, when it is to become so.

    wanted: a word of one noun, with colour, material or both. Of a red mug and a blue one,
    "a blue mug" means the red.
    """

    wanted: Described


@dataclass(frozen=True)
class Contradictory:
    """The described thing when it is said to be something else at once: never anything.

    other: as the subject, but of another colour, material or size.
    """

    subject: Described
    other: Described


Predicate = Described | Related | Ranked | Together | Every | Becoming | Contradictory


def descriptions(predicate: Predicate) -> tuple[Described, ...]:
    """Every description inside a predicate, the subject first; of a contradiction that alone."""
    match predicate:
        case Described():
            return (predicate,)
        case Related(subject, _, landmark):
            return subject, landmark
        case Together(parts):
            return parts
        case Ranked(subject) | Every(subject) | Becoming(subject) | Contradictory(subject):
            return (subject,)
