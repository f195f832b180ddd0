"""The roles between which a degree lies: networks that a claim measures, and those of the same recipe that
were taught the units of the same pictures; and what is refused as one of them.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from book.parameters import RoleParameters
from book.populations import find_population, require_matched
from ferbook.errors import DataError

if TYPE_CHECKING:
    from fer_lib.train.lesson import TrainedNetwork

FEWEST, FEWEST_OF_OWN = 5, 3
"""Networks of a role at least: where all that are kept are asked, and in a run of one's own."""


def require_ceiling(measured: str, ceiling: str) -> None:
    """Raise DataError unless the networks of the population ``ceiling`` differ from those ``measured`` by
    their labels alone, which are units.
    """
    pair = [find_population(name) for name in (measured, ceiling)]
    labels = tuple(each.labels for each in pair)
    if labels != ("own", "units"):
        told = f"labels {' and '.join(labels)}, not own and units"
        raise DataError(f"{ceiling!r} is no ceiling of {measured!r}: {told}")
    require_matched(pair, but=("labels",))


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
