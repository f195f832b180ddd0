"""How a stored network was trained, for code that evaluates it."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from face_sets.faceset import FaceSet
from face_sets.folds import fold_faces, protocol_of
from face_sets.request import FaceRequest
from fer_lib.names import Network
from fer_lib.nets.classifier import Classifier
from fer_lib.train.device import Precision
from fer_lib.train.recipe import TrainingRecipe


class TrainingRecord(BaseModel):
    """All that is needed to train another network as a stored one was.

    Attributes
    ----------
    network : str
        Its name in ``nets.build``.
    options : dict
        Further arguments of its constructor.
    recipe : TrainingRecipe
    precision : Precision
    seed : int
    classes : tuple of str
        In the order of the output.
    fold : int
        Fold of the protocol of the face set.
    faces : FaceRequest
        The face set.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: Network
    options: dict[str, object]
    recipe: TrainingRecipe
    precision: Precision
    seed: int
    classes: tuple[str, ...]
    fold: int
    faces: FaceRequest

    @classmethod
    def of(
        cls, parameters: object, classes: tuple[str, ...], fold: int, precision: Precision
    ) -> "TrainingRecord":
        """Return the record that the ``parameters`` of chapter ``training`` describe."""
        return cls(
            network=parameters.network,
            options=parameters.network_options,
            recipe=parameters.recipe,
            precision=precision,
            seed=parameters.seed,
            classes=classes,
            fold=fold,
            faces=parameters.face_request,
        )

    def fold_of(self, faces: FaceSet) -> FaceSet:
        """Select the labelled pictures of ``faces``, the set of the record, with the splits of its fold.

        Raises DataError if no picture has an emotion.
        """
        labelled = faces.labelled()
        return fold_faces(labelled, protocol_of(labelled, self.classes), self.fold)


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network.

    Attributes
    ----------
    name : str
        Shown to readers.
    model : Classifier
        In evaluation mode.
    record : TrainingRecord
    """

    name: str
    model: Classifier
    record: TrainingRecord
