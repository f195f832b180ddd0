"""Intervals over networks and people: seed variance and the sampling error of people, together.

A number about trained networks would differ with other networks, and with other people in the pictures on
which all of them were evaluated. Both are imitated in one set of draws, and the interval is computed from
these as over people alone (``stats.resampling.bounds``):

* *people* are the same for all networks, so one draw of people is a draw of the mean over the networks. Where
  people cannot be resampled (a permutation test must not include the same person twice), they are left out, a
  group at a time: the standard error is that of the delete-a-group jackknife (Kott 2001, Journal of Official
  Statistics 17: 521), with groups − 1 degrees of freedom;
* *networks* are few and independent: their standard error is that between trainings that differ in their seed
  only. Few networks cannot be resampled: two networks resampled have half the variance.

For each ``StandardError`` an independent deviate is added to each draw: Student's t with its degrees of
freedom, times the error. The sum has the distribution of Behrens and Fisher. Welch's approximation of it by
one t is shorter and fails with few networks: simulated with three of them it covers 93 % instead of 95 %,
with two 89 %; the sum never covers less than it claims (``tests/fer_lib/stats/test_two_way.py``).

Both errors include the interaction of network and people, which makes intervals a little too wide rather than
too narrow. With jackknives it can be estimated, as the variance of single networks beyond that of their mean,
and is subtracted once, as in a two-way analysis of variance.
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

# Number of groups of people that are left out.
PEOPLE_GROUPS = 10

# Number of draws if both errors are standard errors.
DEVIATES = 20_000


@dataclass(frozen=True)
class StandardError:
    """A standard ``error``, estimated with ``freedom`` degrees of freedom."""

    error: float
    freedom: int


def seed_errors(values: np.ndarray) -> list[StandardError]:
    """Return the standard error of the mean of ``values`` (R,), one per network; an empty list for one
    network.
    """
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
    """Make an estimate with its interval over networks and people.

    Parameters
    ----------
    value : float
    draws : (D,) array
        The statistic in each resample of people.
    clusters : int
        Number of people.
    errors : sequence of StandardError
        Independent of the draws and of each other.
    limits : tuple of float
        Bounds of possible values, 0 and 1 for a proportion.
    **description
        The fields of ``interval`` that describe the estimate.

    Returns
    -------
    Estimate
    """
    every = [StandardError(np.nanstd(draws), clusters - 1), *errors] if clusters > 1 else errors
    for number, each in enumerate(errors):
        draws = draws + each.error * student_deviates(each.freedom, len(draws), number)
    return interval(value, draws.clip(*limits), clusters, freedom=_joint_freedom(every), **description)


def _joint_freedom(errors: Sequence[StandardError]) -> float | None:
    """Return the degrees of freedom of a sum of ``errors``, by Welch and Satterthwaite: they determine the
    tails beyond an interval, whose bounds are those of the sum itself. None without any variance.
    """
    variances = np.array([each.error**2 for each in errors])
    shares = variances / (variances.sum() or 1)
    inverse = sum(share**2 / each.freedom for share, each in zip(shares, errors, strict=True) if share)
    return float(1 / inverse) if inverse else None


@lru_cache(maxsize=64)
def student_deviates(freedom: int, draws: int, number: int = 0) -> np.ndarray:
    """Return evenly spaced quantiles of Student's t in random order.

    Parameters
    ----------
    freedom : int
        Degrees of freedom.
    draws : int
    number : int
        Selects the order.

    Returns
    -------
    (draws,) float64 array
        The second half repeats the first with the opposite sign, so that sums are symmetric.
    """
    half = draws // 2
    order = np.random.default_rng((number, draws)).permutation(half)
    deviates = t.ppf((order + 0.5) / half, freedom)
    return np.concatenate([deviates, -deviates, np.zeros(draws % 2)])


def networks_and_draws(values: np.ndarray, people: int, **about: object) -> Estimate:
    """Estimate the mean over networks, with its interval over networks and people.

    Parameters
    ----------
    values : (R, 1 + D) array
        Of each of R networks, first with all people, then in each of D draws of people, the same draws for
        all.
    people : int
        Number of people.
    **about
        As of ``two_way_interval``.

    Returns
    -------
    Estimate
    """
    networks = len(values)
    remark = f" and {networks} networks" if networks > 1 else "; one network: seed variance is not covered"
    mean, errors = values.mean(axis=0), seed_errors(values[:, 0])
    return two_way_interval(float(mean[0]), mean[1:], people, errors, besides=remark, **about)


def people_groups(people: np.ndarray, groups: int = PEOPLE_GROUPS) -> np.ndarray:
    """Assign people to groups at random, as evenly as possible.

    Parameters
    ----------
    people : (N,) array
        The person of each picture.
    groups : int

    Returns
    -------
    (N,) int64 array
        The group of each picture, from 0.

    Raises
    ------
    ParameterError
        Fewer than two groups.
    DataError
        Fewer people than groups, or a picture without a subject label (None or NaN).
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
    """Return masks (N,): all pictures, then those without each of ``groups`` groups of ``people`` (N,), if
    any. Raises as ``people_groups``.
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
    """Estimate the mean over networks, or with ``against`` its difference from that of other networks,
    evaluated on the same people, with a delete-a-group jackknife over people.

    Parameters
    ----------
    values : (R, 1 + G) array
        Of each of R networks, first with all people, then without each of G groups of them.
    against : (Q, 1 + G) array, optional
        Of the other networks.
    n : int, optional
        By default R.
    unit, tolerance
        Of the estimate.
    limits : tuple of float
        Bounds of a network's value, 0 and 1 for a proportion.

    Returns
    -------
    Estimate
        With one network its description says that seed variance is not covered.

    Raises
    ------
    DataError
        The shapes do not fit.
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
    """Return the variance of the first of ``values`` (…, 1 + G), from the others, each without a group."""
    left_out = values[..., 1:]
    return (left_out.shape[-1] - 1) * left_out.var(axis=-1)


def network_mean(values: Sequence[float], unit: str = "") -> Estimate:
    """Estimate the mean of one value per network, with the interval of Student's t over networks: a bootstrap
    of three of them would cover only three of four times.
    """
    each = [Estimate(value, unit=unit, why="of one network") for value in values]
    return replace(mean_over_seeds(each), tolerance=0.2)
