"""Chapter ``training``: what it takes, and what the profiles change."""

from typing import Literal

from pydantic import Field

from book.parameters import EpochsField, FoldsField, RecipeParameters, on_fer2013
from fer_lib.names import Loss, Network
from ferbook.book import Chapter

_AS_PUBLISHED = {"batch_size": 64, "lr": 0.01, "schedule": "constant", "augment": "published", "gain": 0.0}
"""Khorrami et al. 2015: constant rate, variant AD, k drawn. It takes some 31,000 batches of 64."""


def _epochs(epochs: int, of_the_ablation: int) -> dict[str, object]:
    return {"epochs": epochs, "ablation_epochs": of_the_ablation}


class TrainingParameters(RecipeParameters):
    """Chapter ``training``: a network by its protocol, the zero-bias CNN of Khorrami et al. (2015) by
    default.
    """

    epochs: EpochsField = 30
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
    loss: Loss = Field("cross_entropy", description="the loss function")
    folds: FoldsField = 2
    emotions: Literal["all", "six"] = Field(
        "all", description="classes: all of the protocol, or the six basic ones, without neutral and contempt"
    )
    without_copies: bool = Field(
        False, description="remove training pictures that equal one of the validation or test split"
    )
    test_time: Literal["none", "flip", "ten_crop"] = Field(
        "none", description="test-time augmentation: none, the mirror image too, or ten crops"
    )
    watch_test: bool = Field(
        True, description="follow the accuracy on the test pictures too, to say what choosing by it would add"
    )
    ablation_epochs: int = Field(
        5, ge=0, le=5000, description="zero_bias: epochs of each network of the ablation; 0 leaves it out"
    )

    @property
    def network_options(self) -> dict[str, object]:
        """What ``nets.build.build_network`` is told beside classes and size."""
        chosen: dict[str, object] = {"dropout": self.dropout}
        if self.network == "zero_bias":
            chosen |= {"bias": self.bias, "gain": self.gain or None}
        return chosen


CHAPTER = Chapter(
    title="Training by the papers' protocols",
    minutes=20,
    parameters=TrainingParameters,
    upstream=("faces",),
    key_metrics=("test_accuracy", "macro_f1"),
    learn=("to train the zero-bias network of {cite:t}`khorrami2015` and to say how well it does"),
    needs="two CPU cores; a GPU helps",
    profiles={
        "smoke": {**_epochs(2, 1), "bootstrap": 200},
        "paper": {**_AS_PUBLISHED, **_epochs(2500, 500), "folds": 0, "bootstrap": 10_000},
        ("laptop", "wild"): _epochs(15, 3),
        ("paper", "wild"): _epochs(420, 100),
        ("laptop", "game"): {"epochs": 30},
        ("paper", "game"): _epochs(1000, 250),
        ("laptop", "micro"): _epochs(20, 4),
        ("paper", "micro"): _epochs(840, 200),
        ("laptop", "tfd"): _epochs(20, 5),
        **on_fer2013("smoke", _epochs(1, 0)),
        **on_fer2013("laptop", _epochs(10, 0)),
        **on_fer2013("paper", _epochs(70, 20)),
    },
)
