"""How the network of chapter ``training`` learned, as it hands it to other chapters; and a network that has
seen nobody of the faces that it is asked about.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from pydantic import BaseModel, ConfigDict

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import fold_faces, protocol_of
from fer_lib.faces.registry import open_faces
from fer_lib.faces.shared import Shared, shared
from fer_lib.names import Network
from fer_lib.nets.build import build_network
from fer_lib.nets.classifier import Classifier
from fer_lib.train.learner import seed_everything, train
from fer_lib.train.precision import Precision
from fer_lib.train.recipe import Recipe
from ferbook.errors import ParameterError


class Lesson(BaseModel):
    """What it takes to teach another network as the kept one was taught.

    ``network`` by its name in ``nets.build``, with ``options`` of its constructor, trained by ``recipe`` in
    ``precision`` from ``seed``; ``classes`` in the order of its output. It learned from the fold ``fold`` of
    the protocol of the face set that ``source`` names, the arguments of ``faces.registry.open_faces``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: Network
    options: dict[str, object]
    recipe: Recipe
    precision: Precision
    seed: int
    classes: tuple[str, ...]
    fold: int
    source: dict[str, object]

    @classmethod
    def of(cls, given: object, classes: tuple[str, ...], fold: int, precision: Precision) -> "Lesson":
        """The lesson that ``given``, the parameters of chapter ``training``, describe."""
        return cls(
            network=given.network,
            options=given.network_options,
            recipe=Recipe.of(given),
            precision=precision,
            seed=given.seed,
            classes=classes,
            fold=fold,
            source=dict(given.face_source),
        )

    def fold_of(self, faces: FaceSet) -> FaceSet:
        """The labelled pictures of ``faces``, the set that ``source`` names, in the splits of the kept fold.

        Raises DataError where no picture has an emotion.
        """
        labelled = faces.labelled()
        return fold_faces(labelled, protocol_of(labelled, self.classes), self.fold)


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
    rendered: Callable[[], FaceSet],
    *,
    device: torch.device | str = "cpu",
) -> Stranger:
    """``model``, the network of ``lesson``; or, where it learned from people or pictures of ``faces``,
    another one, taught the same way on the faces ``rendered()``, by the first fold of their protocol.

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
    labelled = rendered().labelled()
    protocol = protocol_of(labelled)
    fold = fold_faces(labelled, protocol, 0)
    seed_everything(lesson.seed)
    other = build_network(lesson.network, len(protocol.classes), faces.size[0], **lesson.options)
    settings = {"precision": lesson.precision, "device": device, "seed": lesson.seed}
    train(fold, other, protocol.classes, lesson.recipe, **settings)
    return Stranger(other.eval(), labelled.name, len(fold.split("train")), False, found)
