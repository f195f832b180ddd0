"""Chapter ``derl``: what it takes, and what the profiles change."""

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from book.parameters import ChapterParameters, EpochsField, FaceArguments
from fer_lib.names import FaceDomain, FaceSource
from ferbook.book import Chapter
from ferbook.errors import ParameterError


class DerlParameters(ChapterParameters):
    """Chapter ``derl``: a generator that takes expressions off faces, and what its layers tell of them."""

    size: Annotated[
        int,
        Field(ge=0, le=256, multiple_of=16, description="side of a picture in pixels; 0 takes the set's own"),
    ] = 48
    pretrain: Annotated[
        FaceSource,
        Field(
            description="whom the generator learns from: people rendered to order as those of a synthetic "
            "set, or a real set with neutral faces, such as bu4dfe"
        ),
    ] = "lab"
    pretrain_people: Annotated[
        int,
        Field(ge=8, le=10_000, description="people rendered to order; one in eight is held out to watch"),
    ] = 120
    pretrain_expressions: Annotated[
        int, Field(ge=1, le=1000, description="expressive pictures of each of these people")
    ] = 8
    gan_epochs: Annotated[
        int, Field(ge=1, le=5000, description="passes of the generator over its pairs of pictures")
    ] = 12
    gan_batch: Annotated[int, Field(ge=2, le=1024, description="pairs per step of the generator")] = 16
    gan_lr: Annotated[
        float, Field(gt=0, le=1, description="peak learning rate of generator and discriminator")
    ] = 4e-4
    l1: Annotated[
        float,
        Field(ge=0, le=10_000, description="weight of the L1 distance beside the adversarial loss (theta)"),
    ] = 100.0
    folds: Annotated[
        int,
        Field(
            ge=0, le=200, description="at most so many folds of the protocol are trained and tested; 0: all"
        ),
    ] = 1
    epochs: EpochsField = 16
    batch_size: Annotated[int, Field(ge=2, le=4096, description="pictures per step of the second stage")] = 32
    lr: Annotated[float, Field(gt=0, le=1, description="peak learning rate of the second stage (AdamW)")] = (
        0.003
    )
    local: Annotated[
        float,
        Field(ge=0, le=100, description="weight of each local network's loss beside the joint one"),
    ] = 0.25
    views: Annotated[
        int, Field(ge=1, le=16, description="versions of each training picture: as it is, and augmented")
    ] = 2
    seeds: Annotated[int, Field(ge=1, le=50, description="trainings of each condition, from `seed` on")] = 1
    ablation: Annotated[
        bool,
        Field(description="compare DeRL with its single layers and with generators that did not learn, too"),
    ] = True
    precision: Annotated[
        Literal["auto", "fp32", "bf16"],
        Field(
            description="number format of training; auto takes bfloat16 where the processor computes in it"
        ),
    ] = "auto"
    bootstrap: Annotated[
        int, Field(ge=100, le=100_000, description="subject-cluster bootstrap draws behind each interval")
    ] = 2000

    @model_validator(mode="after")
    def _strangers_to_learn_from(self) -> Self:
        if self.pretrain == self.faces and not self.rendered_to_order:
            raise ParameterError(
                f"pretrain = {self.pretrain!r} is the chapter's own face set; the generator learns from "
                "other people: give another set, or lab"
            )
        return self

    @property
    def rendered_to_order(self) -> bool:
        """Whether the generator learns from people who are rendered for it, and are in no face set."""
        return self.pretrain in get_args(FaceDomain)

    @property
    def face_sources(self) -> tuple[FaceArguments, ...]:
        """The face set of the chapter; beside a real one, rendered faces, whose neutral faces and action
        units are known; and a real set that the generator learns from.
        """
        beside = {} if self.faces in get_args(FaceDomain) else {"lab": 0}
        if not self.rendered_to_order:
            beside[self.pretrain] = 0
        shared = (("subjects", 0), ("size", self.size), ("face_seed", self.face_seed))
        return (self.face_source, *((("name", name), *shared) for name in beside))


CHAPTER = Chapter(
    title="What is left of the expression",
    minutes=15,
    parameters=DerlParameters,
    after=("training", "au_verification"),
    key_metrics=("accuracy", "cnn_accuracy"),
    learn=(
        "whether what a generator takes off a face, to make it neutral, tells the expression better "
        "than the face itself, how good its neutral faces are where the true ones are known, and "
        "where in its layers the expression is"
    ),
    needs="two CPU cores; for real faces a set with neutral ones",
    profiles={
        "smoke": {
            **{"pretrain_people": 8, "pretrain_expressions": 4, "gan_epochs": 1, "folds": 1, "epochs": 1},
            **{"views": 1, "bootstrap": 200},
        },
        "paper": {
            **{"pretrain_people": 600, "gan_epochs": 200, "gan_batch": 32, "gan_lr": 2e-4, "folds": 0},
            **{"epochs": 60, "views": 8, "seeds": 5, "bootstrap": 10_000},
        },
    },
)
