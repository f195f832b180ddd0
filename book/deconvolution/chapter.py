"""Parameters of chapter ``deconvolution``, and what the profiles change."""

from dataclasses import replace
from typing import Literal, get_args

from pydantic import Field

from book.parameters import MostField, RoleParameters, on_fer2013
from face_sets.request import FaceRequest
from fer_lib.names import FaceDomain
from ferbook.book import Chapter, Resources


class DeconvolutionParameters(RoleParameters):
    """Chapter ``deconvolution``: what the filters of trained networks respond to."""

    held_out_people: int = Field(
        60, ge=10, le=2000, description="rendered held-out subjects, whose pictures drive the filters"
    )
    people: int = Field(
        12, ge=10, le=1000, description="rendered held-out subjects whose action units are activated"
    )
    untrained: int = Field(
        3, ge=1, le=100, description="untrained networks, with random weights, as a control"
    )
    layer: str = Field(
        "", description="layer of the filters, as `relu3`; empty: the ReLU after the last convolution"
    )
    method: Literal["deconv", "guided", "gradient"] = Field(
        "deconv",
        description="which signals pass a ReLU on the way down: deconv: positive ones, gradient: those of "
        "active neurons, guided: both conditions",
    )
    top: int = Field(
        9, ge=1, le=25, description="pictures per filter, each of another subject, that are projected"
    )
    most: MostField = 0
    checked_filters: int = Field(
        24, ge=2, le=5000, description="filters of each network in the sanity checks"
    )

    @property
    def rendered(self) -> bool:
        """Whether the chapter's faces are rendered: then they are of the held-out subjects themselves."""
        return self.faces in get_args(FaceDomain)

    @property
    def held_out_request(self) -> FaceRequest:
        """Rendered held-out subjects: of ``lab`` where the chapter's faces are real."""
        return replace(self.request(self.domain, self.held_out_people), face_seed=self.eval_seed)

    @property
    def face_request(self) -> FaceRequest:
        """Faces of the chapter: if rendered, of other people than those of chapter ``training``."""
        return self.held_out_request if self.rendered else super().face_request

    @property
    def face_requests(self) -> tuple[FaceRequest, ...]:
        """Real faces and rendered held-out subjects, or the latter alone."""
        return (self.face_request,) if self.rendered else (self.face_request, self.held_out_request)

    @property
    def domain(self) -> str:
        """Domain of the people whose units are activated: ``lab`` where the chapter's faces are real."""
        return self.faces if self.rendered else "lab"


CHAPTER = Chapter(
    title="What the filters look at",
    parameters=DeconvolutionParameters,
    upstream=("training",),
    resources=Resources(minutes=50),
    seconds={"laptop": 70, **on_fer2013("laptop", 86)},
    key_metrics=("iou", "iou_field_edges", "iou_change", "iou_at_same_places"),
    learn=(
        "to which pictures and places each filter of a trained network responds, in an atlas of all filters, "
        "and whether projections to pixels depend on what the network learned"
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
