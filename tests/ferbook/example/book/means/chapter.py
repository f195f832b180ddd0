"""Chapter ``means``: what it takes, and what the profiles change."""

from typing import Annotated

from pydantic import Field

from ferbook.book import Chapter
from ferbook.parameters import Parameters, SeedField


class MeansParameters(Parameters):
    """Chapter ``means``: how sure the mean of the throws is."""

    draws: Annotated[int, Field(ge=100, le=100_000, description="bootstrap draws behind the interval")] = 1000
    seed: SeedField = 0


CHAPTER = Chapter(
    title="The mean, and how sure it is",
    parameters=MeansParameters,
    upstream=("throws",),
    key_metrics=("mean",),
    learn="between which bounds the mean of a die lies",
    profiles={"smoke": {"draws": 100}},
)
