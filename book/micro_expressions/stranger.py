"""A network that has seen nobody of the clips that it is asked about."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import fold_faces, protocol_of
from fer_lib.faces.registry import open_faces
from fer_lib.faces.shared import Shared, shared
from fer_lib.nets.build import build_network
from fer_lib.nets.classifier import Classifier
from fer_lib.train.learner import seed_everything, train
from fer_lib.train.lesson import Lesson
from ferbook.errors import ParameterError


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
                f"{self.learned_from}, and shares nobody and no picture with these clips."
            )
        return (
            "The network of chapter training learned from the people of these clips "
            f"({len(self.shared.subjects)} of them), so it is not asked about them. Another one, taught the "
            f"same way on {self.pictures:,} pictures of {self.learned_from}, takes its place; the filters "
            "of chapter au_verification are not its filters."
        )


def stranger_to(
    faces: FaceSet,
    lesson: Lesson,
    model: Classifier,
    rendered: Callable[[str], FaceSet],
    *,
    device: torch.device | str = "cpu",
) -> Stranger:
    """``model``, the network of ``lesson``; or, where it learned from people or pictures of ``faces``,
    another one, taught the same way on the faces ``rendered("lab")``, by the first fold of their protocol.

    Raises ParameterError where the network takes pictures of another size than those of ``faces``.
    """
    learned = open_faces(**lesson.source, progress=False)
    if learned.size != faces.size:
        raise ParameterError(
            f"size: the clips have {faces.size[0]} × {faces.size[1]} pixels, but the network of chapter "
            f"training was taught on {learned.size[0]} × {learned.size[1]}; give both chapters one size, for "
            f"example -p size={learned.size[0]}"
        )
    own, found = lesson.fold_of(learned), shared(learned, faces)
    if found.nothing:
        return Stranger(model.eval(), learned.name, len(own.split("train")), True, found)
    labelled = rendered("lab").labelled()
    protocol = protocol_of(labelled)
    fold = fold_faces(labelled, protocol, 0)
    seed_everything(lesson.seed)
    other = build_network(lesson.network, len(protocol.classes), faces.size[0], **lesson.options)
    settings = {"precision": lesson.precision, "device": device, "seed": lesson.seed}
    train(fold, other, protocol.classes, lesson.recipe, **settings)
    return Stranger(other.eval(), labelled.name, len(fold.split("train")), False, found)
