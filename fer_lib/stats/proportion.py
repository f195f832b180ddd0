"""A share of independent trials, with the interval that its own distribution gives it."""

from typing import Literal

from scipy.stats import binomtest

from fer_lib.stats.resampling import CONFIDENCE
from ferbook.estimate import Estimate


def proportion(
    hits: int, trials: int, method: Literal["exact", "wilson"] = "exact", *, of: str, tolerance: float = 0.0
) -> Estimate:
    """In what share of independent ``trials`` something was so, with its binomial interval: exact is that of
    Clopper and Pearson (1934). ``of`` names the trials, in the plural.
    """
    low, high = binomtest(hits, trials).proportion_ci(CONFIDENCE, method=method)
    how = f"95 % binomial interval ({method}) over {of}"
    return Estimate(hits / trials, low, high, n=trials, how=how, unit="share", tolerance=tolerance)
