"""The rule over networks and people: seed variance and the sampling error of people, together.

A number about trained networks would be another one with other networks, and with other people in the
pictures that all of them were asked about. Both are imitated in one set of draws, and the interval is
read off these as over people alone (``stats.resampling.bounds``):

* *people* are the same for all networks, so one draw of people is a draw of the mean over the networks.
  Where resampled people cannot be asked (a permutation test may not meet somebody twice), they are left out,
  a group at a time: the standard error is that of the delete-a-group jackknife (Kott 2001, Journal of
  Official Statistics 17: 521), with a degree of freedom less than groups;
* *networks* are few and independent: their standard error is that between trainings that differ in their seed
  only. Few networks cannot be made good by resampling them: two networks resampled have half the variance.

To each draw every ``StandardError`` adds a deviate of its own: Student's t with its degrees of freedom, times
the error. The sum is the distribution of Behrens and Fisher. Welch's approximation of it by one t is
shorter and breaks its promise where networks are few: simulated with three of them it covers 93 % instead of
95 %, with two 89 %; the sum never covers less than it says (``tests/fer_lib/stats/test_two_way.py``).

Both contain how each network answers to the people who happened to be there, which makes intervals a
little too wide rather than too narrow. Of jackknives this can be measured, by what the networks' own have
beyond that of their mean, and is taken off once, as in an analysis of variance with two ways.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.stats import t

from fer_lib.stats.resampling import SAME, interval
from ferbook.errors import DataError, ParameterError
from ferbook.estimate import Estimate, Unit, mean_over_seeds

PEOPLE_GROUPS = 10
"""Groups in which people are left out."""

DEVIATES = 20_000
"""Draws where both are standard errors."""


@dataclass(frozen=True)
class StandardError:
    """A standard ``error``, estimated with so many degrees of ``freedom``."""

    error: float
    freedom: int


def seed_errors(values: np.ndarray) -> list[StandardError]:
    """The standard error of the mean of ``values`` (R,), one per network; none of one network."""
    networks = len(values)
    return [StandardError(np.std(values, ddof=1) / np.sqrt(networks), networks - 1)] if networks > 1 else []


def two_way_interval(
    value: float,
    draws: np.ndarray,
    clusters: float,
    errors: Sequence[StandardError],
    *,
    limits: tuple[float, float] = (-np.inf, np.inf),
    **description: object,
) -> Estimate:
    """``value`` with its interval over networks and people: what it is in each resample of so many
    ``clusters`` (people), ``draws`` (D,), and beside it ``errors``, independent of these and of each other.

    ``limits``: what it cannot lie beyond, 0 and 1 of a share. ``description``: the fields of ``interval``
    that describe the estimate.
    """
    every = [StandardError(np.nanstd(draws), clusters - 1), *errors] if clusters > 1 else errors
    for number, each in enumerate(errors):
        draws = draws + each.error * student_deviates(each.freedom, len(draws), number)
    return interval(value, draws.clip(*limits), clusters, freedom=_joint_freedom(every), **description)


def _joint_freedom(errors: Sequence[StandardError]) -> float | None:
    """Degrees of freedom of a sum of ``errors``, by Welch and Satterthwaite: they say how fast chance
    fades beyond an interval, whose ends are those of the sum itself. None where nothing is uncertain.
    """
    variances = np.array([each.error**2 for each in errors])
    shares = variances / (variances.sum() or 1)
    inverse = sum(share**2 / each.freedom for share, each in zip(shares, errors, strict=True) if share)
    return float(1 / inverse) if inverse else None


@lru_cache(maxsize=64)
def student_deviates(freedom: int, draws: int, number: int = 0) -> np.ndarray:
    """float64 (draws,): evenly spaced quantiles of Student's t in an order of its own for each ``number``,
    and then the same with the other sign, so that their sums lean to neither side.
    """
    half = draws // 2
    order = np.random.default_rng((number, draws)).permutation(half)
    deviates = t.ppf((order + 0.5) / half, freedom)
    return np.concatenate([deviates, -deviates, np.zeros(draws % 2)])


def networks_and_draws(values: np.ndarray, people: int, **about: object) -> Estimate:
    """The mean over networks of ``values`` (R, 1 + D): what each of R networks gives with all people, then in
    each of D draws of so many ``people``, the same draws for all; ``about`` as of ``two_way_interval``.
    """
    networks = len(values)
    remark = f" and {networks} networks" if networks > 1 else "; one network: seed variance is not covered"
    mean, errors = values.mean(axis=0), seed_errors(values[:, 0])
    return two_way_interval(float(mean[0]), mean[1:], people, errors, besides=remark, **about)


def people_groups(people: np.ndarray, groups: int = PEOPLE_GROUPS) -> np.ndarray:
    """int64 (N,): the group, from 0, of each picture; ``people`` (N,) are dealt to ``groups`` at random, as
    evenly as can be.

    Raises ParameterError for fewer than two groups, DataError for fewer people than groups and for a picture
    of nobody (None or NaN).
    """
    if groups < 2:
        raise ParameterError(f"groups = {groups}: people are left out in at least 2 groups")
    codes, names = pd.factorize(np.asarray(people))
    if (codes < 0).any():
        raise DataError(f"picture {(codes < 0).argmax()} has no subject: give it a unique name")
    if len(names) < groups:
        raise DataError(f"{len(names)} people make no {groups} groups: give fewer groups, or add people")
    return np.random.default_rng(0).permutation(np.arange(len(names)) % groups)[codes]


def all_but_one(people: np.ndarray, groups: int) -> list[np.ndarray]:
    """bool (N,) each: all, then what is left without each of ``groups`` groups of ``people`` (N,), if any.
    Raises as ``people_groups``.
    """
    everyone = np.ones(len(people), bool)
    if not groups:
        return [everyone]
    own = people_groups(people, groups)
    return [everyone, *(own != group for group in range(groups))]


def networks_and_people(
    values: np.ndarray,
    against: np.ndarray | None = None,
    *,
    n: int | None = None,
    unit: Unit = "",
    tolerance: float = 0.0,
    limits: tuple[float, float] = (-np.inf, np.inf),
) -> Estimate:
    """The mean over networks, or with ``against`` how far it is ahead of that of other networks, asked about
    the same people.

    ``values`` (R, 1 + G): what each of R networks gives, first with all people, then with each of G groups of
    them left out; ``against`` (Q, 1 + G) likewise. ``n``: by default R. ``limits``: what no
    network's number can lie beyond, 0 and 1 of a share. With one network seed variance is not covered, and
    the estimate says so. Raises DataError where the shapes do not fit.
    """
    sides = [np.asarray(side, np.float64) for side in (values, against) if side is not None]
    groups = sides[0].shape[1] - 1
    if groups < 2 or any(side.shape[1] != 1 + groups for side in sides):
        raise DataError(
            f"shapes {', '.join(str(side.shape) for side in sides)}: expected networks, all people and at "
            "least 2 groups left out, alike for both"
        )
    about = {"n": len(sides[0]) if n is None else n, "unit": unit, "tolerance": tolerance}
    means = [side.mean(axis=0) for side in sides]
    total = means[0] - means[1] if len(means) > 1 else means[0]
    errors, twice = [StandardError(np.sqrt(_jackknife(total)), groups - 1)], 0.0
    for own, mean in zip(sides, means, strict=True):
        errors += seed_errors(own[:, 0])
        if len(own) > 1:
            twice += max(_jackknife(own).mean() - _jackknife(mean), 0) / (len(own) - 1)
    variances = [each.error**2 for each in errors]
    variance = max(sum(variances) - twice, *variances)
    if variance < SAME**2:
        return Estimate(total[0], why="it is the same in all networks and without any group", **about)
    share = np.sqrt(variance / sum(variances))
    errors = [StandardError(share * each.error, each.freedom) for each in errors]
    how = f"95 % interval over {groups} groups of people left out"
    if any(len(side) == 1 for side in sides):
        how += "; one network: seed variance is not covered"
    else:
        how += f" and {' and '.join(str(len(side)) for side in sides)} networks"
    value = float(total[0])
    if against is not None:
        limits = limits[0] - limits[1], limits[1] - limits[0]
    return two_way_interval(value, np.full(DEVIATES, value), np.inf, errors, limits=limits, how=how, **about)


def _jackknife(values: np.ndarray) -> np.ndarray:
    """(…): variance of the first of ``values`` (…, 1 + G), from the others, each of a group left out."""
    left_out = values[..., 1:]
    return (left_out.shape[-1] - 1) * left_out.var(axis=-1)


def network_mean(values: Sequence[float], unit: str = "") -> Estimate:
    """The mean of one value per network, with the interval of Student's t over the networks: a bootstrap of
    three of them holds the truth in three of four times.
    """
    each = [Estimate(value, unit=unit, why="of one network") for value in values]
    return replace(mean_over_seeds(each), tolerance=0.2)
