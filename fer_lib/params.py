"""Typed parameters: one model per chapter. The profiles are data.

A model's defaults are the ``laptop`` profile; ``PROFILES`` holds what the other profiles, and
single face sets, change. A chapter notebook's ``parameters`` cell repeats the defaults.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Literal, Self, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo

from fer_lib.errors import ParameterError

FaceDomain = Literal["lab", "wild", "game", "micro"]
"""The synthetic face sets."""

FaceSource = Literal[
    FaceDomain,
    *("fer2013", "ferplus", "ckplus", "tfd", "jaffe", "casme2", "samm", "mmi", "oulu_casia"),
    *("bu3dfe", "bu4dfe", "bp4d", "bp4dplus", "novaemotions"),
]
Network = Literal["zero_bias", "breuer", "zhu", "vgg", "residual"]
"""The networks that ``models.factory.build_network`` builds by name."""

Loss = Literal["cross_entropy", "label_smoothing", "focal", "centre", "island", "votes"]
"""The losses that ``learn.losses.build_loss`` builds by name."""

AssociationMeasure = Literal["mean_difference", "smd", "wasserstein", "ks", "kl", "auroc"]
"""The measures of ``units.measures``."""

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
Profile = Literal["smoke", "laptop", "paper"]

FaceArguments = tuple[tuple[str, object], ...]
"""The arguments of ``faces.registry.open_faces`` as (name, value) pairs: equal pairs, equal face sets."""

FACE_FIELDS = ("subjects", "size", "face_seed")
"""The fields that, with ``faces``, say which pictures a chapter works on."""


class ChapterParameters(BaseModel):
    """What every chapter takes: which faces, which seed, which device."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    faces: FaceField = "lab"
    subjects: SubjectsField = 0
    size: SizeField = 48
    face_seed: Annotated[
        int, Field(ge=0, lt=2**31, description="synthetic faces: seed of people and pictures")
    ] = 0
    seed: Annotated[
        int, Field(ge=0, lt=2**31, description="seed of initialisation, batches, augmentation and resampling")
    ] = 0
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"],
        Field(description="where networks run; auto takes a GPU if there is one"),
    ] = "auto"
    publish_faces: Annotated[bool, Field(description="show pictures of licensed subjects on the page")] = (
        False
    )

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


class FacesParameters(ChapterParameters):
    """Chapter ``faces``: what the data are."""

    samples: Annotated[int, Field(ge=1, le=12, description="sample pictures shown per class")] = 6
    domain_subjects: Annotated[
        int,
        Field(ge=9, le=20_000, description="people of each synthetic set where the sets stand side by side"),
    ] = 12

    @property
    def face_sources(self) -> tuple[FaceArguments, ...]:
        """The face set of the chapter, a small one of each synthetic kind beside it, and the real FER2013."""
        small = {"subjects": self.domain_subjects, "size": 0, "face_seed": self.face_seed}
        real = {"subjects": 0, "size": 48, "face_seed": 0}
        beside = [(domain, small) for domain in get_args(FaceDomain)] + [("fer2013", real)]
        return (self.face_source, *((("name", name), *fields.items()) for name, fields in beside))


class RecipeParameters(ChapterParameters):
    """What a chapter that trains classifiers takes: the fields of ``learn.recipe.Recipe``."""

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
            description="augmentation: none, light (flip, small changes), standard (for pictures of the wild), or "
            "as published by Khorrami et al. (A)"
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
            description="side in pixels of the training pictures at the start, growing to their own; 0 keeps it",
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
        Field(description="number format of training; auto times a few steps on a CPU"),
    ] = "auto"
    bootstrap: Annotated[
        int, Field(ge=100, le=100_000, description="subject-cluster bootstrap draws behind each interval")
    ] = 2000


