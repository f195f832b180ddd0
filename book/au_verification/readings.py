"""What one network shows, as numbers: over all people, and without each group of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from book.au_verification.examine import Examined

Reading = Callable[[Examined], np.ndarray]
"""A number of one network: (G,), over all people and without each group of them."""


def gain_by_unit(own: Examined) -> np.ndarray:
    """(G, A): verified filters beyond chance, by unit."""
    return np.stack([each.verified - each.expected for each in own.verified(own.claimed, own.caused)])


def kappa_of(claims: np.ndarray, own: Examined) -> np.ndarray:
    """(G,): κ of the units that ``claims`` name for filters, and those that move them most; 0 where there is
    nothing to gain on chance.
    """
    return np.nan_to_num([each.kappa for each in own.verified(claims, own.caused)])


def _share(hits: np.ndarray, among: np.ndarray) -> np.ndarray:
    """(G,): of the filters ``among`` (G, K) the share that is in ``hits`` (G, K); 0 where there is none."""
    return (hits & among).sum(axis=1) / np.maximum(among.sum(axis=1), 1)


def agreement_share(measure: str) -> Reading:
    """Of the filters that ``measure`` names a unit for over all pictures, the share that this unit moves
    most; 0 where it names none.
    """
    return lambda own: _share(own.named[measure] == own.caused, own.named[measure] != "")


def on_other_heads(reading: Reading) -> Reading:
    """The ``reading`` of the same claims, held against what moves the filters on other heads."""
    return lambda own: reading(replace(own, caused=own.elsewhere))


READINGS: Mapping[str, Reading] = {
    "beyond_chance": lambda own: np.full(len(own.claimed), (own.overall != "").sum()),
    "beyond_emotion": lambda own: (own.claimed != "").sum(axis=1),
    "verified": lambda own: ((own.claimed != "") & (own.claimed == own.caused)).sum(axis=1),
    "verified_gain": lambda own: gain_by_unit(own).sum(axis=1),
    "kappa": lambda own: kappa_of(own.claimed, own),
    "distinct_units": lambda own: np.array([each.units for each in own.verified(own.claimed, own.caused)]),
}
"""Metric -> what it is of one network."""


def values_of(networks: Sequence[Examined], reading: Reading) -> np.ndarray:
    """(networks, G, …): the ``reading`` of each network."""
    return np.stack([reading(own) for own in networks])
