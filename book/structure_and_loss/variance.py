"""Trainings compared on one test split: what the luck of the pictures and the luck of the seeds leave
uncertain.

A difference between two conditions (structures, losses, steps of a ladder) could be due to the pictures that
happen to be in the test split, and to the random starts that happened to be drawn. Both are imitated
together:

* *pictures*: clusters (subjects, or groups of equal pictures) are drawn with replacement, the same draw for
  all trainings, so that whatever makes a picture hard for everybody cancels in a difference;
* *seeds*: the standard deviation s between trainings of one condition is pooled over all conditions, with d =
  trainings − conditions degrees of freedom; to each draw a deviate of Student's t with d degrees of freedom
  is added, times s · √Σw², the standard error of a sum of independent trainings with the weights w.

s is measured on the test split and so contains some of the luck of the pictures, which makes intervals a
little too wide rather than too narrow. Few seeds cannot be made good by resampling them: two seeds resampled
have half the variance. With one seed per condition d is 0, and the interval covers the pictures only; its
description says so.
"""

import numpy as np
import pandas as pd

from fer_lib.stats.contrasts import Scored
from fer_lib.stats.resampling import CONFIDENCE
from ferbook.estimate import Estimate

PARTS = ("structure", "loss", "interaction", "seed")


def variance_shares(
    scored: Scored, *, measure: str = "accuracy", tolerance: float = 0.0
) -> dict[str, Estimate]:
    """How the variance of one training's score divides into structure, loss, both together, and seed: shares
    that sum to one.

    The trainings form a full table of structures × losses × seeds. The score of one is the mean of all, plus
    what its structure adds, what its loss adds, what the pair adds beyond both, and its seed's luck. The
    variance of each part over the conditions of the study is estimated from the condition means; what the
    luck of pictures and seeds adds to it is measured on the draws and subtracted, and what is then below zero
    counts as zero. The intervals are percentiles over the draws, with twice that luck subtracted, since a
    draw has it twice.

    With a single seed per condition the seed cannot be told from the interaction: both count as seed, and
    what the seeds add to structure and loss stays in them. There is no interval, and the share is zero, where
    a part has only one level or nothing varies.
    """
    table = scored.table
    levels = [table[name].nunique() for name in ("structure", "loss")]
    order = np.argsort(
        pd.factorize(table["structure"])[0] * levels[1] + pd.factorize(table["loss"])[0], kind="stable"
    )
    seeds = len(table) // (levels[0] * levels[1])

    def means(values: np.ndarray) -> np.ndarray:
        return values[order].reshape(*levels, seeds, -1).mean(axis=2)

    whole = means(table[measure].to_numpy()[:, None])
    drawn = means(scored.drawn[measure])
    generator = np.random.default_rng(len(scored.luck))
    seed_variance = np.full(drawn.shape[-1], scored.spread[measure] ** 2)
    if scored.freedom:
        drawn = drawn + generator.normal(size=drawn.shape) * scored.spread[measure] / np.sqrt(seeds)
        seed_variance *= scored.freedom / generator.chisquare(scored.freedom, size=len(seed_variance))
    estimate, resampled = _components(whole), _components(drawn)
    luck = resampled.mean(axis=1, keepdims=True) - estimate
    parts = np.concatenate([np.maximum(estimate - luck, 0), [[scored.spread[measure] ** 2]]])
    spread = np.concatenate([np.maximum(resampled - 2 * luck, 0), seed_variance[None]])
    if not scored.freedom:
        parts, spread = (np.stack([a[0], a[1], 0 * a[2], a[2]]) for a in (parts, spread))
    return {
        name: _share(name, parts[i, 0] / parts.sum() if parts.sum() else 0.0, shares, scored, tolerance)
        for i, (name, shares) in enumerate(zip(PARTS, _normalised(spread), strict=True))
    }


def _components(means: np.ndarray) -> np.ndarray:
    """(3, draws): variances of structure, loss and interaction in tables of condition means (structures,
    losses, draws).
    """
    middle = means.mean(axis=(0, 1))
    by_structure, by_loss = means.mean(axis=1) - middle, means.mean(axis=0) - middle
    rest = means - middle - by_structure[:, None] - by_loss[None]
    return np.stack([(by_structure**2).mean(0), (by_loss**2).mean(0), (rest**2).mean((0, 1))])


def _normalised(parts: np.ndarray) -> np.ndarray:
    total = parts.sum(axis=0)
    return np.divide(parts, total, out=np.zeros_like(parts), where=total > 0)


def _share(name: str, value: float, drawn: np.ndarray, scored: Scored, tolerance: float) -> Estimate:
    settings = {"n": len(scored.table), "unit": "share", "tolerance": tolerance}
    if np.ptp(drawn) < 1e-12:
        why = f"no variation by {name} could be estimated"
        return Estimate(value, why=why, **settings)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    # Of estimates that were cut off at zero the percentiles can miss the estimate itself.
    low, high = min(low, value), max(high, value)
    how = f"{CONFIDENCE:.0%} percentile bootstrap, {len(drawn)} draws of {scored.clusters} clusters and of the seeds"
    return Estimate(value, low, high, how=how, **settings)
