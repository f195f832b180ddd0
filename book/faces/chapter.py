"""Chapter ``faces``: what it takes, and what the profiles change."""

from typing import get_args

from pydantic import Field

from book.parameters import ChapterParameters, FaceArguments
from fer_lib.names import FaceDomain
from ferbook.book import Chapter


class FacesParameters(ChapterParameters):
    """Chapter ``faces``: what the data are."""

    samples: int = Field(6, ge=1, le=12, description="sample pictures shown per class")
    domain_subjects: int = Field(
        12, ge=9, le=20_000, description="people of each synthetic set where the sets stand side by side"
    )

    @property
    def face_sources(self) -> tuple[FaceArguments, ...]:
        """The face set of the chapter, a small one of each synthetic kind beside it, and the real FER2013."""
        small = [self.source(name, self.domain_subjects, size=0) for name in get_args(FaceDomain)]
        return (self.face_source, *small, self.source("fer2013", size=48, face_seed=0))


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
    profiles={"smoke": {"samples": 3, "domain_subjects": 9}},
)
