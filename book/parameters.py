"""What every chapter takes, what every chapter that trains classifiers takes, and how profiles depend on the
face set.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import Field, TypeAdapter

from fer_lib.names import FaceDomain, FaceSource
from ferbook.parameters import DeviceField, Parameters, Profiles, SeedField, listed

FaceField = Annotated[
    FaceSource,
    Field(description="the face set: a synthetic one (lab, wild, game, micro), or a real one below FER_DATA"),
]


SubjectsField = Annotated[
    int, Field(ge=0, le=20_000, description="synthetic faces: number of people; 0 takes the set's own")
]


SizeField = Annotated[
    int,
    Field(ge=0, le=256, multiple_of=8, description="side of a picture in pixels; 0 takes the set's own"),
]


EpochsField = Annotated[int, Field(ge=1, le=5000, description="passes over the training split")]


RateField = Annotated[float, Field(gt=0, le=10, description="peak learning rate of the schedule")]


DropoutField = Annotated[
    float, Field(ge=0, lt=1, description="dropout on the dense layer's input (D); 0.5 in the papers")
]


@dataclass(frozen=True)
class FaceSets:
    """Checks a text that lists face sets, separated by commas, each at most once; after a colon the number of
    people of a synthetic one.
    """

    allowed: str = (
        "one or more face sets, separated by commas, each at most once; a synthetic one may have its number "
        "of people behind a colon, as in wild:500,game:24"
    )

    def __call__(self, text: str) -> str:
        names = []
        for part in listed(text):
            name, colon, people = part.partition(":")
            known = name in get_args(FaceSource)
            if not known or (colon and not (name in get_args(FaceDomain) and people.isdecimal())):
                raise ValueError(f"not {self.allowed}")
            if colon:
                TypeAdapter(SubjectsField).validate_python(int(people))
            names.append(name)
        if len(set(names)) < len(names):
            raise ValueError(f"not {self.allowed}")
        return text


def face_sets(text: str) -> dict[str, int]:
    """Name -> number of people (0: the set's own) of a list that ``FaceSets`` has checked."""
    parts = (part.partition(":") for part in listed(text))
    return {name: int(people or 0) for name, _, people in parts}


FaceArguments = tuple[tuple[str, object], ...]
"""The arguments of ``faces.registry.open_faces`` as (name, value) pairs: equal pairs, equal face sets."""

FACE_FIELDS = ("subjects", "size", "face_seed")
"""The fields that, with ``faces``, say which pictures a chapter works on."""


def on_fer2013(profile: str, values: Mapping[str, object]) -> Profiles:
    """What ``profile`` sets on FER2013, whichever labels the pictures have."""
    return {(profile, "fer2013"): values, (profile, "ferplus"): values}


EVERY_CHAPTER: Profiles = {
    "smoke": {"subjects": 24},
    "paper": {"size": 96},
    **on_fer2013("paper", {"size": 48}),
}
"""What the profiles change for all chapters."""


class ChapterParameters(Parameters):
    """What every chapter takes: which faces, which seed, which device."""

    faces: FaceField = "lab"
    subjects: SubjectsField = 0
    size: SizeField = 48
    face_seed: Annotated[
        int, Field(ge=0, lt=2**31, description="synthetic faces: seed of people and pictures")
    ] = 0
    seed: SeedField = 0
    device: DeviceField = "auto"
    publish_faces: Annotated[bool, Field(description="show pictures of licensed subjects on the page")] = (
        False
    )

    @classmethod
    def of_profile(cls, profiles: Profiles, profile: str, given: Mapping[str, object]) -> dict[str, object]:
        """What the profile sets for every chapter, then for this one, then both on the face set that is asked
        for: ``profiles`` may have keys ``(profile, faces)``."""
        faces = given.get("faces", cls.model_fields["faces"].default)
        layers = (
            each.get(key, {}) for key in (profile, (profile, faces)) for each in (EVERY_CHAPTER, profiles)
        )
        return {name: value for layer in layers for name, value in layer.items()}

    @property
    def face_source(self) -> FaceArguments:
        """Which face set the chapter is about."""
        return (("name", self.faces), *((field, getattr(self, field)) for field in FACE_FIELDS))

    @property
    def face_sources(self) -> tuple[FaceArguments, ...]:
        """All face sets that the chapter opens: the one that it is about, then those that it sets beside it.

        A real set among the latter may be absent on a machine.
        """
        return (self.face_source,)


class RecipeParameters(ChapterParameters):
    """What a chapter that trains classifiers takes: the fields of ``train.recipe.Recipe``."""

    epochs: EpochsField = 60
    batch_size: Annotated[int, Field(ge=2, le=4096, description="pictures per training step")] = 32
    lr: RateField = 0.03
    schedule: Annotated[
        Literal["constant", "onecycle", "cosine"],
        Field(description="learning rate: constant as published, one-cycle, or a cosine down from the peak"),
    ] = "onecycle"
    nesterov: Annotated[bool, Field(description="Nesterov's momentum in place of the plain one")] = False
    weight_decay: Annotated[float, Field(ge=0, le=1, description="weight decay of SGD")] = 1e-5
    clip: Annotated[float, Field(ge=0, le=1000, description="largest norm of the gradient; 0 clips none")] = (
        0.0
    )
    class_weights: Annotated[
        bool, Field(description="weigh each class in the loss by the inverse of its training pictures")
    ] = False
    dropout: DropoutField = 0.5
    augment: Annotated[
        Literal["none", "light", "standard", "published"],
        Field(
            description="augmentation: none, light (flip, small changes), standard (for pictures of the "
            "wild), or as published by Khorrami et al. (A)"
        ),
    ] = "light"
    mixup: Annotated[
        float, Field(ge=0, le=10, description="mixup: alpha of the Beta distribution; 0 mixes none")
    ] = 0.0
    start_size: Annotated[
        int,
        Field(
            ge=0,
            le=256,
            multiple_of=8,
            description="side in pixels of the training pictures at the start, growing to their own; 0 "
            "keeps it",
        ),
    ] = 0
    averaging: Annotated[
        float,
        Field(ge=0, lt=1, description="decay per step of a moving average of the weights; 0 averages none"),
    ] = 0.0
    patience: Annotated[
        int,
        Field(
            ge=0, le=5000, description="epochs without a better validation accuracy before the end; 0 never"
        ),
    ] = 0
    precision: Annotated[
        Literal["auto", "fp32", "bf16"],
        Field(
            description="number format of training; auto takes bfloat16 where the processor computes in it"
        ),
    ] = "auto"
    bootstrap: Annotated[
        int, Field(ge=100, le=100_000, description="subject-cluster bootstrap draws behind each interval")
    ] = 2000
