"""The degree of claims about filters: 0 is the untrained network, 1 the same network, recipe and pictures
with units as labels. Which networks are evaluated, and what is refused as a control.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from book.au_verification.chapter import AuVerificationParameters
from book.au_verification.examine import (
    READINGS,
    Examined,
    Reading,
    agreement_share,
    on_other_heads,
    values_of,
)
from book.populations import require_learned
from book.session import networks_of_pair
from fer_lib.stats.degree import Role, degree_and_distance
from fer_lib.train.record import TrainedNetwork
from ferbook.errors import DataError
from ferbook.estimate import Estimate

OWN_NETWORK, TRAINED, TRAINED_ON_UNITS, UNTRAINED = "own", "trained", "units", "untrained"
MIXTURES, UNITS_MIXTURES, READ_OUT = "mixtures", "units_mixtures", "read_out"
IDENTITY = "identity"
BREUER, BREUER_UNITS, BREUER_UNTRAINED = "breuer", "breuer_units", "untrained_breuer"
OF_PHOTOGRAPHS, OF_PHOTOGRAPHS_SHUFFLED = "photographs", "photographs_shuffled"
"""Kinds of networks: the first part of the names of their metrics, or the last."""

STRUCTURES_OF_THEIR_OWN = (BREUER, BREUER_UNITS, BREUER_UNTRAINED)
"""Groups whose degree has separate controls."""

GROUP_OF = {"emotions_shuffled": "shuffled", "photographs_zero_bias": OF_PHOTOGRAPHS}
"""Populations with another name here."""

GROUP_LABELS = {
    UNTRAINED: "untrained",
    IDENTITY: "trained on identity",
    MIXTURES: "random mixtures",
    "shuffled": "memorised shuffled labels",
    OWN_NETWORK: "your network",
    TRAINED: "trained on emotions",
    TRAINED_ON_UNITS: "trained on units",
    UNITS_MIXTURES: "mixtures, trained on units",
    "units_free": "units freely combined",
    READ_OUT: "linear read-out",
    OF_PHOTOGRAPHS_SHUFFLED: "memorised photographs",
    OF_PHOTOGRAPHS: "trained on photographs",
    BREUER_UNTRAINED: "Breuer's, untrained",
    BREUER: "Breuer's, emotions",
    BREUER_UNITS: "Breuer's, units",
}
"""Group -> its label, in the order of the figure."""

DEGREE_TOLERANCE = 0.5
"""By how much a degree may move on another machine."""


@dataclass(frozen=True)
class Cast:
    """The ``networks`` to evaluate, by group; and why others are not, ``left_out``."""

    networks: dict[str, list[TrainedNetwork]]
    left_out: tuple[str, ...] = ()


def cast_of(
    p: AuVerificationParameters,
    own: Sequence[TrainedNetwork],
    kept: Callable[[str], Sequence[TrainedNetwork]],
) -> Cast:
    """The networks that the parameters ``p`` name, of the stored ones, ``kept`` by name of population.
    ``own``: those that the page is about, which are measured where no pair of roles can be evaluated.
    """
    networks: dict[str, list[TrainedNetwork]] = {}
    left_out, structure = [], own[0].record.network
    for place, pair in enumerate(p.pairs):
        try:
            both = networks_of_pair(p, pair, "" if place else structure, kept)
        except DataError as fault:
            left_out.append(str(fault))
        else:
            networks |= zip(
                (BREUER, BREUER_UNITS) if place else (TRAINED, TRAINED_ON_UNITS), both, strict=True
            )
    if TRAINED in networks:
        networks = networks if p.population else {OWN_NETWORK: list(own), **networks}
    else:
        networks = {TRAINED: list(own), **networks}
    for name in (*(p.identities if TRAINED_ON_UNITS in networks else ()), *p.others):
        if marks := list(kept(name)):
            require_learned(name)
            networks[GROUP_OF.get(name, name)] = marks[: p.of_each or None]
        else:
            left_out.append(f"no network of {name!r} is kept")
    return Cast(networks, tuple(left_out))


def role_of(name: str, networks: Sequence[Examined], reading: Reading, less: Sequence[Examined] = ()) -> Role:
    """The ``reading`` of the ``networks``, minus that of random mixtures of their filters, ``less``."""
    values = values_of(networks, reading)
    if less:
        mixtures = values_of(less, reading)
        if mixtures.shape != values.shape:
            raise DataError(f"role {name!r} has {len(values)} networks, and mixtures of {len(mixtures)}")
        values = values - mixtures
    return Role(name, values[:, 0], values[:, 1:].T)


def require_alike(roles: Mapping[str, Sequence[Examined]]) -> None:
    """Raise DataError where ``roles`` differ in structure or in the people who were evaluated."""
    for what in ("structure", "asked"):
        said = {name: sorted({getattr(own, what) for own in networks}) for name, networks in roles.items()}
        if len({value for values in said.values() for value in values}) > 1:
            each = "; ".join(f"{name} {' and '.join(values)}" for name, values in said.items())
            raise DataError(f"roles of other {'people' if what == 'asked' else 'structures'}: {each}")


@dataclass(frozen=True)
class Degree:
    """A measure between two controls, by their groups; ``mixtures``: those of measure and positive control
    that are subtracted, where the negative control is no difference to them.
    """

    reading: Reading
    roles: tuple[str, str, str] = (UNTRAINED, TRAINED, TRAINED_ON_UNITS)
    mixtures: tuple[str, str] | None = None


GAIN = READINGS["verified_gain"]

DEGREES = {
    "verified_gain": Degree(GAIN),
    "verified_gain_over_mixtures": Degree(GAIN, mixtures=(MIXTURES, UNITS_MIXTURES)),
    "kappa": Degree(READINGS["kappa"]),
    "auroc_agreement_share": Degree(agreement_share("auroc")),
    "breuer_kappa": Degree(READINGS["kappa"], (BREUER_UNTRAINED, BREUER, BREUER_UNITS)),
    "other_heads_verified_gain": Degree(on_other_heads(GAIN)),
}
"""Metric -> how it is measured between its controls."""


def degrees(groups: Mapping[str, Sequence[Examined]]) -> tuple[dict[str, Estimate], list[str]]:
    """``<metric>_degree`` and ``<metric>_room`` of ``DEGREES``, of those whose roles are there, and why
    others have none. ``networks_of_each_role`` and ``breuer_networks_of_each_role``: in the smallest.
    """
    metrics, faults = {}, []
    for name, each in DEGREES.items():
        roles = {group: groups.get(group, ()) for group in each.roles}
        if not all(roles.values()) or not all(map(groups.get, each.mixtures or ())):
            continue
        if name.startswith("other_heads") and any(
            own.elsewhere is None for networks in roles.values() for own in networks
        ):
            continue
        number = f"{BREUER}_" * (BREUER in roles) + "networks_of_each_role"
        metrics[number] = Estimate(min(map(len, roles.values())), unit="count")
        try:
            require_alike(roles)
            degree, room = degree_and_distance(*_ends(each, groups))
        except DataError as fault:
            faults.append(f"{name}: {fault}")
            continue
        metrics[f"{name}_degree"] = replace(degree, tolerance=DEGREE_TOLERANCE)
        filters = groups[each.roles[1]][0].filters
        tolerance = filters / 10 if "gain" in name else 0.15
        metrics[f"{name}_room"] = replace(room, tolerance=tolerance)
    return metrics, faults


def _ends(each: Degree, groups: Mapping[str, Sequence[Examined]]) -> tuple[Role, Role, Role]:
    if each.mixtures is None:
        floor, measure, ceiling = (
            role_of(GROUP_LABELS[name], groups[name], each.reading) for name in each.roles
        )
        return floor, measure, ceiling
    measure, ceiling = (
        role_of(GROUP_LABELS[name], groups[name], each.reading, groups[less])
        for name, less in zip(each.roles[1:], each.mixtures, strict=True)
    )
    return Role.fixed("no difference to random mixtures", 0.0, len(measure.without)), measure, ceiling


def place_between(value: float, groups: Mapping[str, Sequence[Examined]]) -> float:
    """The degree of so many confirmed filters: 0 at the untrained networks, 1 at those trained on units; NaN
    without both.
    """
    if not (groups.get(UNTRAINED) and groups.get(TRAINED_ON_UNITS)):
        return np.nan
    floor, ceiling = (values_of(groups[name], GAIN)[:, 0].mean() for name in (UNTRAINED, TRAINED_ON_UNITS))
    return float((value - floor) / (ceiling - floor)) if ceiling > floor else np.nan
