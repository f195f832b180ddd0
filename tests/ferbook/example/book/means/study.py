"""The mean of throws, with its interval."""

import numpy as np
import pandas as pd
from pydantic import BaseModel

from ferbook.estimate import Estimate
from ferbook.page.forest import Axis, forest
from ferbook.page.style import Drawn

COINS = Estimate(1.0, why="the mean of two coins is known")


class Throws(BaseModel):
    """How often each side showed, from 1 upwards: what the chapter ``throws`` hands on."""

    counts: tuple[int, ...]


def mean(throws: Throws, draws: int, seed: int) -> Estimate:
    """The mean, with the interval of so many bootstrap ``draws`` of the throws."""
    sides = np.arange(1, len(throws.counts) + 1)
    times = sum(throws.counts)
    shares = np.array(throws.counts) / times
    means = np.random.default_rng(seed).multinomial(times, shares, draws) @ sides / times
    low, high = np.percentile(means, (2.5, 97.5))
    return Estimate(
        float(shares @ sides),
        low,
        high,
        n=times,
        how=f"95 % percentile bootstrap, {draws} draws of {times} throws",
    )


def drawn(found: Estimate) -> Drawn:
    """The mean with its interval, beside that of a fair die of six sides."""
    rows = pd.DataFrame(
        {"label": ["the die"], "value": [found.value], "low": [found.low], "high": [found.high]}
    )
    inside = "contains" if found.low <= 3.5 <= found.high else "does not contain"
    return forest(
        rows,
        measured="mean",
        axis=Axis("", null=3.5, null_name="a fair die of six sides"),
        alt="A dot with its interval, and a dashed line.",
        caption=f"The mean of the throws; its interval {inside} that of a fair die of six sides.",
        tolerance=1,
    )
