"""Networks and people: what the luck of the trainings and the luck of the people leave uncertain, together.

A number about trained networks (kappa, a count of detectors) would be another one with other networks, and
with other people in the pictures that all of them were asked about. Networks are few and independent, so
their part is the variance between them over their number. People are the same for all networks, and what is
computed from them (a permutation test) may not be asked of resamples in which somebody appears twice. So
people are left out, a group at a time: with each of G groups of people left out everything is computed anew,
for all networks alike, and the people's part is that of the delete-a-group jackknife (Kott 2001, Journal of
Official Statistics 17: 521), (G − 1)/G times the sum of squares about the mean. The two parts are added and
Student's t has the degrees of freedom of Welch and Satterthwaite.

Both parts contain how a single network answers to the people who happened to be there, so the interval is a
little too wide rather than too narrow. ``au_verification.simulation`` holds how often it covers the truth.
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


def networks_and_people(
    found: np.ndarray,
    against: np.ndarray | None = None,
    **settings: object,
) -> Estimate:
    """The mean over networks, or a ratio of sums over networks, with a 95 % interval for the luck of networks
    and people; with ``against`` minus the same of other networks, asked about the same people.

    ``found`` (R, 1 + G): what each of R networks gives, first with all people, then with each of G groups of
    them left out; or (R, 1 + G, 2): what it adds to the numerator and to the denominator of a ratio, as
    ``verification.Verified.sums`` for kappa. ``against`` (Q, 1 + G) likewise. ``settings`` go to the
    estimate. With one network its own luck is not covered, and the estimate says so.

    Raises DataError where the parts do not fit, or a ratio has nothing to divide by.
    """
    sides = [np.asarray(side, np.float64) for side in (found, against) if side is not None]
    groups = sides[0].shape[1] - 1
    if groups < 2 or any(side.shape[1:] != sides[0].shape[1:] for side in sides):
        raise DataError(
            f"shapes {', '.join(str(side.shape) for side in sides)}: expected networks, all people and at "
            "least 2 groups left out, alike for both"
        )
    total, parts = np.zeros(1 + groups), []
    for sign, side in zip((1, -1), sides, strict=False):
        sums, over = side.T if side.ndim == 3 else (side.T, np.ones_like(side.T))
        if (over.sum(axis=1) <= 0).any():
            raise DataError("nothing to divide by: no network has a filter with a claim")
        ratios = sums.sum(axis=1) / over.sum(axis=1)
        total += sign * ratios
        if len(side) > 1:
            # A ratio of sums varies as the mean of what each network is off it (linearised).
            off = (sums[0] - ratios[0] * over[0]) / over[0].mean()
            parts.append((off.var(ddof=1) / len(side), len(side) - 1))
    left_out = total[1:]
    parts.append(((groups - 1) / groups * ((left_out - left_out.mean()) ** 2).sum(), groups - 1))
    variance = sum(part for part, _ in parts)
    counts = " and ".join(str(len(side)) for side in sides)
    alone = any(len(side) == 1 for side in sides)
    settings = {"n": len(sides[0]), "level": CONFIDENCE} | settings
    if variance < SAME**2:
        return Estimate(total[0], why="it is the same in all networks and without any group", **settings)
    freedom = variance**2 / sum(part**2 / own for part, own in parts)
    reach = t.ppf((1 + CONFIDENCE) / 2, freedom) * np.sqrt(variance)
    how = f"95 % interval over {groups} groups of people left out"
    how += "; one network, whose own luck is not covered" if alone else f" and {counts} networks"
    return Estimate(total[0], total[0] - reach, total[0] + reach, how=how, **settings)
