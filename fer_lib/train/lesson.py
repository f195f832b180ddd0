"""How the network of a finished chapter was taught: what it takes to teach another one the same way.

A network that has seen nobody of the faces that it is asked about.
"""

from dataclasses import dataclass

from book.chapter_parameters import TrainingParameters
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import fold_faces, protocol_of
from fer_lib.faces.registry import open_faces
from fer_lib.faces.shared import Shared, shared
from fer_lib.nets.build import build_network
from fer_lib.nets.classifier import Classifier
from fer_lib.train.learner import seed_everything, train
from fer_lib.train.precision import Precision
from fer_lib.train.recipe import Recipe
from fer_lib.train.weights import read_record
from ferbook.errors import ParameterError
from ferbook.session import Session
from ferbook.store import ChapterResult


@dataclass(frozen=True)
class Taught:
    """The lesson of a kept network: ``faces`` in the splits of its fold, ``classes`` in the order of its
    output, ``recipe`` and ``precision``.
    """

    faces: FaceSet
    classes: tuple[str, ...]
    precision: Precision
    parameters: TrainingParameters

    def recipe(self, **changes: object) -> Recipe:
        """The recipe of the training, with ``changes`` to single fields."""
        return Recipe.of(self.parameters, **changes)


def taught_by(result: ChapterResult, faces: FaceSet) -> Taught:
    """How the chapter ``training`` of ``result`` taught the network that it keeps, on ``faces``, the face set
    of its run.

    Raises RunStoreError where the chapter is not finished, DataError where the record of its weights is
    damaged or no picture of ``faces`` has an emotion.
    """
    record = read_record(result.folder / "weights.json")
    labelled = faces.labelled()
    protocol = protocol_of(labelled, tuple(record["classes"]))
    return Taught(
        fold_faces(labelled, protocol, record["fold"]),
        protocol.classes,
        Precision.of(result.record()["precision"]),
        TrainingParameters(**result.summary()["parameters"]),
    )


@dataclass(frozen=True)
class Stranger:
    """A network for faces of which it has seen nobody.

    ``model`` in evaluation mode; ``learned_from``: the name of the face set it learned from, and
    ``pictures``, how many of them. ``kept``: whether it is the network of chapter ``training``, and not
    another one taught the same way. ``shared``: what the faces share with those that chapter ``training``
    learned from.
    """

    model: Classifier
    learned_from: str
    pictures: int
    kept: bool
    shared: Shared

    @property
    def introduction(self) -> str:
        """Whose network it is and what it has seen, in sentences."""
        if self.kept:
            return (
                f"The network is that of chapter training. It learned from {self.pictures:,} pictures of "
                f"{self.learned_from}, and shares nobody and no picture "
                "with these clips."
            )
        return (
            "The network of chapter training learned from the people of these clips "
            f"({len(self.shared.subjects)} of them), so it is not asked about them. Another one, taught the "
            f"same way on {self.pictures:,} pictures of {self.learned_from}, takes its place; the filters "
            "of chapter au_verification are not its filters."
        )


def stranger_to(run: Session, faces: FaceSet) -> Stranger:
    """The network that chapter ``training`` keeps; or, where it learned from people or pictures of ``faces``,
    another one, taught the same way on the rendered faces ``lab``.

    The chapter of ``run`` has ``training`` upstream and declares ``lab`` beside its own faces. The other
    network takes the training's parameters and the first fold of the protocol. Raises ParameterError where
    the network takes pictures of another size than those of ``faces``.
    """
    result = run.upstream("training")
    parameters = TrainingParameters(**result.summary()["parameters"])
    learned = open_faces(**dict(parameters.face_source), progress=False)
    if learned.size != faces.size:
        raise ParameterError(
            f"{run.chapter.name}.size: the clips have {faces.size[0]} × {faces.size[1]} pixels, but the "
            "network of chapter training was taught on "
            f"{learned.size[0]} × {learned.size[1]}; give both chapters one size, for example -p "
            f"size={learned.size[0]}"
        )
    lesson, found = taught_by(result, learned), shared(learned, faces)
    if found.nothing:
        model = run.network("training").eval()
        return Stranger(model, learned.name, len(lesson.faces.split("train")), True, found)
    rendered = run.beside("lab").labelled()
    protocol = protocol_of(rendered)
    fold = fold_faces(rendered, protocol, 0)
    seed_everything(parameters.seed)
    options = parameters.network_options
    model = build_network(parameters.network, len(protocol.classes), faces.size[0], **options)
    train(
        fold,
        model,
        protocol.classes,
        Recipe.of(parameters),
        precision=lesson.precision,
        device=run.device,
        seed=parameters.seed,
    )
    return Stranger(model.eval(), rendered.name, len(fold.split("train")), False, found)
