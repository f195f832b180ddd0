"""The mean over trainings that differ in nothing but their seed."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import t

from fer_lib.stats.resampling import CONFIDENCE, SAME
from fer_lib.stats.two_way import networks_luck
from ferbook.estimate import Estimate


def mean_over_seeds(metrics: Sequence[Estimate]) -> Estimate:
    """The mean of ``metrics``, one for each seed, with the interval of Student's t by their spread: the luck
    of the seeds alone, that of the people is in the interval of each. A share stays between 0 and 1.
    """
    values, unit = np.array([metric.value for metric in metrics]), metrics[0].unit
    about = {"n": len(values), "unit": unit, "level": CONFIDENCE}
    lucks, mean = networks_luck(values), float(values.mean())
    if not lucks or lucks[0].error < SAME:
        return Estimate(mean, why="one seed" if not lucks else "every seed gives the same value", **about)
    reach = lucks[0].error * t.ppf((1 + CONFIDENCE) / 2, lucks[0].freedom)
    low, high = mean - reach, mean + reach
    if unit == "share":
        low, high = max(low, 0.0), min(high, 1.0)
    how = f"{100 * CONFIDENCE:g} % by Student's t over {len(values)} seeds; the people's luck is not covered"
    return Estimate(mean, low, high, how=how, freedom=lucks[0].freedom, **about)
