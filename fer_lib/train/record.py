"""How a trained network learned, as those who ask it need to know."""

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
    """What it takes to train another network as the kept one was.

    ``network`` by its name in ``nets.build``, with ``options`` of its constructor, trained by ``recipe`` in
    ``precision`` from ``seed``; ``classes`` in the order of its output. It learned from the fold ``fold`` of
    the protocol of the face set that ``faces`` asks for.
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
        """The record that the ``parameters`` of chapter ``training`` describe."""
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
        """The labelled pictures of ``faces``, the set that the record names, in the splits of the kept fold.

        Raises DataError where no picture has an emotion.
        """
        labelled = faces.labelled()
        return fold_faces(labelled, protocol_of(labelled, self.classes), self.fold)


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network, ``model`` in evaluation mode, with its ``record``; ``name``: as readers know it."""

    name: str
    model: Classifier
    record: TrainingRecord
