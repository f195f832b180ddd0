"""How a network is trained, as one value: the parameters of a chapter, repeated in a stored record."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fer_lib.names import Loss, Network, Optimiser, Schedule

EpochsField = Annotated[int, Field(ge=1, le=5000, description="passes over the training split")]
RateField = Annotated[float, Field(gt=0, le=10, description="peak learning rate of the schedule")]
OptimiserField = Annotated[Optimiser, Field(description="sgd with momentum, as published, adamw, or muon")]
WarmupField = Annotated[
    float, Field(gt=0, lt=1, description="one-cycle: proportion of the steps before the peak rate")
]
# Fields whose default a chapter redeclares; their range and help are defined only here.
DecayField = Annotated[
    float, Field(ge=0, le=1, description="weight decay; AdamW's shrinks the weights themselves")
]


class TrainingRecipe(BaseModel):
    """All settings of a training but its faces, its network and its seed. The parameters of chapters that
    train inherit these fields.

    Parameters
    ----------
    epochs, batch_size : int
    optimiser : str
        ``sgd`` with momentum 0.9, or Nesterov's, and ``weight_decay`` added to the gradient; ``adamw`` with
        torch's moments, whose decay shrinks the weights themselves (Loshchilov and Hutter 2019, arXiv
        1711.05101); or ``muon``, which is ``sgd`` with other steps of the filters (``train.muon``).
    lr : float
        Peak learning rate.
    schedule, warmup
        As of ``train.callbacks.rate_of``.
    nesterov : bool
    weight_decay : float
    clip : float
        Largest norm of the gradient; 0 clips none.
    loss : str
        As of ``train.losses``.
    augment : str
        As of ``train.batches``.
    start_size : int
        First side of growing pictures in pixels; 0: their own.
    averaging : float
        Decay of the moving average of the weights; the averaged weights are validated and returned. 0: none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: EpochsField = 60
    batch_size: int = Field(32, ge=2, le=4096, description="pictures per training step")
    optimiser: OptimiserField = "sgd"
    lr: RateField = 0.03
    schedule: Schedule = Field("onecycle", description="rate: constant as published, one-cycle or a cosine")
    warmup: WarmupField = 0.25
    nesterov: bool = Field(False, description="Nesterov's momentum in place of the plain one")
    weight_decay: DecayField = 1e-5
    clip: float = Field(0.0, ge=0, le=1000, description="largest norm of the gradient; 0 clips none")
    loss: Loss = Field("cross_entropy", description="the loss function")
    augment: Literal["none", "light", "standard", "published"] = Field(
        "light", description="none, light (flip, small changes), standard (for the wild) or as published (A)"
    )
    start_size: int = Field(
        0, ge=0, le=256, multiple_of=8, description="first side of training pictures, in pixels; 0: their own"
    )
    averaging: float = Field(
        0.0, ge=0, lt=1, description="decay per step of a moving average of the weights; 0 averages none"
    )

    @model_validator(mode="before")
    @classmethod
    def _former(cls, said: object) -> object:
        """Accept the record of an older network with a setting that a recipe no longer has, at the only value
        that was used.
        """
        former = {"class_weights": False, "mixup": 0.0, "patience": 0}.items()
        # Not as sets: a damaged record may hold a list, which is not hashable.
        return {n: v for n, v in said.items() if (n, v) not in former} if isinstance(said, dict) else said

    def for_network(self, network: Network) -> Self:
        """Adapt this recipe to ``network``: its ``peak_share`` scales the peak learning rate, and pictures
        grow only if the network accepts other sizes.
        """
        from fer_lib.nets.build import network_class  # not at the top: the command line reads recipes

        suits = network_class(network)
        start_size = self.start_size if suits.any_size else 0
        return self.model_copy(update={"lr": self.lr * suits.peak_share, "start_size": start_size})
