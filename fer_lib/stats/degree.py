"""The degree of a measure: 0 at its negative control, 1 at its positive control.

Three roles are evaluated on the same people: the floor (negative control), the networks that a claim is
about, and the ceiling (positive control). The degree is a ratio of two differences of means. Its interval is
Fieller's (1954, Journal of the Royal Statistical Society B 16: 175): all ratios ρ for which measure − floor −
ρ(ceiling − floor) does not differ significantly from 0. All roles have the same people, which therefore enter
as a covariance, by the delete-a-group jackknife (Kott 2001, Journal of Official Statistics 17: 521). Networks
are independent, or the same in every role; then they enter as a covariance, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import t

from fer_lib.stats.resampling import CONFIDENCE
from fer_lib.stats.two_way import PEOPLE_GROUPS
from ferbook.errors import DataError
from ferbook.estimate import Estimate, Unit


@dataclass(frozen=True)
class Role:
    """The results of the networks of one role.

    Parameters
    ----------
    name : str
    values : (R,) float array
        One result for each network.
    without : (G, R) float array
        The same without each group of people.

    Raises
    ------
    DataError
        For other shapes, fewer than two networks, or a number that is not finite.
    """

    name: str
    values: np.ndarray
    without: np.ndarray

    def __post_init__(self) -> None:
        values, without = np.asarray(self.values, np.float64), np.asarray(self.without, np.float64)
        if values.ndim != 1 or without.ndim != 2 or without.shape[1] != len(values) or len(without) < 2:
            raise DataError(
                f"role {self.name!r}: {values.shape} numbers and {without.shape} without groups of people; "
                "give (R,) and (G, R)"
            )
        if len(values) < 2:
            raise DataError(f"role {self.name!r} has {len(values)} network; the least are two")
        if not (np.isfinite(values).all() and np.isfinite(without).all()):
            raise DataError(f"role {self.name!r} has a number that is not finite")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "without", without)

    @classmethod
    def fixed(cls, name: str, value: float, groups: int = PEOPLE_GROUPS) -> "Role":
        """Return a role that is a constant, such as chance."""
        return cls(name, np.full(2, value), np.full((groups, 2), value))


@dataclass(frozen=True)
class _Roles:
    """Weighted sums of the means of three roles, and their covariances."""

    roles: Sequence[Role]
    same_networks: bool

    def value(self, weights: np.ndarray) -> float:
        return float(weights @ [role.values.mean() for role in self.roles])

    def covariance(self, first: np.ndarray, second: np.ndarray) -> float:
        return float(sum(first @ part @ second for part, _ in self._parts))

    def freedom(self, weights: np.ndarray) -> float:
        """Degrees of freedom of the sum's variance, by Welch and Satterthwaite."""
        parts = [(weights @ part @ weights, free) for part, free in self._parts]
        inverse = sum(variance**2 / free for variance, free in parts)
        return sum(variance for variance, _ in parts) ** 2 / inverse if inverse else np.inf

    @cached_property
    def _parts(self) -> list[tuple[np.ndarray, int]]:
        """Independent parts of the 3 × 3 covariance of the roles' means, with their degrees of freedom."""
        means = np.stack([role.without.mean(axis=1) for role in self.roles])
        groups = means.shape[1]
        # The jackknife: (G - 1) / G times the sum of squares, where np.cov divides by G.
        people = (groups - 1) * np.cov(means, ddof=0), groups - 1
        if self.same_networks:
            values = np.stack([role.values for role in self.roles])
            return [(np.cov(values) / values.shape[1], values.shape[1] - 1), people]
        each = np.diag([role.values.var(ddof=1) / len(role.values) for role in self.roles])
        own = [np.where(np.arange(3) == place, each, 0) for place in range(3)]
        return [*((part, len(role.values) - 1) for part, role in zip(own, self.roles, strict=True)), people]


