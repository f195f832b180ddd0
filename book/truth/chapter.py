"""Chapter ``truth``: what it takes, and what the profiles change."""

from pydantic import Field

from book.parameters import BesideParameters, on_fer2013
from ferbook.book import Chapter, Resources
from synthetic_faces.domains import FAMILIES

MAP_UNITS = ("AU4", "AU12", "AU1", "AU25", "AU9", "AU15", "AU6", "AU2")
"""The units whose maps are judged, those of which a small run has fewer first."""


class TruthParameters(BesideParameters):
    """Chapter ``truth``: which maps of a network's filters can be believed, and how many make a unit."""

    networks: int = Field(3, ge=1, le=50, description="networks of each population that are asked, at most")
    untrained: int = Field(1, ge=1, le=50, description="networks with their first random weights")
    families: int = Field(
        4, ge=2, le=len(FAMILIES), description="families of people, each of which is held out in turn"
    )
    people: int = Field(2, ge=2, le=500, description="people of each family whose maps are judged")
    map_units: int = Field(4, ge=1, le=len(MAP_UNITS), description="action units whose maps are judged")
    readers: int = Field(
        8, ge=3, le=500, description="people of each family whose units are read from the filters' responses"
    )

    @property
    def family_names(self) -> tuple[str, ...]:
        """The families that are asked about."""
        return tuple(FAMILIES)[: self.families]


CHAPTER = Chapter(
    title="Which method should one believe?",
    parameters=TruthParameters,
    upstream=("training",),
    after=("au_verification",),
    resources=Resources(minutes=50),
    seconds={"laptop": 50, **on_fer2013("laptop", 45)},
    key_metrics=("believed", "distributed"),
    learn=(
        "which methods of attribution tell the truth where it is known, whether they do so for every kind of "
        "network and of face, and how many filters an action unit is spread over"
    ),
    needs="two CPU cores",
    profiles={
        "smoke": {"networks": 1, "families": 2, "map_units": 2, "readers": 3},
        "laptop": {"networks": 1, "families": 3, "map_units": 2, "readers": 3},
        "reference": {
            "population": "emotions",
            "beside": "photographs_zero_bias,breuer_emotions,emotions_shuffled",
            "untrained": 2,
            "map_units": 2,
            "readers": 6,
        },
        "paper": {"networks": 10, "untrained": 10, "people": 6, "map_units": 8, "readers": 24},
    },
)
