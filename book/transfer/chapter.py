"""Chapter ``transfer``: what it takes, and what the profiles change."""

from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from book import parameters
from face_sets.request import FaceRequest
from fer_lib.names import Network
from fer_lib.train.recipe import EpochsField, RateField
from ferbook.book import Chapter, Resources
from ferbook.errors import ParameterError
from ferbook.parameters import listed


class TransferParameters(parameters.RecipeParameters):
    """Chapter ``transfer``: networks trained on one face set, tested on others and on action units."""

    training_fields: ClassVar[frozenset[str]] = parameters.RecipeParameters.training_fields | {
        *("network", "most")
    }

    epochs: EpochsField = 8
    dropout: parameters.DropoutField = 0.2
    lr: RateField = Field(
        0.1, description="peak learning rate of the residual net; other networks take a proportion of it"
    )
    network: Network = Field("zhu", description="the network that is trained here")
    population: str = Field(
        "", description="populations of populations.yaml, one a face set, separated by commas; empty: none"
    )
    beside: Annotated[str, AfterValidator(parameters.FACE_SETS)] = Field(
        "wild:500,game", description="further face sets to train and test on, such as wild:500,game:24"
    )
    most: parameters.MostField = 600
    most_tested: int = Field(
        0, ge=0, le=1_000_000, description="test pictures of each face set, at most; 0 takes all"
    )
    seeds: parameters.SeedsField = 1
    taught_units: str = Field(
        "",
        description="a population trained on the action units of the pictures on which the first of "
        "`population` was trained on emotions; empty: none",
    )

    @model_validator(mode="after")
    def _other_sets(self) -> Self:
        # Not a ValueError, which pydantic would wrap: this names one field on account of another.
        if self.faces in parameters.face_sets(self.beside):
            raise ParameterError(
                f"beside = {self.beside!r} names {self.faces!r}, which is the chapter's own face set; leave "
                "it out of the list"
            )
        return self

    @property
    def face_requests(self) -> tuple[FaceRequest, ...]:
        """The face set of the chapter, and the further ones."""
        sets = parameters.face_sets(self.beside)
        return (self.face_request, *(self.request(name, people) for name, people in sets.items()))

    @property
    def populations(self) -> tuple[str, ...]:
        """All populations that the chapter reads."""
        return tuple(name for text in (self.population, self.taught_units) if text for name in listed(text))


CHAPTER = Chapter(
    title="Transfer across faces and tasks",
    parameters=TransferParameters,
    after=("training", "au_verification"),
    resources=Resources(minutes=30),
    seconds={"laptop": 31, **parameters.on_fer2013("laptop", 207)},
    key_metrics=("in_dataset_accuracy", "cross_dataset_accuracy", "worst_pair_degree"),
    learn=(
        "how accurate a network is on another set of faces than it was trained on, whether its confidence "
        "falls with its accuracy, and how well its features predict action units beyond the emotion"
    ),
    needs="two CPU cores for the small default; a GPU for larger sets",
    profiles={
        "smoke": {"size": 16, "epochs": 1, "beside": "wild:24,game:9", "bootstrap": 100},
        # Without ``game``: from so few people its network learns nothing. The reference has it.
        "laptop": {"beside": "wild:240", "most": 400},
        "reference": {
            "population": "emotions,web_emotions,players_emotions,photographs_zero_bias",
            "taught_units": "units",
            "subjects": 600,
            "face_seed": 10,
            "seeds": 5,
            "beside": "wild:1600,game:80,fer2013",
            "most": 0,
            "most_tested": 600,
        },
        "paper": {
            "network": "residual",
            "size": 48,
            "epochs": 60,
            "batch_size": 128,
            "nesterov": True,
            "weight_decay": 5e-4,
            "averaging": 0.999,
            "beside": "wild,game",
            "most": 0,
            "seeds": 5,
            "bootstrap": 10_000,
        },
        ("smoke", "wild"): {"beside": "lab:24,game:9"},
        ("laptop", "wild"): {"subjects": 240, "beside": "lab"},
        ("reference", "wild"): {"subjects": 1600, "beside": "lab:600,game:80,fer2013"},
        ("paper", "wild"): {"beside": "lab,game"},
        ("smoke", "game"): {"beside": "lab:24,wild:24"},
        ("laptop", "game"): {"beside": "lab,wild:240"},
        ("reference", "game"): {"subjects": 80, "beside": "lab:600,wild:1600,fer2013"},
        ("paper", "game"): {"beside": "lab,wild"},
        **parameters.on_fer2013("smoke", {"size": 48, "beside": "wild:24"}),
        **parameters.on_fer2013("laptop", {"epochs": 4, "batch_size": 128, "beside": "wild:500", "most": 0}),
        **parameters.on_fer2013("reference", {"subjects": 0, "beside": "lab:600,wild:1600,game:80"}),
        **parameters.on_fer2013("paper", {"beside": "wild"}),
    },
)
