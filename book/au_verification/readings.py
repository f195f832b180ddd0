"""What one network shows, as numbers: over all people, and without each group of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

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


def kappa_of(claims: np.ndarray, own: Examined, caused: np.ndarray | None = None) -> np.ndarray:
    """(G,): κ of the units that ``claims`` name for filters, and those that move them most (``caused``, by
    default at equal energy); 0 where there is nothing to gain on chance.
    """
    agreements = own.verified(claims, own.caused if caused is None else caused)
    return np.nan_to_num([each.kappa for each in agreements])


def agreement_of(measure: str) -> Reading:
    """κ of the unit that ``measure`` names over all pictures, and the one that moves the filter most."""
    return lambda own: kappa_of(own.named[measure], own)


def _share(hits: np.ndarray, among: np.ndarray) -> np.ndarray:
    """(G,): of the filters ``among`` (G, K) the share that is in ``hits`` (G, K); 0 where there is none."""
    return (hits & among).sum(axis=1) / np.maximum(among.sum(axis=1), 1)


def _verified_filters(own: Examined) -> np.ndarray:
    """bool (G, K): what a filter is claimed for moves it most."""
    return (own.claimed != "") & (own.claimed == own.caused)


FILTERS_SHOWN = 10
"""Of so many filters Khorrami et al. show what they see: those with the highest response."""


def strongest_verified(own: Examined) -> np.ndarray:
    """(G,): of the ``FILTERS_SHOWN`` filters with the highest mean response, how many are verified."""
    top = np.argsort(-own.response, kind="stable")[:FILTERS_SHOWN]
    return _verified_filters(own)[:, top].sum(axis=1)


def agreement_share(measure: str) -> Reading:
    """Of the filters that ``measure`` names a unit for over all pictures, the share that this unit moves
    most; 0 where it names none.
    """
    return lambda own: _share(own.named[measure] == own.caused, own.named[measure] != "")


READINGS: Mapping[str, Reading] = {
    "beyond_chance": lambda own: np.full(len(own.claimed), (own.overall != "").sum()),
    "beyond_emotion": lambda own: (own.claimed != "").sum(axis=1),
    "verified": lambda own: _verified_filters(own).sum(axis=1),
    "verified_gain": lambda own: gain_by_unit(own).sum(axis=1),
    "kappa": lambda own: kappa_of(own.claimed, own),
    "strongest_verified": strongest_verified,
    "distinct_units": lambda own: np.array([each.units for each in own.verified(own.claimed, own.caused)]),
    "kappa_raw": lambda own: kappa_of(own.claimed, own, own.raw),
    "cause_reliability": lambda own: _share(own.steady, own.caused != ""),
    "kappa_steady": lambda own: kappa_of(np.where(own.steady, own.claimed, ""), own),
    "selective": lambda own: (_verified_filters(own) & own.selective).sum(axis=1),
}
"""Metric -> what it is of one network.

``cause_reliability``: of the filters that any unit raises, the share whose cause is the same in both halves
of the people; ``kappa_steady``: κ of these alone, without which an untrained κ of 0 is nearly forced;
``selective``: verified filters that answer to their cause alone.
"""


def on_other_heads(reading: Reading) -> Reading:
    """The ``reading`` of the same claims, held against what moves the filters on other heads."""
    return lambda own: reading(replace(own, caused=own.elsewhere))


def kept_by_chance(own: Examined) -> np.ndarray:
    """(G,): the share of verified filters that would keep their unit on other heads if these filters and
    their causes there were paired at random.
    """
    counts = own.verified(np.where(_verified_filters(own), own.claimed, ""), own.elsewhere)
    return np.array([each.expected.sum() / max(each.filters, 1) for each in counts])


OF_VERIFIED: Mapping[str, Reading] = {
    "kept": lambda own: _share(own.elsewhere == own.caused, _verified_filters(own)),
    "kept_by_chance": kept_by_chance,
}
"""Metric -> what it is of one network: of its verified filters the share that keep their unit on other heads,
and would by chance.
"""

ON_OTHER_HEADS: Mapping[str, Reading] = {
    "rank_correlation": lambda own: own.alike,
    **{
        name: on_other_heads(READINGS[name])
        for name in ("kappa", "verified_gain", "strongest_verified", "distinct_units")
    },
}
"""Metric -> what it is of one network on other heads: how like the effects are, and what the same claims are
worth there.
"""

POPULATION_LABELS = {
    "published, 96 px": "96 pixels",
    "photographs, 96 px": "photographs, 96 pixels",
    "untrained, 96 px": "untrained, 96 pixels",
    "breuer": "Breuer and Kimmel's",
    "untrained, breuer": "untrained, Breuer and K.",
    "shuffled": "shuffled labels by heart",
    "photographs shuffled": "photographs, shuffled labels",
}
"""Names of populations for readers, where they are others than the recipe's."""

READING_LABELS = {"distinct_units": "units with a verified filter", "kappa": "κ of claim and cause"}
"""What the strip of networks shows of each."""


def values_of(networks: Sequence[Examined], reading: Reading) -> np.ndarray:
    """(networks, G, …): the ``reading`` of each network."""
    return np.stack([reading(own) for own in networks])
