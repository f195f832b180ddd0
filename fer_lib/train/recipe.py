"""How a network is trained, in one value: what a chapter's parameters say and a record repeats."""

from dataclasses import dataclass, fields, replace

from pydantic import model_validator

from fer_lib.names import Loss, Network, Optimiser, Schedule


@dataclass(frozen=True)
class TrainingRecipe:
    """Everything about a training but its faces, its network and its seed; fields as a chapter's parameters
    name them.

    ``epochs`` passes in batches of ``batch_size``. ``optimiser``: ``sgd`` with momentum 0.9, or Nesterov's,
    and ``weight_decay`` added to the gradient; or ``adamw`` with torch's moments, whose decay shrinks the
    weights themselves (Loshchilov and Hutter 2019, arXiv 1711.05101); or ``muon``, which is ``sgd`` with
    other steps of the filters (``train.muon``). ``lr`` is the peak rate of ``schedule``, which a one-cycle
    reaches after the share ``warmup`` of all steps. Gradients longer than ``clip`` are shortened to it (0:
    never). ``loss`` by its name in ``train.losses``, ``augment`` by its name in ``train.batches``. Training
    pictures have ``start_size`` pixels a side at first and grow to their own (0: their own from the start).
    ``averaging`` is the decay per step of a moving average of the weights, which is then what is validated
    and kept (0: none).
    """

    epochs: int = 60
    batch_size: int = 32
    optimiser: Optimiser = "sgd"
    lr: float = 0.03
    schedule: Schedule = "onecycle"
    warmup: float = 0.25
    nesterov: bool = False
    weight_decay: float = 1e-5
    clip: float = 0.0
    loss: Loss = "cross_entropy"
    augment: str = "light"
    start_size: int = 0
    averaging: float = 0.0

    @model_validator(mode="before")
    @classmethod
    def _former(cls, said: object) -> object:
        """Networks that were kept before say what a recipe has no more, at the only value that was used."""
        former = {"class_weights": False, "mixup": 0.0, "patience": 0}.items()
        # Not as sets: a damaged record may hold a list, which has no place in one.
        return {n: v for n, v in said.items() if (n, v) not in former} if isinstance(said, dict) else said

    @classmethod
    def of(cls, parameters: object, **changes: object) -> "TrainingRecipe":
        """The recipe that the attributes of ``parameters`` say, such as a chapter's, with ``changes``; a
        field that it has not is as by default.
        """
        names = (field.name for field in fields(cls))
        return cls(
            **{name: getattr(parameters, name) for name in names if hasattr(parameters, name)} | changes
        )

    def for_network(self, network: Network) -> "TrainingRecipe":
        """This recipe as it suits ``network``: the peak rate brought down to its ``peak_share``, and pictures
        that grow only where it takes them.
        """
        from fer_lib.nets.build import network_class  # not at the top: the command line reads recipes

        suits = network_class(network)
        return replace(
            self, lr=self.lr * suits.peak_share, start_size=self.start_size if suits.any_size else 0
        )
