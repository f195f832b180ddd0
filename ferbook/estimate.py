"""An estimate with its interval: what every number is from its computation to the page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, Self, get_args

import numpy as np

from ferbook.errors import DataError

Unit = Literal["share", "count", "seconds", ""]

# Prefix of metrics of stored networks that a run evaluated on its own faces.
STORED = "stored_"

# The ``why`` of an estimate that was stored before it had to have one.
UNSAID = "the run that stored it does not say why"


# Standard error below which values differ by rounding alone.
_LEAST_ERROR = 1e-12


@dataclass(frozen=True)
class Estimate:
    """An estimate with its interval, or with the reason why it has none; all plain Python numbers.

    Parameters
    ----------
    value : float
    low, high : float or None
        Bounds of the interval at the ``level`` (0 to 1); None where there is none.
    n : int or None
        Number of observations behind the value.
    how, why : str
        How the interval was computed; why there is none.
    unit : str
        ``share`` (a proportion, 0 to 1), ``count``, ``seconds`` or empty.
    tolerance : float
        Largest absolute difference at which a rerun counts as the same.
    freedom : float or None
        Degrees of freedom of Student's t, if the interval has its tails.

    Raises
    ------
    DataError
        For a value or bound that is not finite, one bound without the other, bounds in the wrong order, both
        an interval and ``why``, neither of them for what is not a count, a level outside 0 to 1, degrees of
        freedom that are not above 0 or have no interval, and an unknown unit.
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    how: str = ""
    why: str = ""
    level: float = 0.95
    unit: Unit = ""
    tolerance: float = 0.0
    freedom: float | None = None

    def __post_init__(self) -> None:
        # NumPy's scalars are not JSON and print as np.float64(…).
        for name in ("value", "low", "high", "level", "tolerance", "freedom"):
            number = getattr(self, name)
            object.__setattr__(self, name, None if number is None else float(number))
        object.__setattr__(self, "n", None if self.n is None else int(self.n))
        bounds = [bound for bound in (self.low, self.high) if bound is not None]
        if not np.isfinite(self.value):
            raise DataError(f"a metric's value must be a finite number, not {self.value}")
        if len(bounds) == 1:
            raise DataError("a metric has both bounds of its interval, or none")
        if not np.isfinite(bounds).all():
            raise DataError(f"a metric's bounds must be finite numbers, not {self.low} and {self.high}")
        if bounds != sorted(bounds):
            raise DataError(f"a metric's interval is upside down: low {self.low} > high {self.high}")
        if bounds and self.why:
            raise DataError(f"a metric with an interval says why it has none: {self.why!r}")
        if not bounds and not self.why and self.unit != "count":
            raise DataError(f"a metric of {self.value:g} has neither an interval nor a word why it has none")
        if not 0 < self.level < 1:
            raise DataError(f"a metric's level must lie between 0 and 1, not at {self.level}")
        if self.freedom is not None and not (bounds and 0 < self.freedom < np.inf):
            raise DataError(f"{self.freedom} degrees of freedom: a number above 0, and of an interval only")
        if self.unit not in get_args(Unit):
            raise DataError(f"a metric's unit is {self.unit!r}; expected one of {get_args(Unit)}")

    def to_json(self) -> dict:
        """Return plain values by field name."""
        return asdict(self)

    @classmethod
    def from_json(cls, entry: Mapping) -> Self:
        """Read the estimate from what ``to_json`` returned; fields that have a default may be absent. An
        interval that an older run left out without a reason gets ``UNSAID`` as its reason.

        Raises DataError for anything that is not a mapping of its fields, and as the class does.
        """
        try:
            silent = entry.get("low") is None and not entry.get("why") and entry.get("unit") != "count"
            return cls(**entry | {"why": UNSAID}) if silent else cls(**entry)
        except (AttributeError, TypeError, ValueError, OverflowError) as fault:
            raise DataError(f"{entry!s:.200} is not a metric: {fault}") from fault

    @classmethod
    def bounded(
        cls, value: float, low: float, high: float, *, how: str, why: str = "", **settings: object
    ) -> Self:
        """Make an estimate from the row of a table.

        Parameters
        ----------
        value, low, high : float
            Bounds that are absent are NaN or None.
        how, why : str
            For an interval that exists; for one that does not, by default that every draw is the same value.
        **settings
            Other fields.
        """
        if low is None or high is None or np.isnan(low) or np.isnan(high):
            return cls(value, why=why or "every draw gives the same value", **settings)
        return cls(value, low, high, how=how, **settings)


def mean_over_seeds(metrics: Sequence[Estimate]) -> Estimate:
    """Return the mean of ``metrics``, one for each seed, with the interval of Student's t by their spread.

    The interval covers the variance over seeds alone; sampling error of people is in the interval of each
    metric. A proportion is clipped to 0 to 1.
    """
    from scipy import stats

    values, unit, level = np.array([metric.value for metric in metrics]), metrics[0].unit, 0.95
    about, mean, count = {"n": len(values), "unit": unit, "level": level}, float(values.mean()), len(values)
    if count == 1:
        return Estimate(mean, why="one seed", **about)
    error = np.std(values, ddof=1) / np.sqrt(count)
    if error < _LEAST_ERROR:
        return Estimate(mean, why="every seed gives the same value", **about)
    reach = error * stats.t.ppf((1 + level) / 2, count - 1)
    low, high = mean - reach, mean + reach
    if unit == "share":
        low, high = max(low, 0.0), min(high, 1.0)
    how = f"{100 * level:g} % by Student's t over {count} seeds; sampling error of people is not covered"
    return Estimate(mean, low, high, how=how, freedom=count - 1, **about)
