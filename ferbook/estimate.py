"""Figures of merit with intervals that respect subjects: several pictures of one person are not independent."""

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from ferbook.errors import DataError

Unit = Literal["share", "count", "seconds", ""]


@dataclass(frozen=True)
class Estimate:
    """An estimate as it stands in ``metrics.json``; all plain Python numbers.

    ``low`` and ``high`` bound the interval and are None where there is none; ``interval`` says how it was
    computed, or why there is none. ``n``: number of observations behind the value. ``unit``: ``share`` (0 to
    1), ``count``, ``seconds`` or empty. ``tolerance``: largest absolute difference at which a rerun still
    counts as the same.
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    interval: str = ""
    unit: Unit = ""
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        # NumPy's scalars are not JSON and print as np.float64(…).
        for name in ("value", "low", "high", "tolerance"):
            given = getattr(self, name)
            object.__setattr__(self, name, None if given is None else float(given))
        object.__setattr__(self, "n", None if self.n is None else int(self.n))
        if not np.isfinite(self.value):
            raise DataError(f"a metric's value must be a finite number, not {self.value}")
        if (self.low is None) != (self.high is None):
            raise DataError("a metric has both bounds of its interval, or none")

    def to_json(self) -> dict:
        """Plain values by field name."""
        return asdict(self)
