"""The degree of a measure: where it lies between its negative control, 0, and its positive control, 1.

Three roles are asked of the same people: networks that were taught nothing (the floor), those that the claim
is about, and those that were taught what is looked for (the ceiling). The degree is a ratio of two
differences of their means, and its interval is Fieller's (1954, Journal of the Royal Statistical Society B
16: 175): all ratios ρ for which measure − floor − ρ·(ceiling − floor) is not told from 0. Networks are
independent; the people are the same, so that their part is a covariance of both differences, by the
delete-a-group jackknife (Kott 2001, Journal of Official Statistics 17: 521).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from fer_lib.stats.two_way import PEOPLE_GROUPS
from ferbook.errors import DataError
from ferbook.estimate import Estimate, Unit


@dataclass(frozen=True)
class Role:
    """What networks of one role give: ``values`` (R,), one number a network, and the same ``without`` (G, R)
    each group of people.

    Raises DataError for other shapes, fewer than two networks, or a number that is not finite.
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
        """A role that is a number and no network, such as a difference of 0, or chance."""
        return cls(name, np.full(2, value), np.full((groups, 2), value))


@dataclass(frozen=True)
class _Roles:
    """A weighted sum of the means of three roles: its value, and what chance leaves of it."""

    roles: Sequence[Role]

    def value(self, weights: np.ndarray) -> float:
        return float(weights @ [role.values.mean() for role in self.roles])

    def covariance(self, first: np.ndarray, second: np.ndarray) -> float:
        """Of two sums: networks role by role, people over the same groups."""
        return float(first * second @ self._networks()) + self._people(first, second)

    def freedom(self, weights: np.ndarray) -> float:
        """Degrees of freedom of the sum's variance, by Welch and Satterthwaite."""
        parts = [*(weights**2 * self._networks()), self._people(weights, weights)]
        own = [*(len(role.values) - 1 for role in self.roles), len(self.roles[0].without) - 1]
        inverse = sum(part**2 / free for part, free in zip(parts, own, strict=True))
        return sum(parts) ** 2 / inverse if inverse else np.inf

    def _networks(self) -> np.ndarray:
        return np.array([role.values.var(ddof=1) / len(role.values) for role in self.roles])

    def _people(self, first: np.ndarray, second: np.ndarray) -> float:
        means = np.stack([role.without.mean(axis=1) for role in self.roles], axis=1)
        groups = len(means)
        apart = means - means.mean(axis=0)
        return float((groups - 1) / groups * (apart @ first) @ (apart @ second))


def degree_and_room(
    floor: Role, measure: Role, ceiling: Role, *, unit: Unit = "", level: float = 0.95
) -> tuple[Estimate, Estimate]:
    """The degree (measure − floor) / (ceiling − floor), and the room, ceiling − floor, in ``unit``.

    Both with an interval that holds the truth in ``level`` of such studies. Where the room is not told from
    0, the degree may be anything: it has no interval then, and says why. Raises DataError where the
    roles were not asked of the same groups of people, where the ceiling does not lie above its floor, or
    where the whole interval of the degree lies above 1, so that the ceiling is none.
    """
    roles = _Roles((floor, measure, ceiling))
    groups = {role.name: len(role.without) for role in roles.roles}
    if len(set(groups.values())) > 1:
        raise DataError(
            f"roles of other groups of people: {', '.join(f'{k} {n}' for k, n in groups.items())}"
        )
    above, width = np.array([-1.0, 1.0, 0.0]), np.array([-1.0, 0.0, 1.0])
    gain, room = roles.value(above), roles.value(width)
    if room <= 0:
        raise DataError(f"{ceiling.name!r} lies {-room:.3g} below its floor {floor.name!r}: no ceiling")
    # A role that is a number, or a method without a seed, is no network: nothing varies in it.
    several = [role for role in roles.roles if np.ptp(role.values)] or roles.roles
    networks = min(len(role.values) for role in several)
    how = f"Fieller's, Student's t, over networks and {len(measure.without)} groups of people"
    ratio = gain / room
    error = roles.covariance(width, width) ** 0.5
    far = t.ppf((1 + level) / 2, roles.freedom(width)) * error
    described = {"n": networks, "level": level}
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
    student = t.ppf((1 + level) / 2, roles.freedom(joint))
    bounds = _fieller(
        (gain, room),
        [roles.covariance(*pair) for pair in ((above, above), (above, width), (width, width))],
        student,
    )
    if bounds is None:
        why = f"the room, {room:.3g} ± {far:.2g}, is too uncertain to divide by"
        return Estimate(ratio, why=why, **described), breadth
    low, high = bounds
    if low > 1:
        raise DataError(
            f"the degree {ratio:.2f} [{low:.2f}, {high:.2f}] lies above 1: {ceiling.name!r} is no ceiling of "
            f"{measure.name!r}"
        )
    freedom = _finite(roles.freedom(joint), high - low)
    return Estimate(ratio, low, high, how=how, freedom=freedom, **described), breadth


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
