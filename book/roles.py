"""The roles between which a degree lies: networks that a claim measures, and those of the same recipe that
were taught the units of the same pictures. What a chapter takes to ask them, and what is refused as one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, get_args

from pydantic import AfterValidator, Field

from book.parameters import NetworkParameters
from book.populations import find_population, require_matched
from fer_lib.names import FaceDomain
from ferbook.errors import DataError
from ferbook.parameters import listed

if TYPE_CHECKING:
    from fer_lib.train.lesson import TrainedNetwork

FEWEST, FEWEST_OF_OWN = 5, 3
"""Networks of a role at least: where all that are kept are asked, and in a run of one's own."""


@dataclass(frozen=True)
class RolePairs:
    """Checks a text that names populations in pairs: those that are measured, and their ceiling."""

    allowed: str = "pairs of populations, each measured:ceiling, separated by commas, as in emotions:units"

    def __call__(self, text: str) -> str:
        pairs = [pair.split(":") for pair in listed(text)] if text else []
        names = [name for pair in pairs for name in pair]
        if any(len(pair) != 2 for pair in pairs) or len(set(names)) < len(names) or not all(names):
            raise ValueError(f"not {self.allowed}")
        return text


class RoleParameters(NetworkParameters):
    """What a chapter takes that asks networks of each role about people whom none has learned from."""

    roles: Annotated[str, AfterValidator(RolePairs())] = Field(
        "emotions:units",
        description="the networks that claims measure, each with those of the same recipe and pictures that "
        "were taught units, as emotions:units; the first pair is of the structure of the page's own network",
    )
    of_each: int = Field(
        3, ge=0, le=100, description="of so many networks of each of these the roles are asked; 0: of all"
    )

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Names of the populations that are measured, each with that of its ceiling."""
        names = (pair.partition(":") for pair in listed(self.roles)) if self.roles else ()
        return tuple((measured, ceiling) for measured, _, ceiling in names)

    @property
    def populations(self) -> tuple[str, ...]:
        """Those that the chapter is about, and those of the roles where they can be asked."""
        roles = () if self.not_asked else (name for pair in self.pairs for name in pair)
        return tuple(dict.fromkeys((*super().populations, *roles)))

    @property
    def asked_seed(self) -> int:
        """The seed of all people whom networks are asked about; no network learned from them."""
        return self.face_seed + 1

    @property
    def not_asked(self) -> str:
        """As its parent's, of the parameters alone: why the first pair of roles cannot be asked."""
        return self.not_measured(self.pairs[0][0]) if self.pairs else ""

    def not_measured(self, name: str) -> str:
        """Why networks of the population ``name`` cannot be asked about this run's people; empty if they
        can.
        """
        if self.faces not in get_args(FaceDomain):
            return f"degrees of filters: nobody knows the units of {self.faces!r}, so {name!r} are not asked"
        faces = find_population(name).faces
        if (faces.name, faces.size) != (self.faces, self.size):
            own = f"{self.faces} at {self.size}"
            return f"degrees of filters: {name!r} learned from {faces.name} at {faces.size} pixels, not {own}"
        if faces.face_seed == self.asked_seed:
            return (
                f"degrees of filters: {name!r} learned from the people of face_seed {self.asked_seed}, who "
                f"would be asked about; give another face_seed than {self.face_seed}"
            )
        return ""


def require_ceiling(measured: str, ceiling: str) -> None:
    """Raise DataError unless the networks of the population ``ceiling`` differ from those ``measured`` by
    their labels alone, which are units.
    """
    labels = tuple(find_population(name).labels for name in (measured, ceiling))
    if labels != ("own", "units"):
        told = f"labels {' and '.join(labels)}, not own and units"
        raise DataError(f"{ceiling!r} is no ceiling of {measured!r}: {told}")
    require_matched((measured, ceiling), but=("labels",))


def networks_of_pair(
    p: RoleParameters,
    pair: tuple[str, str],
    structure: str,
    kept: Callable[[str], Sequence["TrainedNetwork"]],
) -> list[list["TrainedNetwork"]]:
    """The networks ``kept`` of both populations of a ``pair`` of roles. Raises DataError where these cannot
    be asked what the parameters ``p`` ask, are not of the ``structure`` (empty: of any), are no pair, or too
    few.
    """
    require_ceiling(*pair)
    if why := p.not_measured(pair[0]):
        raise DataError(why)
    if structure not in ("", own := find_population(pair[0]).network):
        raise DataError(f"{pair[0]!r} have the structure {own}, not {structure} as the page's network")
    networks = [list(kept(name))[: p.of_each or None] for name in pair]
    least = FEWEST_OF_OWN if p.of_each else FEWEST
    for name, own in zip(pair, networks, strict=True):
        if len(own) < least:
            raise DataError(f"{name!r} has {len(own)} networks; a role takes {least} or more")
    return networks
