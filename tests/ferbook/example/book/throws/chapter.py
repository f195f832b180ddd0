"""Chapter ``throws``: what it takes, and what the profiles change."""

from typing import Annotated

from pydantic import Field

from ferbook.book import Chapter
from ferbook.parameters import Parameters, SeedField


class ThrowsParameters(Parameters):
    """Chapter ``throws``: a die, thrown many times."""

    sides: Annotated[int, Field(ge=2, le=100, description="sides of the die")] = 6
    throws: Annotated[int, Field(ge=10, le=1_000_000, description="how often it is thrown")] = 600
    seed: SeedField = 0


CHAPTER = Chapter(
    title="A die is thrown",
    parameters=ThrowsParameters,
    key_metrics=("throws",),
    learn="how often each side shows",
    profiles={"smoke": {"throws": 60}, "reference": {"throws": 6000}, "paper": {"throws": 100_000}},
)
