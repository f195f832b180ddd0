"""How the network of a finished chapter was taught: what it takes to teach another one the same way."""

from dataclasses import dataclass

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import fold_faces, protocol_of
from fer_lib.learn.precision import Precision
from fer_lib.learn.recipe import Recipe
from fer_lib.learn.weights import read_record
from fer_lib.params.chapters import TrainingParameters
from fer_lib.suite.store import ChapterResult


@dataclass(frozen=True)
class Taught:
    """The lesson of a kept network: ``faces`` in the splits of its fold, ``classes`` in the order of its output, ``recipe`` and ``precision``."""

    faces: FaceSet
    classes: tuple[str, ...]
    precision: Precision
    parameters: TrainingParameters

    def recipe(self, **changes: object) -> Recipe:
        """The recipe of the training, with ``changes`` to single fields."""
        return Recipe.of(self.parameters, **changes)


def taught_by(result: ChapterResult, faces: FaceSet) -> Taught:
    """How the chapter ``training`` of ``result`` taught the network that it keeps, on ``faces``, the face set of its run.

    Raises RunStoreError where the chapter is not finished, DataError where the record of its weights is damaged or no picture of ``faces`` has an emotion.
    """
    record = read_record(result.folder / "weights.json")
    labelled = faces.labelled()
    protocol = protocol_of(labelled, tuple(record["classes"]))
    return Taught(
        fold_faces(labelled, protocol, record["fold"]),
        protocol.classes,
        Precision(**result.record()["precision"]),
        TrainingParameters(**result.summary()["parameters"]),
    )