class TrainingParameters(RecipeParameters):
    """Chapter ``training``: a network by its protocol, the zero-bias CNN of Khorrami et al. (2015) by default."""

    epochs: EpochsField = 30
    network: Annotated[Network, Field(description="the network")] = "zero_bias"
    gain: Annotated[
        float,
        Field(
            ge=0,
            le=10,
            description="zero_bias: sd of the initial weights times sqrt(fan-in); 0 draws it from U(0.2, 1.2) as published",
        ),
    ] = 1.0
    bias: Annotated[
        bool, Field(description="zero_bias: biases in the convolutions; the paper's network has none")
    ] = False
    loss: Annotated[Loss, Field(description="the loss function")] = "cross_entropy"
    folds: Annotated[
        int,
        Field(
            ge=0, le=200, description="at most so many folds of the protocol are trained and tested; 0: all"
        ),
    ] = 2
    emotions: Annotated[
        Literal["all", "six"],
        Field(
            description="classes: all of the protocol, or the six basic ones, without neutral and contempt"
        ),
    ] = "all"
    without_copies: Annotated[
        bool,
        Field(description="remove training pictures that equal one of the validation or test split"),
    ] = False
    test_time: Annotated[
        Literal["none", "flip", "ten_crop"],
        Field(description="test-time augmentation: none, the mirror image too, or ten crops"),
    ] = "none"
    watch_test: Annotated[
        bool,
        Field(
            description="follow the accuracy on the test pictures too, to say what choosing by it would add"
        ),
    ] = True
    ablation_epochs: Annotated[
        int,
        Field(
            ge=0, le=5000, description="zero_bias: epochs of each network of the ablation; 0 leaves it out"
        ),
    ] = 5

    @property
    def network_options(self) -> dict[str, object]:
        """What ``models.factory.build_network`` is told beside classes and size."""
        chosen: dict[str, object] = {"dropout": self.dropout}
        if self.network == "zero_bias":
            chosen |= {"bias": self.bias, "gain": self.gain or None}
        return chosen


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


@dataclass(frozen=True)
class ListOf:
    """Checks a text that lists some of ``names``, separated by commas, each at most once."""

    names: tuple[str, ...]

    def __call__(self, text: str) -> str:
        given = _listed(text)
        if not set(given) <= set(self.names) or len(set(given)) < len(given):
            raise ValueError(f"not a list of {', '.join(self.names)}")
        return text

    @property
    def allowed(self) -> str:
        """What may be given, in words."""
        return f"one or more of {', '.join(self.names)}, separated by commas"


@dataclass(frozen=True)
class Percentages:
    """Checks a text that lists whole numbers from 0 to 100, separated by commas, in ascending order."""

    allowed: str = "whole numbers from 0 to 100 in ascending order, separated by commas"

    def __call__(self, text: str) -> str:
        given = percentages(text) if all(part.isdecimal() for part in _listed(text)) else ()
        if not given or max(given) > 100 or list(given) != sorted(set(given)):
            raise ValueError(f"not {self.allowed}")
        return text


def percentages(text: str) -> tuple[int, ...]:
    """The numbers of a list that ``Percentages`` has checked."""
    return tuple(int(part) for part in _listed(text))


@dataclass(frozen=True)
class FaceSets:
    """Checks a text that lists face sets, separated by commas, each at most once; after a colon the number of people of a synthetic one."""

    allowed: str = (
        "one or more face sets, separated by commas, each at most once; a synthetic one may have its number of people behind a colon, "
        "as in wild:500,game:24"
    )

    def __call__(self, text: str) -> str:
        names = []
        for part in _listed(text):
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
    parts = (part.partition(":") for part in _listed(text))
    return {name: int(people or 0) for name, _, people in parts}