def degree_and_distance(
    floor: Role,
    measure: Role,
    ceiling: Role,
    *,
    same_networks: bool = False,
    unit: Unit = "",
) -> tuple[Estimate, Estimate]:
    """Estimate the degree (measure − floor) / (ceiling − floor), and the distance ceiling − floor.

    Parameters
    ----------
    floor, measure, ceiling : Role
        Results on the same groups of people.
    same_networks : bool
        Whether the same networks, in the same order, are in all three roles: different maps of one
        network, for instance. Else networks of different roles are independent.
    unit : str
        Unit of the distance.

    Returns
    -------
    tuple of Estimate
        Degree and distance. The degree has no interval, and says why, where the distance does not differ
        significantly from 0.

    Raises
    ------
    DataError
        Where the roles have different groups of people or, with ``same_networks``, different numbers of
        networks; where the ceiling does not lie above the floor; or where the whole interval of the degree
        lies above 1, so that the ceiling is none.
    """
    roles = _Roles((floor, measure, ceiling), same_networks)
    counts = {"groups of people": [len(role.without) for role in roles.roles]}
    counts |= {"networks": [len(role.values) for role in roles.roles]} if same_networks else {}
    for what, numbers in counts.items():
        if len(set(numbers)) > 1:
            told = ", ".join(f"{role.name} {n}" for role, n in zip(roles.roles, numbers, strict=True))
            raise DataError(f"the roles do not have the same {what}: {told}")
    above, width = np.array([-1.0, 1.0, 0.0]), np.array([-1.0, 0.0, 1.0])
    gain, room = roles.value(above), roles.value(width)
    if room <= 0:
        raise DataError(f"{ceiling.name!r} lies {-room:.3g} below its floor {floor.name!r}: no ceiling")
    # Nothing varies in a role that is a constant, or a method without a seed.
    several = [role for role in roles.roles if np.ptp(role.values)] or roles.roles
    networks = min(len(role.values) for role in several)
    how = f"Fieller's, Student's t, over networks and {len(measure.without)} groups of people"
    ratio = gain / room
    error = max(0.0, roles.covariance(width, width)) ** 0.5
    far = t.ppf((1 + CONFIDENCE) / 2, roles.freedom(width)) * error
    described = {"n": networks, "level": CONFIDENCE}
    breadth = Estimate(
        room,
        room - far,
        room + far,
        how=how.removeprefix("Fieller's, "),
        unit=unit,
        freedom=_finite(roles.freedom(width), error),
        **described,
    )
    joint = above - ratio * width
    student = t.ppf((1 + CONFIDENCE) / 2, roles.freedom(joint))
    bounds = _fieller(
        (gain, room),
        [roles.covariance(*pair) for pair in ((above, above), (above, width), (width, width))],
        student,
    )
    if bounds is None:
        why = f"the controls differ by {room:.3g} ± {far:.2g}, too uncertain to divide by"
        return Estimate(ratio, why=why, **described), breadth
    low, high = bounds
    if low > 1:
        raise DataError(
            f"the degree {ratio:.2f} [{low:.2f}, {high:.2f}] lies above 1: {ceiling.name!r} is no ceiling of "
            f"{measure.name!r}"
        )
    freedom = _finite(roles.freedom(joint), high - low)
    return Estimate(ratio, low, high, how=how, freedom=freedom, **described), breadth


def lowest_of(degrees: Sequence[Estimate], compared: int) -> Estimate:
    """Estimate the lowest of several degrees, for a claim about every one of ``compared`` pairs.

    It lies above a bound only if all do, so its lower end is the lowest of all lower ends, whichever degree
    is lowest (an intersection-union test: Berger 1982, Technometrics 24: 295). One of many may lie below a
    bound by chance, so upper ends are Bonferroni's before the lowest is taken. Some degree must have an
    interval; those without bound nothing.
    """
    value, bounded = min(one.value for one in degrees), [one for one in degrees if one.low is not None]
    tail, freedoms = (1 - CONFIDENCE) / 2, [one.freedom or np.inf for one in bounded]
    highs = [
        one.value + (one.high - one.value) * t.isf(tail / compared, own) / t.isf(tail, own)
        for one, own in zip(bounded, freedoms, strict=True)
    ]
    freedom = min(freedoms)
    return Estimate(
        value,
        min(one.low for one in bounded),
        max(min(highs), value),
        n=min(one.n for one in bounded),
        how=f"lowest lower end of {compared} pairs, upper end corrected for so many; {bounded[0].how}",
        freedom=freedom if np.isfinite(freedom) else None,
    )


def _finite(freedom: float, length: float) -> float | None:
    return freedom if length > 0 and np.isfinite(freedom) else None


def _fieller(
    values: tuple[float, float], covariances: Sequence[float], student: float
) -> tuple[float, float] | None:
    """Both ends of the set of ratios; None where it is not bounded."""
    (upper, lower), (s_uu, s_ul, s_ll) = values, (student**2 * each for each in covariances)
    square = lower**2 - s_ll
    if square <= 0:
        return None
    middle = upper * lower - s_ul
    root = max(0.0, middle**2 - square * (upper**2 - s_uu)) ** 0.5
    return (middle - root) / square, (middle + root) / square
