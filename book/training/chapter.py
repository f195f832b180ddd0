"""Parameters and profiles of chapter ``training``."""

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


# Khorrami et al. 2015: constant rate, variant AD, k drawn. It takes some 31,000 batches of 64.
_AS_PUBLISHED = {
    "optimiser": "sgd",
    "batch_size": 64,
    "lr": 0.01,
    "weight_decay": 1e-5,
    "schedule": "constant",
    "augment": "published",
    "gain": 0.0,
}

# Populations that differ from ``emotions`` in one respect each.
_VARIANTS = ("emotions_with_biases", "emotions_without_dropout", "emotions_without_augmentation")

# The population whose stored networks a run evaluates on its own faces, and what these were trained on.
EMOTION_NETWORKS, EMOTIONS_FACES = "emotions", FaceRequest("lab", 600, 48, face_seed=10)


# Stages of each network whose width is a parameter.
_STAGES: dict[Network, int] = {"vgg": 4, "residual": 3}


class TrainingParameters(RecipeParameters, NetworkParameters):
    """Parameters of chapter ``training``; by default those of the zero-bias CNN of Khorrami et al. (2015)."""

    training_fields: ClassVar[frozenset[str]] = RecipeParameters.training_fields | {
        *("network", "gain", "bias", "width", "folds", "test_time", "stored_networks", "train_eval_size")
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
        description="vgg, residual: filters of the first stage, doubled in each later one; 0: the network's "
        "default",
    )
    folds: FoldsField = 1
    emotions: Literal["all", "six"] = Field(
        "all", description="classes: all of the protocol, or the six basic ones, without neutral and contempt"
    )
    test_time: Literal["none", "flip"] = Field(
        "none", description="test-time augmentation: none, or the mirror image too"
    )
    extra_test_subjects: int = Field(
        0,
        ge=0,
        le=5000,
        description="synthetic faces: people of a second test set, in none of the splits; 0: none",
    )
    train_eval_size: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="random training pictures on which the trained network is evaluated; 0: all",
    )
    stored_networks: int = Field(
        3,
        ge=0,
        le=10,
        description="lab at 48 pixels: number of stored networks of the population emotions that are "
        "evaluated on all pictures of the run",
    )

    @property
    def network_options(self) -> dict[str, object]:
        """Arguments of ``nets.build.build_network`` besides classes and size."""
        options: dict[str, object] = {"dropout": self.dropout}
        if self.network == "zero_bias":
            options |= {"bias": self.bias, "gain": self.gain or None}
        if self.width and self.network in _STAGES:
            options["widths"] = tuple(self.width << stage for stage in range(_STAGES[self.network]))
        return options

    def require(self, faces: "FaceSet") -> None:
        """Raise DataError unless each fold that is to run has every class among its training pictures."""
        from face_sets.faceset import SIX
        from face_sets.folds import fold_faces, protocol_of

        protocol = protocol_of(faces, SIX if self.emotions == "six" else None)
        for number in range(min(self.folds or len(protocol.folds), len(protocol.folds))):
            fold_faces(faces, protocol, number)

    @property
    def face_requests(self) -> tuple[FaceRequest, ...]:
        """The face set of the chapter and, of the same kind, the second test set."""
        if not self.extra_test_subjects or self.faces not in get_args(FaceDomain):
            return (self.face_request,)
        extra = self.request(self.faces, self.extra_test_subjects)
        return (self.face_request, replace(extra, face_seed=self.face_seed + 1))

    @property
    def populations(self) -> tuple[str, ...]:
        """The population that the chapter is about, with its variants, or the one whose stored networks the
        run evaluates.
        """
        if self.population:
            return (self.population, *(_VARIANTS if self.population == EMOTION_NETWORKS else ()))
        return (EMOTION_NETWORKS,) if self.stored_networks and not self.skip_reason else ()

    @property
    def skip_reason(self) -> str:
        if self.population or not self.stored_networks:
            return ""
        if (self.faces, self.size) != (EMOTIONS_FACES.name, EMOTIONS_FACES.size):
            return f"stored networks: they take {EMOTIONS_FACES.name} at {EMOTIONS_FACES.size} pixels"
        if self.face_seed == EMOTIONS_FACES.face_seed:
            return f"stored networks: they were trained on the people of face_seed={self.face_seed}"
        return ""


CHAPTER = Chapter(
    title="Training on some people, testing on others",
    parameters=TrainingParameters,
    after=("faces",),
    resources=Resources(minutes=30),
    seconds={"laptop": 80, **on_fer2013("laptop", 338)},
    key_metrics=("test_accuracy", "hog_accuracy", "majority_accuracy", "stored_test_accuracy"),
    learn="to train the zero-bias network of {cite:t}`khorrami2015` and to say how well it does",
    needs="two CPU cores; a GPU helps",
    profiles={
        "smoke": {"epochs": 2, "bootstrap": 200},
        "laptop": {"epochs": 5},
        "reference": {
            "population": EMOTION_NETWORKS,
            "subjects": 600,
            "face_seed": EMOTIONS_FACES.face_seed,
            "extra_test_subjects": 200,
        },
        "paper": {**_AS_PUBLISHED, "stored_networks": 0, "epochs": 2500, "folds": 0, "bootstrap": 10_000},
        ("paper", "wild"): {"epochs": 420},
        ("laptop", "game"): {"epochs": 20},
        ("paper", "game"): {"epochs": 1000},
        ("paper", "micro"): {"epochs": 840},
        **on_fer2013("smoke", {"epochs": 1}),
        **on_fer2013("laptop", {"epochs": 2, "train_eval_size": 3000}),
        **on_fer2013("paper", {"epochs": 70}),
    },
)