class StructureAndLossParameters(RecipeParameters):
    """Chapter ``structure_and_loss``: the question of Liu (2019), and the ladder of ingredients."""

    faces: FaceField = "wild"
    subjects: SubjectsField = 500
    size: SizeField = 32
    epochs: EpochsField = 12
    lr: Annotated[
        float,
        Field(
            gt=0, le=10, description="peak learning rate of the residual net; the others take a share of it"
        ),
    ] = 0.1
    dropout: DropoutField = 0.2
    structures: Annotated[
        str,
        AfterValidator(ListOf(get_args(Network))),
        Field(description="networks to compare; structures are compared with the first"),
    ] = "zhu,residual"
    losses: Annotated[
        str,
        AfterValidator(ListOf(get_args(Loss))),
        Field(description="loss functions to compare; votes needs a face set with votes (game, ferplus)"),
    ] = "cross_entropy,label_smoothing,focal"
    most: Annotated[
        int,
        Field(
            ge=0,
            le=1_000_000,
            description="training pictures, drawn at random, and a third as many to choose by; 0 takes all",
        ),
    ] = 0
    seeds: Annotated[int, Field(ge=1, le=50, description="trainings of each condition, from `seed` on")] = 2
    ladder: Annotated[bool, Field(description="climb the ladder of ingredients too")] = True
    labels: Annotated[
        bool, Field(description="learn from each of two labels too, where the face set has two")
    ] = True

    @property
    def face_sources(self) -> tuple[FaceArguments, ...]:
        """The face set of the chapter; beside FER2013, where it is at hand, FER+: the same pictures under other labels."""
        if self.faces != "fer2013":
            return (self.face_source,)
        fields = {field: getattr(self, field) for field in FACE_FIELDS}
        return (self.face_source, (("name", "ferplus"), *fields.items()))


class DeconvolutionParameters(ChapterParameters):
    """Chapter ``deconvolution``: what the filters of the network of chapter ``training`` look at."""

    layer: Annotated[
        str,
        Field(
            description="the layer whose filters are looked at, as `relu3`; empty: the rectifier after the last convolution"
        ),
    ] = ""
    method: Annotated[
        Literal["deconv", "guided", "gradient"],
        Field(
            description="how rectifiers let a signal down: deconv if it is positive, gradient if the unit was on, guided if both"
        ),
    ] = "deconv"
    top: Annotated[
        int, Field(ge=1, le=25, description="pictures per filter, each of another person, that are projected")
    ] = 9
    located_filters: Annotated[
        int,
        Field(
            ge=2,
            le=5000,
            description="filters whose projections are compared with the regions of action units",
        ),
    ] = 64
    checked_filters: Annotated[
        int, Field(ge=2, le=5000, description="filters whose projections the sanity checks look at")
    ] = 24
    shuffled_epochs: Annotated[
        int,
        Field(
            ge=0, le=5000, description="epochs of the network that learns shuffled labels; 0 leaves it out"
        ),
    ] = 6
    bootstrap: Annotated[
        int, Field(ge=100, le=100_000, description="subject-cluster bootstrap draws behind each interval")
    ] = 1000


