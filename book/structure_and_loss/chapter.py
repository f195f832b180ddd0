"""Chapter ``structure_and_loss``: what it takes, and what the profiles change."""

from typing import TYPE_CHECKING, Annotated, ClassVar, get_args

from pydantic import AfterValidator, Field

from book import parameters
from fer_lib.names import Loss, Network
from fer_lib.train.recipe import EpochsField, RateField
from ferbook.book import Chapter, Resources
from ferbook.errors import DataError
from ferbook.parameters import ListOf, listed

if TYPE_CHECKING:
    from face_sets.faceset import FaceSet


_HARD_LOSSES = tuple(loss for loss in get_args(Loss) if loss != "votes")
_EVERY_LOSS = {"losses": ",".join(get_args(Loss))}
# Every structure, five seeds.
_AT_LENGTH = {
    "subjects": 0,
    "size": 48,
    "epochs": 60,
    "batch_size": 128,
    "lr": 0.1,
    "nesterov": True,
    "weight_decay": 5e-4,
    "augment": "standard",
    "dropout": 0.3,
    "averaging": 0.999,
    "bootstrap": 10_000,
    "structures": "zero_bias,breuer,zhu,vgg,residual",
    "seeds": 5,
}

# Populations on all of FER2013, by the recipe of fifteen minutes: both structures with its loss, and the
# plain one with cross-entropy.
KEPT = ("muon_full_size", "liu_residual", "liu_cross_entropy")

# Populations of the recipe of fifteen minutes, shortened: all of it, and without one part each.
LADDER = (
    "ladder_whole",
    *map("ladder_without_{}".format, ("muon", "growth", "smoothing", "augmentation", "dropout", "schedule")),
)


class StructureAndLossParameters(parameters.RecipeParameters):
    """Chapter ``structure_and_loss``: the question of Liu (2019)."""

    epochs: EpochsField = 4
    dropout: parameters.DropoutField = 0.2
    lr: RateField = Field(
        0.1, description="peak learning rate of the residual net; the others take a proportion of it"
    )
    # No parameter: it compares ``losses``.
    loss: ClassVar[Loss] = "cross_entropy"
    structures: Annotated[str, AfterValidator(ListOf(get_args(Network)))] = Field(
        "zhu,residual", description="networks to compare, the first of them the plain one"
    )
    losses: Annotated[str, AfterValidator(ListOf(get_args(Loss)))] = Field(
        "cross_entropy,label_smoothing",
        description="loss functions to compare, the first of them the plain one; votes needs a face set with "
        "votes (game, ferplus)",
    )
    most: parameters.MostField = 0
    seeds: parameters.SeedsField = 1
    kept: bool = Field(True, description="on lab: read the stored networks of FER2013, and train none")

    def require(self, faces: "FaceSet") -> None:
        """As every chapter that trains; and votes, where a loss is trained on them."""
        super().require(faces)
        if "votes" in listed(self.losses) and not any(name.startswith("vote_") for name in faces.table):
            raise DataError(f"face set {faces.name!r} has no votes; leave votes out of losses")

    @property
    def photographs(self) -> tuple[str, ...]:
        """The populations whose stored networks are read, one for each pair of structure and loss."""
        return KEPT if self.kept and self.faces == "lab" else ()

    @property
    def ladder(self) -> tuple[str, ...]:
        """The populations trained without one part of a recipe each, where stored networks are read."""
        return LADDER if self.photographs else ()

    @property
    def populations(self) -> tuple[str, ...]:
        """All populations that the chapter reads."""
        return (*self.photographs, *self.ladder)


CHAPTER = Chapter(
    title="Structure and loss",
    parameters=StructureAndLossParameters,
    after=("training",),
    resources=Resources(minutes=10),
    seconds={"laptop": 12, **parameters.on_fer2013("laptop", 170)},
    key_metrics=("test_accuracy", "structure_gain", "loss_gain"),
    learn=(
        "whether residual connections and label smoothing raise accuracy over a plain network with "
        "cross-entropy, with intervals over pictures and seeds"
    ),
    needs="two CPU cores for the small default; a GPU for FER2013 in full",
    profiles={
        "smoke": {
            "size": 16,
            "epochs": 1,
            "bootstrap": 200,
            "structures": "zhu,residual",
            "losses": "cross_entropy,focal",
        },
        "paper": {**_AT_LENGTH, "kept": False, "losses": ",".join(_HARD_LOSSES)},
        ("laptop", "wild"): {"subjects": 500},
        ("paper", "game"): _EVERY_LOSS,
        ("paper", "ferplus"): _EVERY_LOSS,
        **parameters.on_fer2013("smoke", {"size": 48}),
        **parameters.on_fer2013(
            "laptop",
            {
                **_AT_LENGTH,
                "size": 24,
                "most": 3000,
                "epochs": 8,
                "seeds": 2,
                "averaging": 0.0,
                "bootstrap": 2000,
                "structures": "zhu,residual",
                "losses": "cross_entropy,label_smoothing",
            },
        ),
    },
)
