"""Chapter ``faces``: what it takes, and what the profiles change."""

from typing import get_args

from pydantic import Field

from book.parameters import ChapterParameters, EpochsField, FaceArguments, PrecisionField
from fer_lib.names import CLIP_SETS, FaceDomain
from ferbook.book import Chapter
from synthetic_faces.domains import FAMILIES

# Of each clip of the small sets, which are there to be looked at and counted.
FEW_FRAMES = {"clip_frames": 4}

# As many as chapter au_verification verifies filters on at the reference.
STRANGERS = 100

_AT_LENGTH = {"domain_subjects": 12, "family_subjects": 60, "family_networks": 4, "family_epochs": 30}


class FacesParameters(ChapterParameters):
    """Chapter ``faces``: what the data are."""

    samples: int = Field(6, ge=1, le=12, description="sample pictures shown per class")
    domain_subjects: int = Field(
        9, ge=9, le=20_000, description="people of each synthetic set where the sets stand side by side"
    )

    family_subjects: int = Field(
        36,
        ge=20,
        le=20_000,
        description="people of each family of faces among which it is asked what carries over",
    )
    family_networks: int = Field(
        1,
        ge=1,
        le=len(FAMILIES),
        description="families that a network learns from, each by its own; it is asked about all of them",
    )
    family_epochs: EpochsField = 20
    precision: PrecisionField = "auto"
    population: str = Field(
        "",
        description="networks whose filters are asked about other people, by their name in "
        "populations.yaml; empty leaves the section out",
    )

    @property
    def populations(self) -> tuple[str, ...]:
        """All populations that the chapter reads."""
        return (self.population,) if self.population else ()

    @property
    def strangers(self) -> tuple[FaceArguments, ...]:
        """Two sets of people of ``lab`` whom no network learned from, for the filters of ``population``."""
        people = (STRANGERS, self.family_subjects) if self.population else ()
        return tuple(
            self.source("lab", number, size=48, face_seed=self.face_seed + seed)
            for seed, number in enumerate(people, start=1)
        )

    @property
    def families(self) -> tuple[FaceArguments, ...]:
        """The families of ``lab``: people apart in shape and in how their muscles build action units."""
        return tuple(self.source("lab", self.family_subjects, size=48, family=family) for family in FAMILIES)

    @property
    def face_sources(self) -> tuple[FaceArguments, ...]:
        """The face set of the chapter; beside it a small one of each synthetic kind, the families,
        strangers, and the real FER2013.
        """
        small = [
            self.source(name, self.domain_subjects, size=0, **FEW_FRAMES if name in CLIP_SETS else {})
            for name in get_args(FaceDomain)
        ]
        real = self.source("fer2013", size=48, face_seed=0)
        return (self.face_source, *small, *self.families, *self.strangers, real)


CHAPTER = Chapter(
    title="The faces",
    minutes=15,
    parameters=FacesParameters,
    key_metrics=("pictures", "copies_test_in_train"),
    learn=(
        "what the pictures are, what one action unit does to a face, how far labels and split can be "
        "trusted, and how far an emotion determines its action units"
    ),
    needs="for a real set your copy of it",
    profiles={
        "smoke": {"samples": 3, "family_subjects": 30, "family_epochs": 1},
        "reference": _AT_LENGTH | {"population": "published"},
        "paper": _AT_LENGTH,
    },
)
