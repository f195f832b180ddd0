"""Chapter ``transfer``: what it takes, and what the profiles change."""

from typing import Annotated, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from book import parameters
from fer_lib.names import FaceDomain, Network
from ferbook.book import Chapter
from ferbook.errors import ParameterError
from ferbook.parameters import Percentages


class TransferParameters(parameters.RecipeParameters):
    """Chapter ``transfer``: what a network that learned one face set knows of another and of action units."""

    size: parameters.SizeField = 32
    epochs: parameters.EpochsField = 20
    lr: float = Field(
        0.1,
        gt=0,
        le=10,
        description="peak learning rate of the residual net; other networks take a share of it",
    )
    dropout: parameters.DropoutField = 0.2
    network: Network = Field("zhu", description="the network")
    beside: Annotated[str, AfterValidator(parameters.FaceSets())] = Field(
        "wild:500,game",
        description="face sets that the chapter's own is set beside, such as wild:500,game:24",
    )
    most: int = Field(
        1200,
        ge=0,
        le=1_000_000,
        description="training pictures taken from each face set, so that sets count alike; 0 takes all",
    )
    seeds: parameters.SeedsField = 1
    leave_one_out: bool = Field(
        True, description="learn from all face sets but one, too, and test on that one"
    )
    fractions: Annotated[str, AfterValidator(Percentages())] = Field(
        "0,1,5,10,50,100",
        description="per cent of the chapter's own face set to fine-tune with; 0 is no training",
    )
    draws: int = Field(3, ge=1, le=50, description="draws of the people of each fraction between 0 and 100 %")
    tuned_epochs: int = Field(
        20, ge=1, le=5000, description="epochs of fine-tuning, and of its rival that starts from scratch"
    )
    au_epochs: int = Field(
        20,
        ge=0,
        le=5000,
        description="epochs of the networks that learn action units; 0 leaves the section on them out",
    )
    factor_people: int = Field(
        40,
        ge=0,
        le=2000,
        description="rendered people under single factors of the picture; 0 leaves the section out",
    )

    @model_validator(mode="after")
    def _others_beside(self) -> Self:
        # Not a ValueError, which pydantic would wrap: this names one field on account of another.
        if self.faces in parameters.face_sets(self.beside):
            raise ParameterError(
                f"beside = {self.beside!r} names {self.faces!r}, which is the chapter's own face set; leave "
                "it out of the list"
            )
        return self

    @property
    def face_sources(self) -> tuple[parameters.FaceArguments, ...]:
        """The face set of the chapter; those beside it; and rendered faces, which stand in where the
        chapter's own has no action units.
        """
        sets = parameters.face_sets(self.beside)
        if self.faces not in get_args(FaceDomain):
            sets.setdefault("lab", 0)
        return (self.face_source, *(self.source(name, people) for name, people in sets.items()))


CHAPTER = Chapter(
    title="Transfer across faces and tasks",
    minutes=15,
    parameters=TransferParameters,
    after=("training", "au_verification"),
    key_metrics=("in_dataset_accuracy", "cross_dataset_accuracy"),
    learn=(
        "how much of what a network learned carries over to other faces, to a few pictures of one's "
        "own and to action units, which single factors of a picture break it, and what a crowd's "
        "votes teach"
    ),
    needs="two CPU cores for the small default; a GPU for larger sets",
    profiles={
        "smoke": {
            **{"size": 16, "epochs": 1, "tuned_epochs": 1, "au_epochs": 1, "beside": "wild:24,game:9"},
            **{"fractions": "0,10,100", "draws": 1, "factor_people": 4, "bootstrap": 100},
        },
        "paper": {
            **{"network": "residual", "size": 48, "epochs": 60, "batch_size": 128, "nesterov": True},
            **{"weight_decay": 5e-4, "averaging": 0.999, "beside": "wild,game", "most": 0, "seeds": 5},
            **{"draws": 5, "tuned_epochs": 60, "au_epochs": 60, "factor_people": 400, "bootstrap": 10_000},
        },
        ("smoke", "wild"): {"beside": "lab:24,game:9"},
        ("laptop", "wild"): {"subjects": 500, "beside": "lab,game"},
        ("reference", "wild"): {"subjects": 500, "beside": "lab,game"},
        ("paper", "wild"): {"beside": "lab,game"},
        ("smoke", "game"): {"beside": "lab:24,wild:24"},
        ("laptop", "game"): {"beside": "lab,wild:500"},
        ("reference", "game"): {"beside": "lab,wild:500"},
        ("paper", "game"): {"beside": "lab,wild"},
        ("laptop", "tfd"): {"size": 48},
        **parameters.on_fer2013("smoke", {"size": 48, "beside": "wild:24", "fractions": "0,1", "draws": 1}),
        **parameters.on_fer2013(
            "laptop",
            {
                **{"size": 48, "epochs": 8, "batch_size": 128, "beside": "wild:500", "most": 0},
                **{"fractions": "0,1,5,10,100", "draws": 2, "tuned_epochs": 8},
            },
        ),
        **parameters.on_fer2013("paper", {"beside": "wild"}),
    },
)
