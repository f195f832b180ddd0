"""Chapter ``micro_expressions``: what it takes, and what the profiles change."""

from typing import Literal

from pydantic import Field

from book.parameters import BootstrapField, FaceArguments, FaceField, NetworkParameters, RateField
from fer_lib.names import CLIP_SETS
from ferbook.book import Chapter
from synthetic_faces.timing import TIMINGS


class MicroExpressionsParameters(NetworkParameters):
    """Chapter ``micro_expressions``: LSTMs on the features that the network of chapter ``training`` gives of
    each frame of a clip.
    """

    faces: FaceField = "micro"
    clip_frames: int = Field(
        16, ge=0, le=1000, description="frames of a clip, evenly from onset to offset; 0 takes all"
    )
    timing: Literal[*TIMINGS] = Field(
        TIMINGS[0], description="rendered clips: each unit moves when its schedule says, or all together"
    )
    epochs: int = Field(40, ge=1, le=5000, description="steps of training on all clips at once")
    lr: RateField = 0.003
    hidden: int = Field(16, ge=1, le=1024, description="cells of the LSTM")
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout of the LSTM's states, pooled over time")
    weight_decay: float = Field(0.01, ge=0, le=1, description="weight decay of AdamW")
    seeds: int = Field(3, ge=1, le=50, description="LSTMs per fold, from `seed` on")
    control_seeds: int = Field(
        2, ge=0, le=50, description="LSTMs per fold of each control; 0 leaves the controls out"
    )
    tuned: bool = Field(
        False, description="fine-tune the CNN on the training people of each fold, too, which takes long"
    )
    bootstrap: BootstrapField = 2000

    @property
    def face_source(self) -> FaceArguments:
        """The face set of the chapter; of a set of clips also how many frames of each, and how they move."""
        return self.source(self.faces, self.subjects, **self._clips if self.faces in CLIP_SETS else {})

    @property
    def _clips(self) -> dict[str, int | str]:
        moved = {} if self.timing == TIMINGS[0] else {"timing": self.timing}
        return {"clip_frames": self.clip_frames} | moved

    @property
    def face_sources(self) -> tuple[FaceArguments, ...]:
        """The face set of the chapter; beside a set of clips, rendered faces for a network that has seen none
        of its people; beside any other set, rendered clips."""
        if self.faces in CLIP_SETS:
            return (self.face_source, self.source("lab", self.subjects))
        return (self.face_source, self.source("micro", self.subjects, **self._clips))


CHAPTER = Chapter(
    title="Micro-expressions over time",
    minutes=15,
    parameters=MicroExpressionsParameters,
    upstream=("training", "au_verification"),
    key_metrics=("uf1", "majority_uf1"),
    learn=(
        "whether a network that learned ordinary expressions reads micro-expressions, whether an LSTM "
        "over its features uses time, who finds the apex, and what stopping where the test is best "
        "would add"
    ),
    needs="two CPU cores; for real clips your copy of CASME II or SAMM",
    profiles={
        "reference": {"population": "published"},
        "smoke": {
            **{"subjects": 6, "clip_frames": 8, "epochs": 3, "seeds": 1, "control_seeds": 1},
            "bootstrap": 200,
        },
        "paper": {
            **{"clip_frames": 32, "epochs": 100, "seeds": 5, "control_seeds": 5, "tuned": True},
            "bootstrap": 10_000,
        },
    },
)
