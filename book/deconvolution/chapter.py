"""Chapter ``deconvolution``: what it takes, and what the profiles change."""

from dataclasses import replace
from typing import Literal, get_args

from pydantic import Field

from book.parameters import MostField, RoleParameters, on_fer2013
from face_sets.request import FaceRequest
from fer_lib.names import FaceDomain
from ferbook.book import Chapter, Resources


class DeconvolutionParameters(RoleParameters):
    """Chapter ``deconvolution``: what the filters of trained networks look at."""

    held_out_people: int = Field(
        60,
        ge=10,
        le=2000,
        description="rendered people whom no network learned from, whose pictures drive the filters",
    )
    people: int = Field(
        12, ge=10, le=1000, description="rendered people on whom units are switched on, in no face set"
    )
    untrained: int = Field(
        3, ge=1, le=100, description="networks with their first random weights, which stand beside"
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
    most: MostField = 0
    checked_filters: int = Field(
        24, ge=2, le=5000, description="filters of a network whose projections the sanity checks look at"
    )

    @property
    def rendered(self) -> bool:
        """Whether the chapter's faces are rendered: then they are the held_out_people themselves."""
        return self.faces in get_args(FaceDomain)

    @property
    def held_out_request(self) -> FaceRequest:
        """Rendered people from whom no network learned: beside real faces they are of ``lab``."""
        return replace(self.request(self.domain, self.held_out_people), face_seed=self.eval_seed)

    @property
    def face_request(self) -> FaceRequest:
        """Of rendered faces other people than those of chapter ``training``."""
        return self.held_out_request if self.rendered else super().face_request

    @property
    def face_requests(self) -> tuple[FaceRequest, ...]:
        """Beside real faces rendered held_out_people."""
        return (self.face_request,) if self.rendered else (self.face_request, self.held_out_request)

    @property
    def domain(self) -> str:
        """Whose faces have their units switched: those of the set, beside a real one of ``lab``."""
        return self.faces if self.rendered else "lab"


CHAPTER = Chapter(
    title="What the filters look at",
    parameters=DeconvolutionParameters,
    upstream=("training",),
    resources=Resources(minutes=50),
    seconds={"laptop": 70, **on_fer2013("laptop", 86)},
    key_metrics=("iou", "iou_degree", "iou_at_same_places_degree"),
    learn=(
        "what drives each filter of a trained network and where on the face it lies, in an atlas of "
        "all filters, and whether such pictures can be believed"
    ),
    needs="two CPU cores",
    profiles={
        "smoke": {"held_out_people": 12, "people": 10, "untrained": 2, "checked_filters": 16},
        "laptop": {"people": 10},
        "reference": {
            "face_seed": 10,
            "eval_face_seed": 20,
            "population": "emotions",
            "of_each": 0,
            "held_out_people": 100,
            "people": 48,
            "untrained": 10,
        },
        "paper": {"held_out_people": 300, "people": 48, "untrained": 10, "checked_filters": 256},
        **on_fer2013("laptop", {"most": 1500}),
    },
)
