"""The parameters of each chapter: one model each.

A model's defaults are the ``laptop`` profile; a chapter notebook's ``parameters`` cell repeats them.
"""

from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from book.parameters import (
    FACE_FIELDS,
    ChapterParameters,
    DropoutField,
    EpochsField,
    FaceArguments,
    FaceField,
    FaceSets,
    ListOf,
    Percentages,
    RateField,
    RecipeParameters,
    SizeField,
    SubjectsField,
    face_sets,
)
from fer_lib.names import CLIP_SETS, AssociationMeasure, FaceDomain, FaceSource, Loss, Network
from ferbook.errors import ParameterError


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


class TrainingParameters(RecipeParameters):
    """Chapter ``training``: a network by its protocol, the zero-bias CNN of Khorrami et al. (2015) by
    default.
    """

    epochs: EpochsField = 30
    network: Annotated[Network, Field(description="the network")] = "zero_bias"
    gain: Annotated[
        float,
        Field(
            ge=0,
            le=10,
            description="zero_bias: sd of the initial weights times sqrt(fan-in); 0 draws it from U(0.2, "
            "1.2) as published",
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
        """What ``nets.build.build_network`` is told beside classes and size."""
        chosen: dict[str, object] = {"dropout": self.dropout}
        if self.network == "zero_bias":
            chosen |= {"bias": self.bias, "gain": self.gain or None}
        return chosen


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
        """The face set of the chapter; beside FER2013, where it is at hand, FER+: the same pictures under
        other labels.
        """
        if self.faces != "fer2013":
            return (self.face_source,)
        fields = {field: getattr(self, field) for field in FACE_FIELDS}
        return (self.face_source, (("name", "ferplus"), *fields.items()))


class DeconvolutionParameters(ChapterParameters):
    """Chapter ``deconvolution``: what the filters of the network of chapter ``training`` look at."""

    layer: Annotated[
        str,
        Field(
            description="the layer whose filters are looked at, as `relu3`; empty: the rectifier after the "
            "last convolution"
        ),
    ] = ""
    method: Annotated[
        Literal["deconv", "guided", "gradient"],
        Field(
            description="how rectifiers let a signal down: deconv if it is positive, gradient if the unit "
            "was on, guided if both"
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
    """Chapter ``au_verification``: which filters of the network of chapter ``training`` detect an action
    unit.
    """

    layer: Annotated[
        str,
        Field(
            description="the layer whose filters are judged, as `relu3`; empty: the rectifier after the "
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
                f"beside = {self.beside!r} names {self.faces!r}, which is the chapter's own face set; leave "
                "it out of the list"
            )
        return self

    @property
    def face_sources(self) -> tuple[FaceArguments, ...]:
        """The face set of the chapter; those beside it; and rendered faces, which stand in where the
        chapter's own has no action units.
        """
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


class MicroExpressionsParameters(ChapterParameters):
    """Chapter ``micro_expressions``: LSTMs on the features that the network of chapter ``training`` gives of
    each frame of a clip.
    """

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
        """The face set of the chapter; beside a set of clips, rendered faces for a network that has seen none
        of its people; beside any other set, rendered clips."""
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
            description="whom the generator learns from: people rendered to order as those of a synthetic "
            "set, or a real set with neutral "
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
        Field(
            description="number format of training; auto takes bfloat16 where the processor computes in it"
        ),
    ] = "auto"
    bootstrap: Annotated[
        int, Field(ge=100, le=100_000, description="subject-cluster bootstrap draws behind each interval")
    ] = 2000

    @model_validator(mode="after")
    def _strangers_to_learn_from(self) -> Self:
        if self.pretrain == self.faces and not self.rendered_to_order:
            raise ParameterError(
                f"pretrain = {self.pretrain!r} is the chapter's own face set; the generator learns from "
                "other people: give another set, or lab"
            )
        return self

    @property
    def rendered_to_order(self) -> bool:
        """Whether the generator learns from people who are rendered for it, and are in no face set."""
        return self.pretrain in get_args(FaceDomain)

    @property
    def face_sources(self) -> tuple[FaceArguments, ...]:
        """The face set of the chapter; beside a real one, rendered faces, whose neutral faces and action
        units are known; and a real set that the generator learns from.
        """
        beside = {} if self.faces in get_args(FaceDomain) else {"lab": 0}
        if not self.rendered_to_order:
            beside[self.pretrain] = 0
        shared = (("subjects", 0), ("size", self.size), ("face_seed", self.face_seed))
        return (self.face_source, *((("name", name), *shared) for name in beside))
