"""A network that has seen nobody of the faces that it is asked about."""

from dataclasses import dataclass

from fer_lib.errors import ParameterError
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import fold_faces, protocol_of
from fer_lib.faces.registry import open_faces
from fer_lib.learn.learner import seed_everything, train
from fer_lib.learn.recipe import Recipe
from fer_lib.learn.sharing import Shared, shared
from fer_lib.models.classifier import Classifier
from fer_lib.models.factory import build_network
from fer_lib.params.chapters import TrainingParameters
from fer_lib.suite.session import Session
from fer_lib.suite.taught import taught_by


@dataclass(frozen=True)
class Stranger:
    """A network for faces of which it has seen nobody.

    ``model`` in evaluation mode; ``learned_from``: the name of the face set it learned from, and ``pictures``, how many of them. ``kept``: whether it is the network of chapter
    ``training``, and not another one taught the same way. ``shared``: what the faces share with those that chapter ``training`` learned from.
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
                f"The network is that of chapter training. It learned from {self.pictures:,} pictures of {self.learned_from}, and shares nobody and no picture "
                "with these clips."
            )
        return (
            f"The network of chapter training learned from the people of these clips ({len(self.shared.subjects)} of them), so it is not asked about them. Another one, taught the "
            f"same way on {self.pictures:,} pictures of {self.learned_from}, takes its place; the filters of chapter au_verification are not its filters."
        )


def stranger_to(run: Session, faces: FaceSet) -> Stranger:
    """The network that chapter ``training`` keeps; or, where it learned from people or pictures of ``faces``, another one, taught the same way on the rendered faces ``lab``.

    The chapter of ``run`` has ``training`` upstream and declares ``lab`` beside its own faces. The other network takes the training's parameters and the first fold of the protocol.
    Raises ParameterError where the network takes pictures of another size than those of ``faces``.
    """
    result = run.upstream("training")
    parameters = TrainingParameters(**result.summary()["parameters"])
    learned = open_faces(**dict(parameters.face_source), progress=False)
    if learned.size != faces.size:
        raise ParameterError(
            f"{run.chapter.name}.size: the clips have {faces.size[0]} × {faces.size[1]} pixels, but the network of chapter training was taught on "
            f"{learned.size[0]} × {learned.size[1]}; give both chapters one size, for example -p size={learned.size[0]}"
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
