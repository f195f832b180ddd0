"""Parameters and profiles of chapter ``faces``."""

from dataclasses import replace

from pydantic import Field

from book.parameters import ChapterParameters, PrecisionField, on_fer2013
from face_sets.request import CLIP_FRAMES, FaceRequest
from face_sets.sources import CLIP_SETS
from fer_lib.names import ALWAYS_THERE
from fer_lib.train.recipe import EpochsField
from ferbook.book import Chapter, Resources
from synthetic_faces.domains import FAMILIES

# People, with one sequence each, of each synthetic set in the figure of the sets.
SAMPLED = 9

_AT_LENGTH = {"family_subjects": 60, "all_families": True, "family_networks": 4, "family_epochs": 30}


class FacesParameters(ChapterParameters):
    """Parameters of chapter ``faces``."""

    family_subjects: int = Field(
        28,
        ge=20,
        le=20_000,
        description="people of each family of faces, for the transfer to other head models",
    )
    all_families: bool = Field(
        False, description="all four families instead of the first and the farthest from it"
    )
    family_networks: int = Field(
        1,
        ge=1,
        le=len(FAMILIES),
        description="number of families on each of which a network is trained; it is evaluated on all",
    )
    family_epochs: EpochsField = 20
    precision: PrecisionField = "auto"

    @property
    def families(self) -> dict[str, FaceRequest]:
        """Families of ``lab``, which differ in head shape and in how action units are built."""
        first, *_, farthest = FAMILIES
        names = FAMILIES if self.all_families else (first, farthest)
        people = replace(self.request("lab", self.family_subjects), size=48)
        return {name: replace(people, family=name) for name in names}

    @property
    def face_requests(self) -> tuple[FaceRequest, ...]:
        """The chapter's face set, a sample of each synthetic set, the families, and the real FER2013."""
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
    key_metrics=("subjects_in_two_splits", "copies_test_in_train", "expressions_own", "expressions_other"),
    learn=(
        "what the pictures are, what one action unit does to a face, how far labels and splits can be "
        "trusted, and how much an emotion says about action units"
    ),
    needs="one CPU core; a real set, if you want one",
    profiles={"smoke": {"family_epochs": 1}, "reference": _AT_LENGTH, "paper": _AT_LENGTH},
)
