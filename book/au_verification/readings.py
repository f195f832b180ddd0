"""What one network shows, as numbers: over all people, and without each group of them."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from book.au_verification.examine import Examined
from ferbook.errors import DataError

TRAINED, UNTRAINED, MIXTURES = "trained", "untrained", "random mixtures"


Reading = Callable[[Examined], np.ndarray]
"""A number of one network: (G,), over all people and without each group of them."""


def beyond(bar: np.ndarray) -> Reading:
    """Filters that are claimed within emotions, and stronger there than ``bar`` (G, A) for the same unit."""

    def count(own: Examined) -> np.ndarray:
        claimed = own.claimed[..., None] == np.array(own.aus)
        return (claimed & (own.strength > bar[:, None])).any(axis=2).sum(axis=1)

    return count


def strongest(rivals: Sequence[Examined]) -> np.ndarray:
    """(G, A): of all filters of ``rivals`` the largest strength within emotions. Raises DataError where there
    is no rival.
    """
    if not rivals:
        raise DataError("no untrained network is there to be held against")
    return np.max([own.strength.max(axis=1) for own in rivals], axis=0)


def gain_by_unit(own: Examined) -> np.ndarray:
    """(G, A): verified filters beyond chance, by unit."""
    return np.stack([each.verified - each.expected for each in own.verified(own.claimed, own.caused)])


def kappa_of(named: np.ndarray, own: Examined, caused: np.ndarray | None = None) -> np.ndarray:
    """(G,): κ of the units that filters are ``named`` for, and those that move them most (``caused``, by
    default at equal energy); 0 where there is nothing to gain on chance.
    """
    found = own.verified(named, own.caused if caused is None else caused)
    return np.nan_to_num([each.kappa for each in found])


def agreement_of(measure: str) -> Reading:
    """κ of the unit that ``measure`` names over all pictures, and the one that moves the filter most."""
    return lambda own: kappa_of(own.named[measure], own)


READINGS: Mapping[str, Reading] = {
    "beyond_chance": lambda own: np.full(len(own.claimed), (own.overall != "").sum()),
    "beyond_emotion": lambda own: (own.claimed != "").sum(axis=1),
    "verified": lambda own: ((own.claimed != "") & (own.claimed == own.caused)).sum(axis=1),
    "verified_gain": lambda own: gain_by_unit(own).sum(axis=1),
    "kappa": lambda own: kappa_of(own.claimed, own),
    "distinct_units": lambda own: np.array([each.units for each in own.verified(own.claimed, own.caused)]),
    "kappa_raw": lambda own: kappa_of(own.claimed, own, own.raw),
}
"""Metric -> what it is of one network."""

READING_LABELS = {"distinct_units": "units with a verified filter", "kappa": "κ of claim and cause"}
"""What the strip of networks shows of each."""


def values_of(networks: Sequence[Examined], reading: Reading) -> np.ndarray:
    """(networks, G, …): the ``reading`` of each network."""
    return np.stack([reading(own) for own in networks])
