"""The pieces in which the training of DeRL is stored: of each seed the generators, and of each of its folds
the answers of the classifiers of stage two about the test people.

Each piece is a member of the population ``derl`` (``book.populations``): whole or absent, identified by its
recipe, and trained by ``ferbook populations train derl``, which continues after an interruption. Cheap to
import; ``two_stages`` trains and reads pieces.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from book.derl.chapter import CHAPTER, DerlParameters
from book.populations import Kept, Member
from face_sets.request import FaceRequest
from ferbook.store import REFERENCE

GENERATORS = "generators"
"""Name of the piece of a seed that its folds start from."""

STORED_GENERATORS = ("trained", "shuffled")

NOT_IN_RECIPE = ("device", "publish_faces", "precision", "bootstrap", "population", "seeds", "folds", "seed")
"""Parameters that change no piece."""


class Pieces(Kept):
    """The population of a ``chapter``'s training at its profile ``reference``, piece by piece."""

    chapter: str

    @property
    def parameters(self) -> DerlParameters:
        """The parameters of the reference run."""
        return CHAPTER.resolve(REFERENCE, {})

    @property
    def settings(self) -> DerlParameters:
        return recipe_of(self.parameters)

    @property
    def faces(self) -> FaceRequest:
        return self.parameters.face_request

    @property
    def networks(self) -> int:
        """Number of pieces."""
        return len(self.members)

    @property
    def members(self) -> list["Piece"]:
        """For each seed the generators, then its folds."""
        p = self.parameters
        parts = (GENERATORS, *range(p.folds))
        return [Piece(self, f"{seed}-{what}") for seed in range(p.seed, p.seed + p.seeds) for what in parts]


@dataclass(frozen=True)
class Piece(Member):
    """One piece, named by its seed and its fold: ``0-generators``, ``0-0``, ``0-1`` …

    The generators of a seed are stored with 8 bits a weight, and all its folds start from them. Once all
    pieces of a seed are stored only the first seed's weights are stored, which the page shows. A fold stores
    the trainings and the answers of every condition, the first fold also how good the seed's neutral faces
    are.
    """

    trainer: ClassVar[str] = "book.derl.two_stages"

    population: Pieces
    seed: str

    @property
    def number(self) -> int:
        """The seed."""
        return int(self.seed.partition("-")[0])

    @property
    def fold(self) -> int | None:
        """The fold; None for generators."""
        what = self.seed.partition("-")[2]
        return None if what == GENERATORS else int(what)

    @property
    def generators(self) -> "Piece":
        """The piece with the generators of its seed."""
        return Piece(self.population, f"{self.number}-{GENERATORS}")

    def weights(self) -> list[Path]:
        """The files with the weights of its generators; none once they are removed."""
        return [file for name in STORED_GENERATORS for file in sorted(self.folder.glob(f"{name}.*"))]


def recipe_of(p: DerlParameters) -> DerlParameters:
    """Return ``p`` with the defaults of all parameters that change no piece."""
    return DerlParameters(**p.model_dump(exclude=set(NOT_IN_RECIPE)))
