"""Parameters of chapter ``truth``, and what the profiles change."""

from pydantic import Field

from book.parameters import ComparedParameters, on_fer2013
from ferbook.book import Chapter, Resources
from synthetic_faces.domains import FAMILIES

# Units whose maps are tested; a small run takes the first of them.
MAP_UNITS = ("AU4", "AU12", "AU1", "AU25", "AU9", "AU15", "AU6", "AU2")


class TruthParameters(ComparedParameters):
    """Chapter ``truth``: which attribution methods pass tests with ground truth, and how many filters it
    takes to read out a unit."""

    networks: int = Field(3, ge=1, le=50, description="networks of each population, at most")
    untrained: int = Field(1, ge=1, le=50, description="untrained networks, with random weights")
    families: int = Field(4, ge=2, le=len(FAMILIES), description="families of people, each held out in turn")
    people: int = Field(2, ge=2, le=500, description="people of each family whose maps are tested")
    map_units: int = Field(4, ge=1, le=len(MAP_UNITS), description="action units whose maps are tested")
    readers: int = Field(
        8, ge=3, le=500, description="people of each family whose units are read out from the filters"
    )

    @property
    def family_names(self) -> tuple[str, ...]:
        """The families of people that are rendered."""
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
        "whether attribution methods agree with a known ground truth, for every kind of network "
        "and of face, and over how many filters an action unit is distributed"
    ),
    needs="two CPU cores",
    profiles={
        "smoke": {"networks": 1, "families": 2, "map_units": 2, "readers": 3},
        "laptop": {"networks": 1, "families": 3, "map_units": 2, "readers": 3},
        "reference": {
            "face_seed": 20,
            "population": "emotions",
            "beside": "photographs_zero_bias,breuer_emotions,emotions_shuffled",
            "untrained": 2,
            "map_units": 2,
            "readers": 6,
        },
        "paper": {"networks": 10, "untrained": 10, "people": 6, "map_units": 8, "readers": 24},
    },
)
