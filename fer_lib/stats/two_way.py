"""Networks and people: what the luck of the trainings and the luck of the people leave uncertain, together.

A number about trained networks (kappa, a count of detectors) would be another one with other networks, and
with other people in the pictures that all of them were asked about. Networks are few and independent, so
their part is the variance between them over their number. People are the same for all networks, and what is
computed from them (a permutation test) may not be asked of resamples in which somebody appears twice. So
people are left out, a group at a time: with each of G groups of people left out everything is computed anew,
for all networks alike, and the people's part is that of the delete-a-group jackknife (Kott 2001, Journal of
Official Statistics 17: 521), (G − 1)/G times the sum of squares about the mean. Both parts contain how each
network answers to the people who happened to be there; that is what the networks' own jackknives have beyond
the jackknife of their mean, and it is taken off once, as in an analysis of variance with two ways. Student's
t has the degrees of freedom of Welch and Satterthwaite.

Counts of filters jump where people are left out, so their intervals are rather too wide than too narrow; the
tests hold how often kappa's covers the truth.
"""

import numpy as np
import pandas as pd
from scipy.stats import t

from fer_lib.stats.resampling import CONFIDENCE, SAME
from ferbook.errors import DataError, ParameterError
from ferbook.estimate import Estimate

GROUPS = 10
"""Groups in which people are left out."""


def people_groups(people: np.ndarray, groups: int = GROUPS, seed: int = 0) -> np.ndarray:
    """int64 (N,): the group, from 0, of each picture; ``people`` (N,) are dealt to ``groups`` at random, as
    evenly as can be.

    Raises ParameterError for fewer than two groups, DataError for fewer people than groups.
    """
    if groups < 2:
        raise ParameterError(f"groups = {groups}: people are left out in at least 2 groups")
    codes, names = pd.factorize(np.asarray(people))
    if len(names) < groups:
        raise DataError(f"{len(names)} people make no {groups} groups: ask for fewer, or add people")
    return np.random.default_rng(seed).permutation(np.arange(len(names)) % groups)[codes]


def networks_and_people(found: np.ndarray, against: np.ndarray | None = None, **settings: object) -> Estimate:
    """The mean over networks with a 95 % interval for the luck of networks and people; with ``against`` minus
    that of other networks, asked about the same people.

    ``found`` (R, 1 + G): what each of R networks gives, first with all people, then with each of G groups of
    them left out; ``against`` (Q, 1 + G) likewise. ``settings`` go to the estimate. With one network its own
    luck is not covered, and the estimate says so. Raises DataError where the shapes do not fit.
    """
    sides = [np.asarray(side, np.float64) for side in (found, against) if side is not None]
    groups = sides[0].shape[1] - 1
    if groups < 2 or any(side.shape[1] != 1 + groups for side in sides):
        raise DataError(
            f"shapes {', '.join(str(side.shape) for side in sides)}: expected networks, all people and at "
            "least 2 groups left out, alike for both"
        )
    total, parts, twice = np.zeros(1 + groups), [], 0.0
    for sign, own in zip((1, -1), sides, strict=False):
        total += sign * own.mean(axis=0)
        if len(own) > 1:
            parts.append((own[:, 0].var(ddof=1) / len(own), len(own) - 1))
            twice += max(_jackknife(own).mean() - _jackknife(own.mean(axis=0)), 0) / (len(own) - 1)
    parts.append((_jackknife(total), groups - 1))
    variances = [part for part, _ in parts]
    variance = max(sum(variances) - twice, *variances)
    settings = {"n": len(sides[0]), "level": CONFIDENCE} | settings
    if variance < SAME**2:
        return Estimate(total[0], why="it is the same in all networks and without any group", **settings)
    freedom = sum(variances) ** 2 / sum(part**2 / own for part, own in parts)
    reach = t.ppf((1 + CONFIDENCE) / 2, freedom) * np.sqrt(variance)
    how = f"95 % interval over {groups} groups of people left out"
    if any(len(side) == 1 for side in sides):
        how += "; one network, whose own luck is not covered"
    else:
        how += f" and {' and '.join(str(len(side)) for side in sides)} networks"
    return Estimate(total[0], total[0] - reach, total[0] + reach, how=how, **settings)


def _jackknife(values: np.ndarray) -> np.ndarray:
    """(…): variance of the first of ``values`` (…, 1 + G), from the others, each of a group left out."""
    left_out = values[..., 1:]
    return (left_out.shape[-1] - 1) * left_out.var(axis=-1)
