"""Parameters and profiles of the chapter ``derl``."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from book import parameters
from face_sets.request import FaceRequest
from fer_lib.names import FaceDomain, FaceSource
from fer_lib.train.recipe import EpochsField
from ferbook.book import Chapter, Resources
from ferbook.errors import ParameterError
from ferbook.parameters import ListOf, listed

if TYPE_CHECKING:
    from face_sets.faceset import FaceSet


class DerlParameters(parameters.NetworkParameters):
    """A generator that removes expressions from faces, and classifiers of its residue."""

    needs_emotions: ClassVar[bool] = True
    population: str = Field(
        "",
        description="read the trainings from this population of populations.yaml, which `ferbook populations "
        "train` makes; empty: train now",
    )
    size: int = Field(
        48, ge=0, le=256, multiple_of=16, description="side of a picture in pixels; 0 takes the set's own"
    )
    pretrain: Annotated[str, AfterValidator(ListOf(get_args(FaceSource)))] = Field(
        "lab",
        description="training people of the generator: rendered in the style of a synthetic set, or real "
        "sets with neutral faces, or several, as in bu4dfe,bp4d",
    )
    pretrain_people: int = Field(
        160, ge=8, le=10_000, description="rendered people of each synthetic set; one in five is for the test"
    )
    pretrain_expressions: int = Field(
        4, ge=1, le=1000, description="expressive pictures of each of these people"
    )
    gan_epochs: EpochsField = Field(7, description="epochs of the generator")
    gan_batch: int = Field(16, ge=2, le=1024, description="pairs per step of the generator")
    gan_lr: float = Field(4e-4, gt=0, le=1, description="peak learning rate of generator and discriminator")
    l1: float = Field(
        100.0, ge=0, le=10_000, description="weight of the L1 distance against the adversarial loss (theta)"
    )
    skips: bool = Field(True, description="skip connections from encoder to decoder, as in a U-Net")
    folds: parameters.FoldsField = 1
    epochs: EpochsField = 5
    batch_size: int = Field(32, ge=2, le=4096, description="pictures per step of the second stage")
    lr: float = Field(0.003, gt=0, le=1, description="peak learning rate of the second stage (AdamW)")
    local: float = Field(
        0.25, ge=0, le=100, description="weight of each local network's loss relative to the joint one"
    )
    views: int = Field(
        1, ge=1, le=16, description="versions of each training picture: as it is, and augmented"
    )
    most: parameters.MostField = 0
    seeds: parameters.SeedsField = 1
    ablation: bool = Field(
        False,
        description="also compare DeRL with single layers and a generator of other people's neutral faces",
    )
    precision: parameters.PrecisionField = "auto"
    bootstrap: parameters.BootstrapField = 2000

    @model_validator(mode="after")
    def _other_people(self) -> Self:
        if self.faces in self.real_pretraining:
            raise ParameterError(
                f"pretrain = {self.pretrain!r} contains the chapter's face set; the generator needs other "
                "people: give another set, or lab"
            )
        return self

    def require(self, faces: "FaceSet") -> None:
        """Require every class in a fold's training pictures. Neutral pictures are not needed: the generator
        is trained on other people.
        """
        from face_sets.folds import fold_faces, protocol_of

        labelled = faces.labelled()
        fold_faces(labelled, protocol_of(labelled), 0)

    @property
    def real_pretraining(self) -> tuple[str, ...]:
        """The real training sets of the generator; for synthetic ones further people are rendered."""
        return tuple(name for name in listed(self.pretrain) if name not in get_args(FaceDomain))

    @property
    def face_requests(self) -> tuple[FaceRequest, ...]:
        """The face set; for a real one also ``lab``, in whose style people are rendered; and the real
        training sets of the generator.
        """
        beside = [*([] if self.faces in get_args(FaceDomain) else ["lab"]), *self.real_pretraining]
        return (self.face_request, *(self.request(name) for name in beside))


CHAPTER = Chapter(
    title="What is left of the expression",
    parameters=DerlParameters,
    after=("training", "au_verification"),
    resources=Resources(minutes=20, memory=24),
    seconds={"laptop": 50, **parameters.on_fer2013("laptop", 85)},
    key_metrics=("accuracy", "cnn_accuracy"),
    learn=(
        "whether the residue of a generator that makes a face neutral predicts the expression better than "
        "the face itself, how good its neutral faces are, and where in its layers the expression is"
    ),
    needs="two CPU cores",
    profiles={
        "smoke": {"pretrain_people": 12, "gan_epochs": 1, "epochs": 1, "ablation": True, "bootstrap": 200},
        "laptop": {"pretrain_people": 90, "gan_epochs": 6, "epochs": 3},
        # Each seed and fold is a piece of the population; see book.derl.pieces.
        "reference": {
            "population": "derl",
            "face_seed": 10,
            "pretrain_people": 600,
            "gan_epochs": 20,
            "ablation": True,
            "epochs": 16,
            "views": 2,
            "folds": 5,
            "seeds": 3,
        },
        "paper": {
            "pretrain_people": 600,
            "gan_epochs": 200,
            "gan_batch": 32,
            "gan_lr": 2e-4,
            "ablation": True,
            "folds": 0,
            "epochs": 60,
            "views": 8,
            "seeds": 5,
            "bootstrap": 10_000,
        },
        **parameters.on_fer2013("smoke", {"most": 6000}),
        **parameters.on_fer2013("laptop", {"most": 1000}),
    },
)
