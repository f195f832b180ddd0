"""Chapter ``au_verification``: what it takes, and what the profiles change."""

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from pydantic import Field

from book.parameters import BootstrapField, ComparedParameters, RoleParameters, on_fer2013
from face_sets.request import FaceRequest
from fer_lib.names import AssociationMeasure, FaceDomain
from ferbook.book import Chapter, Resources
from ferbook.errors import DataError

if TYPE_CHECKING:
    from face_sets.faceset import FaceSet


# A second head model, of which users may have a copy.
OTHER_HEADS = "heads"


class AuVerificationParameters(RoleParameters, ComparedParameters):
    """Chapter ``au_verification``: which filters of trained networks answer to an action unit."""

    identity: str = Field(
        "identity",
        description="the population that was trained to recognise the people of the same pictures, evaluated "
        "where the roles are; empty: none",
    )
    layer: str = Field(
        "",
        description="the layer whose filters are judged, as `relu3`; empty: the ReLU after the "
        "last convolution",
    )
    held_out_people: int = Field(
        60,
        ge=12,
        le=5000,
        description="rendered people on whose pictures filters are judged; in no other set",
    )
    present_from: float = Field(
        0.0, ge=0, lt=1, description="a unit counts as shown where its intensity is above this"
    )
    measure: AssociationMeasure = Field("auroc", description="the association that is held against chance")
    permutations: int = Field(500, ge=19, le=1_000_000, description="permutations of labels behind each null")
    untrained: int = Field(3, ge=2, le=200, description="untrained networks of each structure: the floor")
    people: int = Field(12, ge=10, le=1000, description="rendered people on whom units are switched on")
    dose_people: int = Field(
        8, ge=4, le=1000, description="people on whom the intensities of equal change are measured"
    )
    other_heads: int = Field(
        10, ge=10, le=1000, description="people of the set `heads` on whom they are too, where it is at hand"
    )
    bootstrap: BootstrapField = 300

    def data_key(self) -> dict[str, str]:
        """As its parent's, and the other heads', ``absent`` where they are not at hand."""
        from face_sets.registry import fingerprint

        heads = FaceRequest(OTHER_HEADS, self.other_heads, self.size, self.eval_seed)
        return super().data_key() | {str(heads): fingerprint(heads)}

    def require(self, faces: "FaceSet") -> None:
        """Enough people with action units, where a real set has any."""
        if self.faces in get_args(FaceDomain) or not faces.aus:
            return
        from fer_lib.aus.nulls import FEWEST_SUBJECTS, blocks_of
        from fer_lib.aus.presence import presence

        labels = presence(faces, self.present_from).scored()
        # As in ``examine``, which leaves a group of the people out in turn.
        people = blocks_of(labels, "subject", within=labels.emotions).movable(labels.present)
        if people.max() < 1.25 * FEWEST_SUBJECTS:
            raise DataError(
                f"face set {faces.name!r}: too few people in whom an action unit could be another's, within "
                f"an emotion ({people.max()} at most); it needs more people, or no action units: then "
                "filters are evaluated on rendered people"
            )

    @property
    def face_requests(self) -> tuple[FaceRequest, ...]:
        """The face set of the chapter, and rendered people of another seed, on whom nothing trained."""
        people = self.request(self.domain, self.held_out_people)
        return self.face_request, replace(people, face_seed=self.eval_seed)

    @property
    def identities(self) -> tuple[str, ...]:
        """The population that was trained on identity, where the roles are evaluated."""
        return (self.identity,) if self.identity and self.pairs and not self.skip_reason else ()

    @property
    def populations(self) -> tuple[str, ...]:
        """As its parents', and the networks trained on identity."""
        return tuple(dict.fromkeys((*super().populations, *self.identities)))


CHAPTER = Chapter(
    title="Is this filter an action-unit detector?",
    parameters=AuVerificationParameters,
    upstream=("training",),
    after=("deconvolution",),
    resources=Resources(minutes=100),
    seconds={"laptop": 130, **on_fer2013("laptop", 133)},
    key_metrics=("verified_gain", "verified_gain_degree"),
    learn=(
        "which filters respond to an action unit, how many compared with an untrained network and with one "
        "trained on the units, and how they respond to one unit alone"
    ),
    needs="two CPU cores; a real set needs labels of action units",
    profiles={
        "smoke": {"held_out_people": 24, "permutations": 99, "untrained": 2, "people": 10, "bootstrap": 100},
        "laptop": {"permutations": 199, "people": 30, "bootstrap": 200},
        "reference": {
            "face_seed": 10,
            "eval_face_seed": 20,
            "population": "emotions",
            "roles": "emotions:units,breuer_emotions:breuer_units",
            "of_each": 0,
            "beside": "units_free,emotions_shuffled,photographs_zero_bias,photographs_shuffled",
            "held_out_people": 360,
            "untrained": 5,
            "people": 200,
            "dose_people": 48,
            "other_heads": 48,
            "bootstrap": 1000,
        },
        "paper": {
            "held_out_people": 600,
            "permutations": 10_000,
            "untrained": 20,
            "people": 48,
            "other_heads": 48,
            "bootstrap": 2000,
        },
    },
)
