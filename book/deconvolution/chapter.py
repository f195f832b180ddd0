"""Chapter ``deconvolution``: what it takes, and what the profiles change."""

from typing import Literal

from pydantic import Field

from book.parameters import BootstrapField, NetworkParameters, ShuffledEpochsField, on_fer2013
from ferbook.book import Chapter


class DeconvolutionParameters(NetworkParameters):
    """Chapter ``deconvolution``: what the filters of the network of chapter ``training`` look at."""

    layer: str = Field(
        "",
        description="the layer whose filters are looked at, as `relu3`; empty: the ReLU after the "
        "last convolution",
    )
    method: Literal["deconv", "guided", "gradient"] = Field(
        "deconv",
        description="how ReLUs let a signal down: deconv if it is positive, gradient if the "
        "neuron was on, guided if both",
    )
    top: int = Field(
        9, ge=1, le=25, description="pictures per filter, each of another person, that are projected"
    )
    located_filters: int = Field(
        64,
        ge=2,
        le=5000,
        description="filters whose projections are compared with the regions of action units",
    )
    checked_filters: int = Field(
        24, ge=2, le=5000, description="filters whose projections the sanity checks look at"
    )
    shuffled_epochs: ShuffledEpochsField = 6
    bootstrap: BootstrapField = 1000


CHAPTER = Chapter(
    title="What the filters look at",
    minutes=15,
    parameters=DeconvolutionParameters,
    upstream=("training",),
    key_metrics=("filters", "filters_silent"),
    learn=(
        "what drives each filter of the trained network and where on the face it lies, in an atlas of "
        "all filters, and whether such pictures can be believed"
    ),
    needs="two CPU cores",
    profiles={
        "reference": {"population": "published"},
        "smoke": {"located_filters": 12, "checked_filters": 4, "shuffled_epochs": 1, "bootstrap": 200},
        "paper": {
            **{"located_filters": 256, "checked_filters": 256},
            **{"shuffled_epochs": 60, "bootstrap": 10_000},
        },
        **on_fer2013("laptop", {"shuffled_epochs": 1}),
    },
)
