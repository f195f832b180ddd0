"""The mean of throws, with its interval."""

import numpy as np
from pydantic import BaseModel

from ferbook.estimate import Estimate


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
