"""Chapter ``au_verification``: what it takes, and what the profiles change."""

from typing import get_args

from pydantic import Field

from book.parameters import BootstrapField, FaceArguments, NetworkParameters, ShuffledEpochsField
from fer_lib.names import AssociationMeasure, FaceDomain
from ferbook.book import Chapter


class AuVerificationParameters(NetworkParameters):
    """Chapter ``au_verification``: which filters of the network of chapter ``training`` detect an action
    unit.
    """

    layer: str = Field(
        "",
        description="the layer whose filters are judged, as `relu3`; empty: the ReLU after the "
        "last convolution",
    )
    present_from: float = Field(
        0.0, ge=0, lt=1, description="a unit counts as shown where its intensity is above this"
    )
    measure: AssociationMeasure = Field("auroc", description="the association that is held against chance")
    permutations: int = Field(
        2000, ge=19, le=1_000_000, description="permutations of labels behind each null"
    )
    untrained: int = Field(5, ge=1, le=200, description="untrained networks of the same structure set beside")
    shuffled_epochs: ShuffledEpochsField = 6
    people: int = Field(
        16, ge=6, le=1000, description="synthetic faces: people on whom units are switched on"
    )
    contexts: int = Field(
        1, ge=1, le=20, description="synthetic faces: base faces per person, the first of them neutral"
    )
    silenced: int = Field(
        16, ge=0, le=500, description="filters silenced per unit; 0 leaves the ablation out"
    )
    repeats: int = Field(
        5, ge=1, le=1000, description="data sets with planted detectors, and draws of filters to silence"
    )
    planted_permutations: int = Field(
        199, ge=19, le=100_000, description="permutations of labels for each of these data sets"
    )
    simulations: int = Field(
        400, ge=20, le=100_000, description="simulated data sets behind error rate and coverage"
    )
    bootstrap: BootstrapField = 300

    @property
    def face_sources(self) -> tuple[FaceArguments, ...]:
        """The face set of the chapter; beside a real one, rendered faces, which stand in for it where it has
        no action units.
        """
        if self.faces in get_args(FaceDomain):
            return (self.face_source,)
        return (self.face_source, self.source("lab"))


CHAPTER = Chapter(
    title="Is this filter an action-unit detector?",
    minutes=20,
    parameters=AuVerificationParameters,
    upstream=("training",),
    after=("deconvolution",),
    key_metrics=("named_filters", "beyond_chance_filters"),
    learn=(
        "which filters detect an action unit, how sure that is, what an untrained network's filters "
        "would seem to detect, and what happens when a single muscle is switched on"
    ),
    needs="two CPU cores; for a real set its action units",
    profiles={
        "reference": {"population": "published"},
        "smoke": {
            **{"permutations": 99, "untrained": 1, "shuffled_epochs": 1, "people": 6, "silenced": 4},
            **{"repeats": 1, "simulations": 20, "bootstrap": 100},
        },
        "paper": {
            **{"permutations": 10_000, "untrained": 20, "shuffled_epochs": 60, "people": 48, "contexts": 3},
            **{"repeats": 50, "planted_permutations": 1999, "simulations": 2000, "bootstrap": 2000},
        },
    },
)
