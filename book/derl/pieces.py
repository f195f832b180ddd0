"""The training of DeRL in pieces that are kept: of each seed the generators, and of each of its folds what
the classifiers of stage two answer to the people tested.

Each piece is a member of the population ``derl`` (``book.populations``): whole or not there, known by its
recipe, and trained by ``ferbook populations train derl``, which goes on where it was interrupted. Light to
import, as that is: what trains and reads pieces is ``two_stages``.
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

KEPT_GENERATORS = ("trained", "shuffled")
"""Those of a seed that are kept."""

BESIDE = ("device", "publish_faces", "precision", "bootstrap", "population", "seeds", "folds", "seed")
"""Parameters that change no piece."""


class Pieces(Kept):
    """The population of a ``chapter``'s training: what its profile ``reference`` asks for, piece by piece."""

    chapter: str

    @property
    def parameters(self) -> DerlParameters:
        """Those of the reference run."""
        return CHAPTER.resolve(REFERENCE, {})

    @property
    def settings(self) -> DerlParameters:
        return recipe_of(self.parameters)

    @property
    def faces(self) -> FaceRequest:
        return self.parameters.face_request

    @property
    def networks(self) -> int:
        """Pieces that are asked for."""
        return len(self.members)

    @property
    def members(self) -> list["Piece"]:
        """Of each seed the generators, then its folds."""
        p = self.parameters
        parts = (GENERATORS, *range(p.folds))
        return [Piece(self, f"{seed}-{what}") for seed in range(p.seed, p.seed + p.seeds) for what in parts]


@dataclass(frozen=True)
class Piece(Member):
    """One piece, called by its seed and its fold: ``0-generators``, ``0-0``, ``0-1`` …

    The generators of a seed keep their weights in 8 bits each, and all folds start from these; once all
    pieces of a seed are there, only those of the first seed stay, which the page asks. A fold
    keeps the trainings and the answers of every condition, and the first one how good the seed's neutral
    faces are.
    """

    trainer: ClassVar[str] = "book.derl.two_stages"

    population: Pieces
    seed: str

    @property
    def generators(self) -> "Piece":
        """The piece with the generators of its seed."""
        return Piece(self.population, f"{self.seed.partition('-')[0]}-{GENERATORS}")

    def weights(self) -> list[Path]:
        """The files that hold the weights of its generators; none where they were given up."""
        return [file for name in KEPT_GENERATORS for file in sorted(self.folder.glob(f"{name}.*"))]


def recipe_of(p: DerlParameters) -> DerlParameters:
    """``p`` with all that changes no piece as it is by default."""
    return DerlParameters(**p.model_dump(exclude=set(BESIDE)))