class AuVerificationParameters(ChapterParameters):
    """Chapter ``au_verification``: which filters of the network of chapter ``training`` detect an action unit."""

    layer: Annotated[
        str,
        Field(
            description="the layer whose filters are judged, as `relu3`; empty: the rectifier after the last convolution"
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
        """The face set of the chapter; beside a real one, rendered faces, which stand in for it where it has no action units."""
        if self.faces in get_args(FaceDomain):
            return (self.face_source,)
        rendered = {"subjects": 0, "size": self.size, "face_seed": self.face_seed}
        return (self.face_source, (("name", "lab"), *rendered.items()))


class TransferParameters(RecipeParameters):
    """Chapter ``transfer``: what a network that learned one face set knows of another, and of action units."""

    size: SizeField = 32
    epochs: EpochsField = 20
    lr: Annotated[
        float,
        Field(
            gt=0,
            le=10,
            description="peak learning rate of the residual net; other networks take a share of it",
        ),
    ] = 0.1
    dropout: DropoutField = 0.2
    network: Annotated[Network, Field(description="the network")] = "zhu"
    beside: Annotated[
        str,
        AfterValidator(FaceSets()),
        Field(description="face sets that the chapter's own is set beside, such as wild:500,game:24"),
    ] = "wild:500,game"
    most: Annotated[
        int,
        Field(
            ge=0,
            le=1_000_000,
            description="training pictures taken from each face set, so that sets count alike; 0 takes all",
        ),
    ] = 1200
    seeds: Annotated[int, Field(ge=1, le=50, description="trainings of each condition, from `seed` on")] = 1
    leave_one_out: Annotated[
        bool, Field(description="learn from all face sets but one, too, and test on that one")
    ] = True
    fractions: Annotated[
        str,
        AfterValidator(Percentages()),
        Field(description="per cent of the chapter's own face set to fine-tune with; 0 is no training"),
    ] = "0,1,5,10,50,100"
    draws: Annotated[
        int, Field(ge=1, le=50, description="draws of the people of each fraction between 0 and 100 %")
    ] = 3
    tuned_epochs: Annotated[
        int,
        Field(ge=1, le=5000, description="epochs of fine-tuning, and of its rival that starts from scratch"),
    ] = 20
    au_epochs: Annotated[
        int,
        Field(
            ge=0,
            le=5000,
            description="epochs of the networks that learn action units; 0 leaves the section on them out",
        ),
    ] = 20
    factor_people: Annotated[
        int,
        Field(
            ge=0,
            le=2000,
            description="rendered people under single factors of the picture; 0 leaves the section out",
        ),
    ] = 40

    @model_validator(mode="after")
    def _others_beside(self) -> Self:
        # Not a ValueError, which pydantic would wrap: this names one field on account of another.
        if self.faces in face_sets(self.beside):
            raise ParameterError(
                f"beside = {self.beside!r} names {self.faces!r}, which is the chapter's own face set; leave it out of the list"
            )
        return self

    @property
    def face_sources(self) -> tuple[FaceArguments, ...]:
        """The face set of the chapter; those beside it; and rendered faces, which stand in where the chapter's own has no action units."""
        sets = face_sets(self.beside)
        if self.faces not in get_args(FaceDomain):
            sets.setdefault("lab", 0)
        return (
            self.face_source,
            *(
                (("name", name), ("subjects", people), ("size", self.size), ("face_seed", self.face_seed))
                for name, people in sets.items()
            ),
        )


CLIP_SETS: tuple[FaceSource, ...] = ("micro", "casme2", "samm")
"""The face sets that hold clips, from onset over apex to offset."""


class MicroExpressionsParameters(ChapterParameters):
    """Chapter ``micro_expressions``: LSTMs on the features that the network of chapter ``training`` gives of each frame of a clip."""

    faces: FaceField = "micro"
    clip_frames: Annotated[
        int, Field(ge=0, le=1000, description="frames of a clip, evenly from onset to offset; 0 takes all")
    ] = 16
    epochs: Annotated[int, Field(ge=1, le=5000, description="steps of training on all clips at once")] = 40
    lr: RateField = 0.003
    hidden: Annotated[int, Field(ge=1, le=1024, description="units of the LSTM")] = 16
    dropout: Annotated[
        float, Field(ge=0, lt=1, description="dropout of the LSTM's states, pooled over time")
    ] = 0.5
    weight_decay: Annotated[float, Field(ge=0, le=1, description="weight decay of AdamW")] = 0.01
    seeds: Annotated[int, Field(ge=1, le=50, description="LSTMs per fold, from `seed` on")] = 3
    control_seeds: Annotated[
        int, Field(ge=0, le=50, description="LSTMs per fold of each control; 0 leaves the controls out")
    ] = 2
    tuned: Annotated[
        bool,
        Field(description="fine-tune the CNN on the training people of each fold, too, which takes long"),
    ] = False
    bootstrap: Annotated[
        int, Field(ge=100, le=100_000, description="subject-cluster bootstrap draws behind each interval")
    ] = 2000

    @property
    def face_source(self) -> FaceArguments:
        """The face set of the chapter; of a set of clips also how many frames of each."""
        clips = (("clip_frames", self.clip_frames),) if self.faces in CLIP_SETS else ()
        return (*super().face_source, *clips)

    @property
    def face_sources(self) -> tuple[FaceArguments, ...]:
        """The face set of the chapter; beside a set of clips, rendered faces for a network that has seen none of its people; beside any other set,
        rendered clips."""
        shared = tuple((field, getattr(self, field)) for field in FACE_FIELDS)
        if self.faces in CLIP_SETS:
            return (self.face_source, (("name", "lab"), *shared))
        return (self.face_source, (("name", "micro"), *shared, ("clip_frames", self.clip_frames)))


class DerlParameters(ChapterParameters):
    """Chapter ``derl``: a generator that takes expressions off faces, and what its layers tell of them."""

    size: Annotated[
        int,
        Field(ge=0, le=256, multiple_of=16, description="side of a picture in pixels; 0 takes the set's own"),
    ] = 48
    pretrain: Annotated[
        FaceSource,
        Field(
            description="whom the generator learns from: people rendered to order as those of a synthetic set, or a real set with neutral "
            "faces, such as bu4dfe"
        ),
    ] = "lab"
    pretrain_people: Annotated[
        int,
        Field(ge=8, le=10_000, description="people rendered to order; one in eight is held out to watch"),
    ] = 120
    pretrain_expressions: Annotated[
        int, Field(ge=1, le=1000, description="expressive pictures of each of these people")
    ] = 8
    gan_epochs: Annotated[
        int, Field(ge=1, le=5000, description="passes of the generator over its pairs of pictures")
    ] = 12
    gan_batch: Annotated[int, Field(ge=2, le=1024, description="pairs per step of the generator")] = 16
    gan_lr: Annotated[
        float, Field(gt=0, le=1, description="peak learning rate of generator and discriminator")
    ] = 4e-4
    l1: Annotated[
        float,
        Field(ge=0, le=10_000, description="weight of the L1 distance beside the adversarial loss (theta)"),
    ] = 100.0
    folds: Annotated[
        int,
        Field(
            ge=0, le=200, description="at most so many folds of the protocol are trained and tested; 0: all"
        ),
    ] = 1
    epochs: EpochsField = 16
    batch_size: Annotated[int, Field(ge=2, le=4096, description="pictures per step of the second stage")] = 32
    lr: Annotated[float, Field(gt=0, le=1, description="peak learning rate of the second stage (AdamW)")] = (
        0.003
    )
    local: Annotated[
        float,
        Field(ge=0, le=100, description="weight of each local network's loss beside the joint one"),
    ] = 0.25
    views: Annotated[
        int, Field(ge=1, le=16, description="versions of each training picture: as it is, and augmented")
    ] = 2
    seeds: Annotated[int, Field(ge=1, le=50, description="trainings of each condition, from `seed` on")] = 1
    ablation: Annotated[
        bool,
        Field(description="compare DeRL with its single layers and with generators that did not learn, too"),
    ] = True
    precision: Annotated[
        Literal["auto", "fp32", "bf16"],
        Field(description="number format of training; auto times a few steps on a CPU"),
    ] = "auto"
    bootstrap: Annotated[
        int, Field(ge=100, le=100_000, description="subject-cluster bootstrap draws behind each interval")
    ] = 2000

    @model_validator(mode="after")
    def _strangers_to_learn_from(self) -> Self:
        if self.pretrain == self.faces and not self.rendered_to_order:
            raise ParameterError(
                f"pretrain = {self.pretrain!r} is the chapter's own face set; the generator learns from other people: give another set, or lab"
            )
        return self

    @property
    def rendered_to_order(self) -> bool:
        """Whether the generator learns from people who are rendered for it, and are in no face set."""
        return self.pretrain in get_args(FaceDomain)

    @property
    def face_sources(self) -> tuple[FaceArguments, ...]:
        """The face set of the chapter; beside a real one, rendered faces, whose neutral faces and action units are known; and a real set that the generator learns from."""
        beside = {} if self.faces in get_args(FaceDomain) else {"lab": 0}
        if not self.rendered_to_order:
            beside[self.pretrain] = 0
        shared = (("subjects", 0), ("size", self.size), ("face_seed", self.face_seed))
        return (self.face_source, *((("name", name), *shared) for name in beside))


_AS_PUBLISHED = {"batch_size": 64, "lr": 0.01, "schedule": "constant", "augment": "published", "gain": 0.0}
"""Khorrami et al. 2015: constant rate, variant AD, k drawn. It takes some 31,000 batches of 64."""

_HARD_LOSSES = tuple(loss for loss in get_args(Loss) if loss != "votes")
_AT_LENGTH = {
    **{"subjects": 0, "size": 48, "epochs": 60, "batch_size": 128, "lr": 0.1, "nesterov": True},
    **{"weight_decay": 5e-4, "augment": "standard", "dropout": 0.3, "averaging": 0.999, "bootstrap": 10_000},
    **{"structures": ",".join(get_args(Network)), "seeds": 5},
}
"""Structure and loss in the ``paper`` profile: every structure, five seeds."""

_WITH_VOTES = {"structure_and_loss": {"losses": ",".join(get_args(Loss))}}
_OWN_PEOPLE = {"structure_and_loss": {"subjects": 0}}

_FEW_FILTERS = {"located_filters": 12, "checked_filters": 4}
_MANY_FILTERS = {"located_filters": 256, "checked_filters": 256}

PROFILES: dict[str, dict[str, dict[str, object]]] = {
    "smoke": {
        "*": {"subjects": 24},
        "faces": {"samples": 3, "domain_subjects": 9},
        "training": {"epochs": 2, "ablation_epochs": 1, "bootstrap": 200},
        "structure_and_loss": {
            **{"size": 16, "epochs": 1, "seeds": 1, "labels": False, "bootstrap": 200},
            **{"structures": "zhu,residual", "losses": "cross_entropy,focal"},
        },
        "deconvolution": {**_FEW_FILTERS, "shuffled_epochs": 1, "bootstrap": 200},
        "au_verification": {
            **{"permutations": 99, "untrained": 1, "shuffled_epochs": 1, "people": 6, "silenced": 4},
            **{"repeats": 1, "simulations": 20, "bootstrap": 100},
        },
        "transfer": {
            **{"size": 16, "epochs": 1, "tuned_epochs": 1, "au_epochs": 1, "beside": "wild:24,game:9"},
            **{"fractions": "0,10,100", "draws": 1, "factor_people": 4, "bootstrap": 100},
        },
        "micro_expressions": {
            **{"subjects": 6, "clip_frames": 8, "epochs": 3, "seeds": 1, "control_seeds": 1},
            "bootstrap": 200,
        },
        "derl": {
            **{"pretrain_people": 8, "pretrain_expressions": 4, "gan_epochs": 1, "folds": 1, "epochs": 1},
            **{"views": 1, "bootstrap": 200},
        },
    },
    "laptop": {},
    "paper": {
        "*": {"size": 96},
        "training": {
            **_AS_PUBLISHED,
            **{"epochs": 2500, "ablation_epochs": 500, "folds": 0, "bootstrap": 10_000},
        },
        "structure_and_loss": {**_AT_LENGTH, "losses": ",".join(_HARD_LOSSES)},
        "deconvolution": {**_MANY_FILTERS, "shuffled_epochs": 60, "bootstrap": 10_000},
        "au_verification": {
            **{"permutations": 10_000, "untrained": 20, "shuffled_epochs": 60, "people": 48, "contexts": 3},
            **{"repeats": 50, "planted_permutations": 1999, "simulations": 2000, "bootstrap": 2000},
        },
        "transfer": {
            **{
                "network": "residual",
                "size": 48,
                "epochs": 60,
                "batch_size": 128,
                "nesterov": True,
                "weight_decay": 5e-4,
            },
            **{
                "averaging": 0.999,
                "beside": "wild,game",
                "most": 0,
                "seeds": 5,
                "draws": 5,
                "tuned_epochs": 60,
            },
            **{"au_epochs": 60, "factor_people": 400, "bootstrap": 10_000},
        },
        "micro_expressions": {
            **{"clip_frames": 32, "epochs": 100, "seeds": 5, "control_seeds": 5, "tuned": True},
            "bootstrap": 10_000,
        },
        "derl": {
            **{"pretrain_people": 600, "gan_epochs": 200, "gan_batch": 32, "gan_lr": 2e-4, "folds": 0},
            **{"epochs": 60, "views": 8, "seeds": 5, "bootstrap": 10_000},
        },
    },
}
"""What each profile changes: profile -> chapter (or ``*`` for all) -> field -> value."""

_FER2013: dict[str, dict[str, dict[str, object]]] = {
    "smoke": {
        "training": {"epochs": 1, "ablation_epochs": 0},
        "structure_and_loss": {"size": 48, "seeds": 1, "ladder": False, "labels": False},
        "transfer": {"size": 48, "beside": "wild:24", "fractions": "0,1", "draws": 1},
    },
    "laptop": {
        "training": {"epochs": 10, "ablation_epochs": 0},
        "structure_and_loss": {
            **_AT_LENGTH,
            **{"size": 24, "most": 6000, "epochs": 10, "seeds": 2, "averaging": 0.0, "bootstrap": 2000},
            **{"structures": "zhu,residual", "losses": "cross_entropy,label_smoothing"},
        },
        "deconvolution": {"shuffled_epochs": 1},
        "transfer": {
            **{"size": 48, "epochs": 8, "batch_size": 128, "beside": "wild:500", "most": 0},
            **{"fractions": "0,1,5,10,100", "draws": 2, "tuned_epochs": 8},
        },
    },
    "paper": {
        **{"*": {"size": 48}, "training": {"epochs": 70, "ablation_epochs": 20}},
        "transfer": {"beside": "wild"},
    },
}

PROFILES_ON_FACES: dict[str, dict[str, dict[str, dict[str, object]]]] = {
    "lab": {"laptop": _OWN_PEOPLE},
    "wild": {
        "smoke": {"transfer": {"beside": "lab:24,game:9"}},
        "laptop": {
            "training": {"epochs": 15, "ablation_epochs": 3},
            "transfer": {"subjects": 500, "beside": "lab,game"},
        },
        "paper": {
            "training": {"epochs": 420, "ablation_epochs": 100},
            "transfer": {"beside": "lab,game"},
        },
    },
    "game": {
        "smoke": {"transfer": {"beside": "lab:24,wild:24"}},
        "laptop": {
            "training": {"epochs": 30},
            "transfer": {"beside": "lab,wild:500"},
            **_OWN_PEOPLE,
        },
        "paper": {
            "training": {"epochs": 1000, "ablation_epochs": 250},
            "transfer": {"beside": "lab,wild"},
            **_WITH_VOTES,
        },
    },
    "micro": {
        "laptop": {"training": {"epochs": 20, "ablation_epochs": 4}, **_OWN_PEOPLE},
        "paper": {"training": {"epochs": 840, "ablation_epochs": 200}},
    },
    "tfd": {"laptop": {"training": {"epochs": 20, "ablation_epochs": 5}, "transfer": {"size": 48}}},
    "fer2013": _FER2013,
    "ferplus": _FER2013 | {"paper": _FER2013["paper"] | _WITH_VOTES},
}
"""What a profile changes further on one face set: faces -> profile -> chapter -> field -> value."""


def profile_values(chapter: str, profile: Profile, faces: FaceSource) -> dict[str, object]:
    """The fields that ``profile`` sets for ``chapter`` on the face set ``faces``."""
    layers = (PROFILES[profile], PROFILES_ON_FACES.get(faces, {}).get(profile, {}))
    return {
        field: value
        for layer in layers
        for scope in ("*", chapter)
        for field, value in layer.get(scope, {}).items()
    }


def allowed_values(field: FieldInfo) -> str:
    """A field's range in words, as error messages and ``ferbook params`` show it."""
    if get_origin(field.annotation) is Literal:
        return " | ".join(str(value) for value in get_args(field.annotation))
    if field.annotation is bool:
        return "true | false"
    if field.annotation is str and not field.metadata:
        return "any text"
    low, high, step = "", "", ""
    for limit in field.metadata:
        if isinstance(getattr(limit, "func", None), ListOf | Percentages | FaceSets):
            return limit.func.allowed
        if getattr(limit, "ge", None) is not None:
            low = f"≥ {limit.ge:g}"
        elif getattr(limit, "gt", None) is not None:
            low = f"> {limit.gt:g}"
        elif getattr(limit, "le", None) is not None:
            high = f"≤ {limit.le:g}"
        elif getattr(limit, "lt", None) is not None:
            high = f"< {limit.lt:.0f}" if field.annotation is int else f"< {limit.lt:g}"
        elif getattr(limit, "multiple_of", None) is not None:
            step = f"a multiple of {limit.multiple_of}"
    return ", ".join(part for part in (low, high, step) if part)


def type_name(field: FieldInfo) -> str:
    """A field's type in one word: ``int``, ``float``, ``bool`` or ``choice``."""
    return "choice" if get_origin(field.annotation) is Literal else field.annotation.__name__


def nearest_name(given: str, known: Iterable[str]) -> str:
    """A hint such as " (did you mean 'epochs'?)", empty where nothing is near."""
    matches = get_close_matches(given, list(known), n=1, cutoff=0.5)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


def parse_value(chapter: str, model: type[ChapterParameters], name: str, value: object) -> object:
    """``value`` as the type of field ``name``. Text is parsed; any other value must have the type already.

    Raises ParameterError naming the field, what was given and what is allowed.
    """
    if name not in model.model_fields:
        raise ParameterError(
            f"{chapter} has no parameter {name!r}{nearest_name(name, model.model_fields)}; "
            f"`ferbook params {chapter}` lists them"
        )
    field = model.model_fields[name]
    adapter = TypeAdapter(
        Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    )
    try:
        return adapter.validate_python(value, strict=not isinstance(value, str))
    except ValidationError as fault:
        raise ParameterError(
            f"{chapter}.{name} = {value!r} is not allowed: it must be {type_name(field)}, {allowed_values(field)}"
        ) from fault


def resolve(
    chapter: str,
    model: type[ChapterParameters],
    profile: Profile = "laptop",
    overrides: Mapping[str, object] | None = None,
) -> ChapterParameters:
    """All parameters of a chapter: the model's defaults, then the profile, then ``overrides``.

    Raises ParameterError for an unknown profile or name, a wrong type or an impossible value.
    """
    if profile not in PROFILES:
        raise ParameterError(
            f"no profile {profile!r}{nearest_name(profile, PROFILES)}; the profiles are {', '.join(PROFILES)}"
        )
    given = {name: parse_value(chapter, model, name, value) for name, value in (overrides or {}).items()}
    faces = given.get("faces", model.model_fields["faces"].default)
    return model(**profile_values(chapter, profile, faces) | given)


def parameter_rows(chapter: str, model: type[ChapterParameters]) -> list[dict[str, object]]:
    """One row per field: name, type, the default in each profile, range and meaning."""
    defaults = {profile: resolve(chapter, model, profile) for profile in PROFILES}
    return [
        {
            "parameter": name,
            "type": type_name(field),
            **{profile: getattr(values, name) for profile, values in defaults.items()},
            "range": allowed_values(field),
            "meaning": field.description or "",
        }
        for name, field in model.model_fields.items()
    ]
