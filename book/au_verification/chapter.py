"""Chapter ``au_verification``: what it takes, and what the profiles change."""

from typing import Annotated, get_args

from pydantic import Field

from book.parameters import ChapterParameters, FaceArguments
from fer_lib.names import AssociationMeasure, FaceDomain
from ferbook.book import Chapter


class AuVerificationParameters(ChapterParameters):
    """Chapter ``au_verification``: which filters of the network of chapter ``training`` detect an action
    unit.
    """

    layer: Annotated[
        str,
        Field(
            description="the layer whose filters are judged, as `relu3`; empty: the ReLU after the "
            "last convolution"
        ),
    ] = ""
    present_from: Annotated[
        float, Field(ge=0, lt=1, description="a unit counts as shown where its intensity is above this")
    ] = 0.0
    measure: Annotated[
        AssociationMeasure, Field(description="the association that is held against chance")
    ] = "auroc"
    permutations: Annotated[
        int, Field(ge=19, le=1_000_000, description="permutations of labels behind each null")
    ] = 2000
    untrained: Annotated[
        int, Field(ge=1, le=200, description="untrained networks of the same structure set beside")
    ] = 5
    shuffled_epochs: Annotated[
        int,
        Field(
            ge=0, le=5000, description="epochs of the network that learns shuffled labels; 0 leaves it out"
        ),
    ] = 6
    people: Annotated[
        int, Field(ge=6, le=1000, description="synthetic faces: people on whom units are switched on")
    ] = 16
    contexts: Annotated[
        int,
        Field(ge=1, le=20, description="synthetic faces: base faces per person, the first of them neutral"),
    ] = 1
    silenced: Annotated[
        int, Field(ge=0, le=500, description="filters silenced per unit; 0 leaves the ablation out")
    ] = 16
    repeats: Annotated[
        int,
        Field(ge=1, le=1000, description="data sets with planted detectors, and draws of filters to silence"),
    ] = 5
    planted_permutations: Annotated[
        int, Field(ge=19, le=100_000, description="permutations of labels for each of these data sets")
    ] = 199
    simulations: Annotated[
        int, Field(ge=20, le=100_000, description="simulated data sets behind error rate and coverage")
    ] = 400
    bootstrap: Annotated[
        int, Field(ge=100, le=100_000, description="subject-cluster bootstrap draws behind each interval")
    ] = 300

    @property
    def face_sources(self) -> tuple[FaceArguments, ...]:
        """The face set of the chapter; beside a real one, rendered faces, which stand in for it where it has
        no action units.
        """
        if self.faces in get_args(FaceDomain):
            return (self.face_source,)
        rendered = {"subjects": 0, "size": self.size, "face_seed": self.face_seed}
        return (self.face_source, (("name", "lab"), *rendered.items()))


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
