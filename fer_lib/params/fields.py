"""Fields that several chapters take, and texts that list several values."""

from dataclasses import dataclass
from typing import Annotated, get_args

from pydantic import Field, TypeAdapter

from fer_lib.params.names import FaceDomain, FaceSource

FaceField = Annotated[
    FaceSource,
    Field(description="the face set: a synthetic one (lab, wild, game, micro), or a real one below FER_DATA"),
]
SubjectsField = Annotated[
    int, Field(ge=0, le=20_000, description="synthetic faces: number of people; 0 takes the set's own")
]
SizeField = Annotated[
    int,
    Field(ge=0, le=256, multiple_of=8, description="side of a picture in pixels; 0 takes the set's own"),
]
EpochsField = Annotated[int, Field(ge=1, le=5000, description="passes over the training split")]
RateField = Annotated[float, Field(gt=0, le=10, description="peak learning rate of the schedule")]
DropoutField = Annotated[
    float, Field(ge=0, lt=1, description="dropout on the dense layer's input (D); 0.5 in the papers")
]


def listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


@dataclass(frozen=True)
class ListOf:
    """Checks a text that lists some of ``names``, separated by commas, each at most once."""

    names: tuple[str, ...]

    def __call__(self, text: str) -> str:
        given = listed(text)
        if not set(given) <= set(self.names) or len(set(given)) < len(given):
            raise ValueError(f"not a list of {', '.join(self.names)}")
        return text

    @property
    def allowed(self) -> str:
        """What may be given, in words."""
        return f"one or more of {', '.join(self.names)}, separated by commas"


@dataclass(frozen=True)
class Percentages:
    """Checks a text that lists whole numbers from 0 to 100, separated by commas, in ascending order."""

    allowed: str = "whole numbers from 0 to 100 in ascending order, separated by commas"

    def __call__(self, text: str) -> str:
        given = percentages(text) if all(part.isdecimal() for part in listed(text)) else ()
        if not given or max(given) > 100 or list(given) != sorted(set(given)):
            raise ValueError(f"not {self.allowed}")
        return text


def percentages(text: str) -> tuple[int, ...]:
    """The numbers of a list that ``Percentages`` has checked."""
    return tuple(int(part) for part in listed(text))


@dataclass(frozen=True)
class FaceSets:
    """Checks a text that lists face sets, separated by commas, each at most once; after a colon the number of people of a synthetic one."""

    allowed: str = (
        "one or more face sets, separated by commas, each at most once; a synthetic one may have its number of people behind a colon, "
        "as in wild:500,game:24"
    )

    def __call__(self, text: str) -> str:
        names = []
        for part in listed(text):
            name, colon, people = part.partition(":")
            known = name in get_args(FaceSource)
            if not known or (colon and not (name in get_args(FaceDomain) and people.isdecimal())):
                raise ValueError(f"not {self.allowed}")
            if colon:
                TypeAdapter(SubjectsField).validate_python(int(people))
            names.append(name)
        if len(set(names)) < len(names):
            raise ValueError(f"not {self.allowed}")
        return text


def face_sets(text: str) -> dict[str, int]:
    """Name -> number of people (0: the set's own) of a list that ``FaceSets`` has checked."""
    parts = (part.partition(":") for part in listed(text))
    return {name: int(people or 0) for name, _, people in parts}
