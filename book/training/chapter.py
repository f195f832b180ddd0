"""Chapter ``training``: what it takes, and what the profiles change."""

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from pydantic import Field

from book.parameters import FoldsField, NetworkParameters, RecipeParameters, on_fer2013
from face_sets.request import FaceRequest
from fer_lib.names import FaceDomain, Network
from fer_lib.train.recipe import DecayField, EpochsField, OptimiserField, RateField, WarmupField
from ferbook.book import Chapter, Resources

if TYPE_CHECKING:
    from face_sets.faceset import FaceSet


_AS_PUBLISHED = {
    "optimiser": "sgd",
    "batch_size": 64,
    "lr": 0.01,
    "weight_decay": 1e-5,
    "schedule": "constant",
    "augment": "published",
    "gain": 0.0,
}
"""Khorrami et al. 2015: constant rate, variant AD, k drawn. It takes some 31,000 batches of 64."""

_VARIANTS = ("emotions_with_biases", "emotions_without_dropout", "emotions_without_augmentation")
"""Populations that differ from ``emotions`` in one thing each."""

EMOTION_NETWORKS, EMOTIONS_FACES = "emotions", FaceRequest("lab", 600, 48, face_seed=10)
"""The population of which a run of one's own evaluates kept networks, and what they learned from."""


_STAGES: dict[Network, int] = {"vgg": 4, "residual": 3}
"""How many stages there are in each network whose width can be chosen."""


class TrainingParameters(RecipeParameters, NetworkParameters):
    """Chapter ``training``: a network by its protocol, the zero-bias CNN of Khorrami et al. (2015) by
    default.
    """

    training_fields: ClassVar[frozenset[str]] = RecipeParameters.training_fields | {
        *("network", "gain", "bias", "width", "folds", "test_time", "kept_networks", "asked")
    }

    epochs: EpochsField = 8
    optimiser: OptimiserField = "adamw"
    lr: RateField = 1e-3
    warmup: WarmupField = 0.15
    weight_decay: DecayField = 0.05
    network: Network = Field("zero_bias", description="the network")
    gain: float = Field(
        1.0,
        ge=0,
        le=10,
        description="zero_bias: sd of the initial weights times sqrt(fan-in); 0 draws it from U(0.2, "
        "1.2) as published",
    )
    bias: bool = Field(
        False, description="zero_bias: biases in the convolutions; the paper's network has none"
    )
    width: int = Field(
        0,
        ge=0,
        le=256,
        multiple_of=4,
        description="vgg, residual: filters of the first stage, twice as many in each one behind; 0: the "
        "network's own",
    )
    folds: FoldsField = 1
    emotions: Literal["all", "six"] = Field(
        "all", description="classes: all of the protocol, or the six basic ones, without neutral and contempt"
    )
    test_time: Literal["none", "flip"] = Field(
        "none", description="test-time augmentation: none, or the mirror image too"
    )
    fresh: int = Field(
        0,
        ge=0,
        le=5000,
        description="synthetic faces: held-out people beyond all splits, a second test set; 0: none",
    )
    asked: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="training pictures, drawn at random, that the trained network is asked about too; 0: all",
    )
    kept_networks: int = Field(
        3,
        ge=0,
        le=10,
        description="lab at 48 pixels: so many kept networks of the population emotions are evaluated on the "
        "same people, beside the one that is trained here",
    )

    @property
    def network_options(self) -> dict[str, object]:
        """What ``nets.build.build_network`` is told beside classes and size."""
        options: dict[str, object] = {"dropout": self.dropout}
        if self.network == "zero_bias":
            options |= {"bias": self.bias, "gain": self.gain or None}
        if self.width and self.network in _STAGES:
            options["widths"] = tuple(self.width << stage for stage in range(_STAGES[self.network]))
        return options

    def require(self, faces: "FaceSet") -> None:
        """Every class among the training pictures of each fold that is asked for."""
        from face_sets.faceset import SIX
        from face_sets.folds import fold_faces, protocol_of

        protocol = protocol_of(faces, SIX if self.emotions == "six" else None)
        for number in range(min(self.folds or len(protocol.folds), len(protocol.folds))):
            fold_faces(faces, protocol, number)

    @property
    def face_requests(self) -> tuple[FaceRequest, ...]:
        """The face set of the chapter; beside it, of the same kind, the held-out people."""
        if not self.fresh or self.faces not in get_args(FaceDomain):
            return (self.face_request,)
        anew = replace(self.request(self.faces, self.fresh), face_seed=self.face_seed + 1)
        return (self.face_request, anew)

    @property
    def populations(self) -> tuple[str, ...]:
        """The population that the chapter is about and those that differ from it in one thing each, or the
        one of which kept networks stand beside its own.
        """
        if self.population:
            return (self.population, *(_VARIANTS if self.population == EMOTION_NETWORKS else ()))
        return (EMOTION_NETWORKS,) if self.kept_networks and not self.not_asked else ()

    @property
    def not_asked(self) -> str:
        if self.population or not self.kept_networks:
            return ""
        if (self.faces, self.size) != (EMOTIONS_FACES.name, EMOTIONS_FACES.size):
            return f"the first claim: its networks read {EMOTIONS_FACES.name} at {EMOTIONS_FACES.size} pixels"
        if self.face_seed == EMOTIONS_FACES.face_seed:
            return f"the first claim: its networks learned from the people of face_seed={self.face_seed}"
        return ""


CHAPTER = Chapter(
    title="Training on some people, testing on others",
    parameters=TrainingParameters,
    after=("faces",),
    resources=Resources(minutes=30),
    seconds={"laptop": 110, **on_fer2013("laptop", 338)},
    key_metrics=("test_accuracy", "ahead_of_hog"),
    learn=("to train the zero-bias network of {cite:t}`khorrami2015` and to say how well it does"),
    needs="two CPU cores; a GPU helps",
    profiles={
        "smoke": {"epochs": 2, "bootstrap": 200},
        "reference": {
            "population": EMOTION_NETWORKS,
            "subjects": 600,
            "face_seed": EMOTIONS_FACES.face_seed,
            "fresh": 200,
        },
        "paper": {**_AS_PUBLISHED, "kept_networks": 0, "epochs": 2500, "folds": 0, "bootstrap": 10_000},
        ("laptop", "wild"): {"epochs": 5},
        ("paper", "wild"): {"epochs": 420},
        ("laptop", "game"): {"epochs": 20},
        ("paper", "game"): {"epochs": 1000},
        ("paper", "micro"): {"epochs": 840},
        **on_fer2013("smoke", {"epochs": 1}),
        **on_fer2013("laptop", {"epochs": 2, "asked": 3000}),
        **on_fer2013("paper", {"epochs": 70}),
    },
)
