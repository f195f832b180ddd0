"""Chapter ``deconvolution``: what it takes, and what the profiles change."""

from dataclasses import replace
from typing import Literal, get_args

from pydantic import Field

from book.parameters import NetworkParameters
from fer_lib.faces.request import FaceRequest
from fer_lib.names import FaceDomain
from ferbook.book import Chapter, Resources


class DeconvolutionParameters(NetworkParameters):
    """Chapter ``deconvolution``: what the filters of trained networks look at."""

    photographs: str = Field(
        "",
        description="networks taught by photographs that stand beside, by their name in populations.yaml",
    )
    strangers: int = Field(
        60,
        ge=10,
        le=2000,
        description="rendered people whom no network learned from, about whom all networks are asked",
    )
    other_heads: int = Field(
        20,
        ge=10,
        le=2000,
        description="people of the set `heads`, shapes of another model, about whom all networks are asked "
        "too, where it is at hand",
    )
    untrained: int = Field(
        2, ge=1, le=100, description="networks with their first random weights, which stand beside"
    )
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
        description="filters of a network whose projections are compared with the regions of action units",
    )
    checked_filters: int = Field(
        24, ge=2, le=5000, description="filters of a network whose projections the sanity checks look at"
    )

    @property
    def rendered(self) -> bool:
        """Whether the chapter's faces are rendered: then they are the strangers themselves."""
        return self.faces in get_args(FaceDomain)

    @property
    def strangers_request(self) -> FaceRequest:
        """Rendered people from whom no network learned: beside real faces they are of ``lab``."""
        return self._anew(self.faces if self.rendered else "lab", self.strangers)

    @property
    def face_request(self) -> FaceRequest:
        """Of rendered faces other people than those of chapter ``training``."""
        return self.strangers_request if self.rendered else super().face_request

    @property
    def face_requests(self) -> tuple[FaceRequest, ...]:
        """Beside real faces rendered strangers; beside all, people with other heads."""
        strangers = () if self.rendered else (self.strangers_request,)
        return (self.face_request, *strangers, self._anew("heads", self.other_heads))

    def _anew(self, name: str, people: int) -> FaceRequest:
        return replace(self.request(name, people), face_seed=self.face_seed + 1)

    @property
    def populations(self) -> tuple[str, ...]:
        """The networks that the chapter is about, and those beside them."""
        return tuple(filter(None, (*super().populations, self.photographs)))


CHAPTER = Chapter(
    title="What the filters look at",
    parameters=DeconvolutionParameters,
    upstream=("training",),
    resources=Resources(minutes=50),
    seconds={"laptop": 43},
    key_metrics=("concentration_over_untrained", "pointing_over_untrained"),
    learn=(
        "what drives each filter of a trained network and where on the face it lies, in an atlas of "
        "all filters, and whether such pictures can be believed"
    ),
    needs="two CPU cores",
    profiles={
        "smoke": {"strangers": 12, "other_heads": 10, "located_filters": 12, "checked_filters": 16},
        "reference": {
            "population": "published",
            "photographs": "photographs_zero_bias",
            "strangers": 100,
            "other_heads": 100,
            "untrained": 10,
        },
        "paper": {
            "strangers": 300,
            "untrained": 10,
            "located_filters": 256,
            "checked_filters": 256,
        },
    },
)
