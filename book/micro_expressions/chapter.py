"""Parameters and profiles of the chapter ``micro_expressions``."""

from dataclasses import replace
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field

from book.parameters import BootstrapField, CheckedText, FaceField, NetworkParameters, on_fer2013
from face_sets.request import FaceRequest
from face_sets.sources import CLIP_SETS
from fer_lib.names import Pooling
from fer_lib.train.recipe import EpochsField, RateField
from ferbook.book import Chapter, Resources
from ferbook.parameters import ListOf, listed
from synthetic_faces.timing import TIMINGS

WIDTHS_GIVEN = CheckedText(
    "whole numbers from 1 to 512, separated by commas",
    lambda text: all(part.isdecimal() and 1 <= int(part) <= 512 for part in listed(text)),
)


class MicroExpressionsParameters(NetworkParameters):
    """LSTMs on the features of each frame of a clip, by the network of chapter ``training``."""

    faces: FaceField = "micro"
    clip_frames: int = Field(
        16, ge=0, le=1000, description="frames of a clip, evenly from onset to offset; 0 takes all"
    )
    timing: Literal[*TIMINGS] = Field(
        TIMINGS[0], description="rendered clips: each unit moves when its schedule says, or all together"
    )
    retimed: bool = Field(
        False,
        description="rendered clips: also evaluate clips with all units moving together, and clips whose "
        "classes differ only in the order of three events",
    )
    groups: int = Field(
        0, ge=0, le=200, description="groups of subjects that are left out in turn; 0: one subject at a time"
    )
    epochs: EpochsField = Field(100, description="steps of training on all clips at once, at most")
    lr: RateField = 0.02
    hidden: Annotated[str, AfterValidator(WIDTHS_GIVEN)] = Field(
        "8", description="cells of the LSTM; each fold's validation people choose among several numbers"
    )
    pooling: Annotated[str, AfterValidator(ListOf(get_args(Pooling)))] = Field(
        "mean", description="states that are read; each fold's validation people choose among several names"
    )
    components: Annotated[str, AfterValidator(WIDTHS_GIVEN)] = Field(
        "8", description="principal components of a frame that the LSTM reads; validation people choose, too"
    )
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout of the LSTM's pooled states")
    weight_decay: float = Field(0.01, ge=0, le=1, description="weight decay of AdamW")
    seeds: int = Field(
        1, ge=1, le=50, description="trainings per fold, from `seed` on; each reads the next of several CNNs"
    )
    bootstrap: BootstrapField = 2000

    @property
    def face_request(self) -> FaceRequest:
        """The face set; for clips also the number of frames and their timing."""
        return self._clips(self.faces, self.timing) if self.faces in CLIP_SETS else super().face_request

    def _clips(self, name: str, timing: str) -> FaceRequest:
        variant = "" if timing == TIMINGS[0] else timing
        return replace(self.request(name, self.subjects), clip_frames=self.clip_frames, timing=variant)

    @property
    def face_requests(self) -> tuple[FaceRequest, ...]:
        """The face set; for clips also rendered faces, to train a network on other people, and the same clips
        with other timings if ``retimed``; for any other set also rendered clips."""
        if self.faces not in CLIP_SETS:
            return (self.face_request, self._clips("micro", self.timing))
        return (
            self.face_request,
            self.request("lab", self.subjects),
            *(self._clips("micro", timing) for timing in self.other_timings),
        )

    @property
    def other_timings(self) -> tuple[str, ...]:
        """Further timings with which rendered clips are evaluated."""
        return TIMINGS[1:] if self.retimed and self.faces == "micro" and self.timing == TIMINGS[0] else ()


CHAPTER = Chapter(
    title="Micro-expressions over time",
    parameters=MicroExpressionsParameters,
    upstream=("training",),
    resources=Resources(minutes=90),
    seconds={"laptop": 20, **on_fer2013("laptop", 30)},
    key_metrics=("uf1", "majority_uf1"),
    learn=(
        "whether a network trained on ordinary expressions reads micro-expressions, whether an LSTM on its "
        "features uses time, what finds the apex, and how far accuracy is overestimated if the epoch is "
        "chosen on the test people"
    ),
    needs="two CPU cores; for real clips, your copy of CASME II or SAMM",
    profiles={
        "smoke": {
            "subjects": 6,
            "clip_frames": 8,
            "groups": 3,
            "epochs": 3,
            "hidden": "4,8",
            "components": "8",
            "bootstrap": 200,
        },
        "laptop": {"subjects": 10, "clip_frames": 9},
        # 60 people, chosen before any number of them was computed. The interval of the LSTM minus LBP-TOP was
        # +-6 points with 26 people, so +-4 were planned with 60, where 5 points matter: if there is no
        # difference, it is decided with a probability of .5 (.9 with 100 people, 1 with 160). Reached were
        # +-5.7. 20 folds of 14 studies take 28 core-minutes with 60 people, 56 with 120 and 75 with 160; the
        # run had time for 60.
        "reference": {
            "population": "emotions",
            "subjects": 60,
            "face_seed": 21,
            "groups": 20,
            "seeds": 3,
            "retimed": True,
            "pooling": "mean,last",
            "components": "8,32",
        },
        "paper": {
            "clip_frames": 32,
            "hidden": "8,16,32,64",
            "pooling": "mean,last,both_ends",
            "components": "8,32,128",
            "seeds": 5,
            "retimed": True,
            "bootstrap": 10_000,
        },
    },
)
