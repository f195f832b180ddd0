"""Chapter ``structure_and_loss``: what it takes, and what the profiles change."""

from typing import Annotated, get_args

from pydantic import AfterValidator, Field

from book import parameters
from fer_lib.names import Loss, Network
from ferbook.book import Chapter
from ferbook.parameters import ListOf

_HARD_LOSSES = tuple(loss for loss in get_args(Loss) if loss != "votes")
_EVERY_LOSS = {"losses": ",".join(get_args(Loss))}
_AT_LENGTH = {
    **{"subjects": 0, "size": 48, "epochs": 60, "batch_size": 128, "lr": 0.1, "nesterov": True},
    **{"weight_decay": 5e-4, "augment": "standard", "dropout": 0.3, "averaging": 0.999, "bootstrap": 10_000},
    **{"structures": ",".join(get_args(Network)), "seeds": 5},
}
"""Every structure, five seeds."""


class StructureAndLossParameters(parameters.RecipeParameters):
    """Chapter ``structure_and_loss``: the question of Liu (2019), and the ladder of ingredients."""

    faces: parameters.FaceField = "wild"
    subjects: parameters.SubjectsField = 500
    size: parameters.SizeField = 32
    epochs: parameters.EpochsField = 12
    lr: float = Field(
        0.1, gt=0, le=10, description="peak learning rate of the residual net; the others take a share of it"
    )
    dropout: parameters.DropoutField = 0.2
    structures: Annotated[str, AfterValidator(ListOf(get_args(Network)))] = Field(
        "zhu,residual", description="networks to compare; structures are compared with the first"
    )
    losses: Annotated[str, AfterValidator(ListOf(get_args(Loss)))] = Field(
        "cross_entropy,label_smoothing,focal",
        description="loss functions to compare; votes needs a face set with votes (game, ferplus)",
    )
    most: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="training pictures, drawn at random, and a third as many to choose by; 0 takes all",
    )
    seeds: parameters.SeedsField = 2
    ladder: bool = Field(True, description="climb the ladder of ingredients too")
    labels: bool = Field(True, description="learn from each of two labels too, where the face set has two")

    @property
    def face_sources(self) -> tuple[parameters.FaceArguments, ...]:
        """The face set of the chapter; beside FER2013, where it is at hand, FER+: the same pictures under
        other labels.
        """
        twice = (self.source("ferplus", self.subjects),) if self.faces == "fer2013" else ()
        return (self.face_source, *twice)


CHAPTER = Chapter(
    title="Structure and loss",
    minutes=10,
    parameters=StructureAndLossParameters,
    after=("training",),
    key_metrics=("test_accuracy", "effect_difference"),
    learn=(
        "whether a network's structure or its loss matters more, with the luck of pictures and seeds "
        "in the answer, and what each ingredient adds between a tutorial's network and this suite's "
        "best"
    ),
    needs="two CPU cores for the small default; a GPU for FER2013 in full",
    profiles={
        "smoke": {
            **{"size": 16, "epochs": 1, "seeds": 1, "labels": False, "bootstrap": 200},
            **{"structures": "zhu,residual", "losses": "cross_entropy,focal"},
        },
        "paper": {**_AT_LENGTH, "losses": ",".join(_HARD_LOSSES)},
        ("laptop", "lab"): {"subjects": 0},
        ("laptop", "game"): {"subjects": 0},
        ("laptop", "micro"): {"subjects": 0},
        ("paper", "game"): _EVERY_LOSS,
        ("paper", "ferplus"): _EVERY_LOSS,
        **parameters.on_fer2013("smoke", {"size": 48, "seeds": 1, "ladder": False, "labels": False}),
        **parameters.on_fer2013(
            "laptop",
            {
                **_AT_LENGTH,
                **{"size": 24, "most": 6000, "epochs": 10, "seeds": 2, "averaging": 0.0, "bootstrap": 2000},
                **{"structures": "zhu,residual", "losses": "cross_entropy,label_smoothing"},
            },
        ),
    },
)
