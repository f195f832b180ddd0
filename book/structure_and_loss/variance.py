"""How much of the variance between trainings comes with the structure, with the loss, with the pair, and with
the seed.
"""

import numpy as np
import pandas as pd

from fer_lib.stats.contrasts import Scored
from fer_lib.stats.resampling import interval
from ferbook.estimate import Estimate

PARTS = ("structure", "loss", "interaction", "seed")


def variance_shares(scored: Scored) -> dict[str, Estimate]:
    """How the variance of one training's accuracy divides into structure, loss, both together, and seed:
    shares that sum to one.

    The trainings form a full table of structures × losses × seeds. The accuracy of one is the mean of all,
    plus what its structure adds, what its loss adds, what the pair adds beyond both, and its seed's luck. The
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

    whole = means(table["accuracy"].to_numpy()[:, None])
    drawn, seed_spread = means(scored.drawn["accuracy"]), scored.spread["accuracy"]
    generator = np.random.default_rng(len(scored.luck))
    seed_variance = np.full(drawn.shape[-1], seed_spread**2)
    if scored.freedom:
        drawn = drawn + generator.normal(size=drawn.shape) * seed_spread / np.sqrt(seeds)
        seed_variance *= scored.freedom / generator.chisquare(scored.freedom, size=len(seed_variance))
    estimate, resampled = _components(whole), _components(drawn)
    luck = resampled.mean(axis=1, keepdims=True) - estimate
    parts = np.concatenate([np.maximum(estimate - luck, 0), [[seed_spread**2]]])
    spread = np.concatenate([np.maximum(resampled - 2 * luck, 0), seed_variance[None]])
    if not scored.freedom:
        parts, spread = (np.stack([a[0], a[1], 0 * a[2], a[2]]) for a in (parts, spread))
    return {
        name: interval(
            part / parts.sum() if parts.sum() else 0.0,
            shares,
            scored.clusters,
            of="clusters",
            besides=" and of the seeds",
            n=len(scored.table),
            unit="share",
            tolerance=0.5,
        )
        for name, part, shares in zip(PARTS, parts[:, 0], _normalised(spread), strict=True)
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
