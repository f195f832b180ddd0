"""Chapter ``faces``: what it takes, and what the profiles change."""

from dataclasses import replace

from pydantic import Field

from book.parameters import ChapterParameters, EpochsField, PrecisionField, on_fer2013
from face_sets.request import CLIP_FRAMES, FaceRequest
from face_sets.sources import CLIP_SETS
from fer_lib.names import ALWAYS_THERE
from ferbook.book import Chapter, Resources
from synthetic_faces.domains import FAMILIES

SAMPLED = 9
"""People of each synthetic set where the sets stand side by side, with one sequence each."""

_AT_LENGTH = {"family_subjects": 60, "all_families": True, "family_networks": 4, "family_epochs": 30}


class FacesParameters(ChapterParameters):
    """Chapter ``faces``: what the data are."""

    family_subjects: int = Field(
        28,
        ge=20,
        le=20_000,
        description="people of each family of faces among which it is asked what carries over",
    )
    all_families: bool = Field(
        False, description="all four families; else the first and the one farthest from it"
    )
    family_networks: int = Field(
        1,
        ge=1,
        le=len(FAMILIES),
        description="families that a network learns from, each by its own; it is asked about all of them",
    )
    family_epochs: EpochsField = 20
    precision: PrecisionField = "auto"

    @property
    def families(self) -> dict[str, FaceRequest]:
        """The families of ``lab``: people apart in shape and in how their muscles build action units."""
        first, *_, farthest = FAMILIES
        names = FAMILIES if self.all_families else (first, farthest)
        people = replace(self.request("lab", self.family_subjects), size=48)
        return {name: replace(people, family=name) for name in names}

    @property
    def face_requests(self) -> tuple[FaceRequest, ...]:
        """The face set of the chapter; beside it a sample of each synthetic kind, the families, and the
        real FER2013.
        """
        seed = self.face_seed
        samples = [
            FaceRequest(
                name,
                SAMPLED,
                face_seed=seed,
                sample="one",
                clip_frames=3 if name in CLIP_SETS else CLIP_FRAMES,
            )
            for name in ALWAYS_THERE
        ]
        real = FaceRequest("fer2013", size=48)
        return (self.face_request, *samples, *self.families.values(), real)


CHAPTER = Chapter(
    title="The faces",
    parameters=FacesParameters,
    resources=Resources(minutes=30),
    seconds={"laptop": 50, **on_fer2013("laptop", 66)},
    key_metrics=("overlap", "leak", "information_most", "expressions_own", "expressions_other"),
    learn=(
        "what the pictures are, what one action unit does to a face, how far labels and split can be "
        "trusted, and how far an emotion determines its action units"
    ),
    needs="one CPU core; a real set, if you want one",
    profiles={"smoke": {"family_epochs": 1}, "reference": _AT_LENGTH, "paper": _AT_LENGTH},
)
